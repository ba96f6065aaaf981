//! What a user asks of the monitor.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::Filter;
use crate::observer::fanotify::Ids;

/// Everything that a watch needs to know.
#[derive(Debug)]
pub struct Options {
    /// A path on what is watched.
    pub place: PathBuf,
    /// How much of it.
    pub scope: Scope,
    /// Whether thread ids are asked for.
    pub ids: Ids,
    /// What is shown.
    pub filter: Filter,
    /// Where lines go.
    pub target: Destination,
    /// What they look like.
    pub format: LineFormat,
    /// End after so many were shown.
    pub count: Option<u64>,
    /// End after this time.
    pub time: Option<Duration>,
    /// Run this, and show its tree alone.
    pub command: Vec<OsString>,
}

/// What a mark covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is opened through the mount at that path.
    Mount,
    /// The file system, through whatever mount in whatever namespace.
    Filesystem,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// The local syslog socket.
    Syslog,
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LineFormat {
    /// perm=execute pid=2 ppid=1 exe=/usr/bin/bash : path=/usr/bin/ls
    Fapolicyd,
    /// One JSON object a line
    Json,
}
