//! `exetrail monitor`: the monitor alone, on the running system.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::monitor::{Destination, Filter, LineFormat, Options, Scope, run};
use crate::observer::fanotify::Ids;

/// Arguments of `exetrail monitor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to watch: its mount is marked, and what is at or below it is shown
    #[arg(value_name = "MOUNT", default_value = "/")]
    place: PathBuf,
    /// Send the lines to syslog (daemon, info) instead of standard output
    #[arg(long)]
    syslog: bool,
    /// Form of the lines
    #[arg(long, value_enum, default_value = "fapolicyd")]
    format: LineFormat,
    /// Watch the whole file system: also through bind mounts and in other mount namespaces
    #[arg(long)]
    filesystem: bool,
    /// Show the thread as well as the process
    #[arg(long)]
    tid: bool,
    /// Show only this process and its descendants
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..), conflicts_with = "command")]
    pid: Option<i32>,
    /// Show only programs whose path matches, such as '*/bash'
    #[arg(long, value_name = "GLOB")]
    exe: Option<String>,
    /// Show only files whose path matches, such as '/etc/*'
    #[arg(long, value_name = "GLOB")]
    path: Option<String>,
    /// End after so many lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true)]
    count: Option<u64>,
    /// End after this time, such as 10s, 500ms or 2m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Run this command, show its processes alone and end with its status
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Watches, and ends with the command's status.
pub fn main(args: Args) -> Result<ExitCode> {
    let options = Options {
        filter: Filter::new(args.pid, args.exe.as_deref(), args.path.as_deref())?,
        place: args.place,
        scope: if args.filesystem {
            Scope::Filesystem
        } else {
            Scope::Mount
        },
        ids: if args.tid { Ids::Thread } else { Ids::Process },
        target: if args.syslog {
            Destination::Syslog
        } else {
            Destination::Stdout
        },
        format: args.format,
        count: args.count,
        time: args.time,
        command: args.command,
    };
    Ok(ExitCode::from(run(options)?))
}

/// Reads a time; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong(text))?;
    let milliseconds = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong(text)),
    };
    let time = number.checked_mul(milliseconds).filter(|time| *time > 0);
    time.map(Duration::from_millis).ok_or_else(|| wrong(text))
}

fn wrong(text: &str) -> String {
    format!("\"{text}\" is not a duration, expected one such as 10s, 500ms or 2m")
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        let millis = |text: &str| duration(text).unwrap().as_millis();
        assert_eq!(
            ["10", "10s", "500ms", "2m"].map(millis),
            [10_000, 10_000, 500, 120_000]
        );
    }

    #[test]
    fn what_is_no_time_is_named() {
        for text in ["", "s", "-1s", "1d", "0s"] {
            assert!(duration(text).unwrap_err().contains(text));
        }
    }
}
