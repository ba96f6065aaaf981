//! Where a scenario acts: it makes files, changes the system and starts programs through this.
//!
//! It lives in the launcher, a process of its own. What outlives the scenario (a system setting)
//! is changed by the runner, which puts it back whatever happens to the launcher.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Exec, launch};
use crate::trail::{Call, Exit, How};
use crate::wire::Link;

/// What the launcher asks of the runner.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Watch from now on.
    Arm,
    /// The tree of this start is reaped: end the watch.
    Disarm {
        /// The starts.
        calls: Vec<Call>,
        /// The ends.
        exits: Vec<Exit>,
    },
    /// Write a sysctl, and put it back after the scenario.
    Sysctl {
        /// Path below `/proc/sys`.
        name: String,
        /// New value.
        value: String,
    },
    /// The scenario has ended.
    Done(Result<(), String>),
}

/// What the runner answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Ok,
    /// It cannot be done.
    Failed(String),
}

/// The runner answers or kills; this only keeps a launcher from outliving a runner that does not.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a scenario works with.
#[derive(Debug)]
pub struct Stage {
    link: Link,
}

impl Stage {
    /// The launcher makes one; scenarios are given it.
    #[must_use]
    pub fn new(link: Link) -> Stage {
        Stage { link }
    }

    /// Makes an executable file with this text in `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn script(&mut self, name: &str, text: &str) -> Result<PathBuf> {
        let path = Path::new("/tmp").join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    /// Writes a setting below `/proc/sys`; the runner puts the old one back.
    ///
    /// # Errors
    ///
    /// There is no such setting, or the kernel refuses the value.
    pub fn sysctl(&mut self, name: &str, value: &str) -> Result<()> {
        self.ask(&Request::Sysctl {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Starts a program under observation and returns how it ended.
    ///
    /// The watch begins before the child is forked and ends when every process of its tree is
    /// reaped and every other process that was seen has ended.
    ///
    /// # Errors
    ///
    /// The observers or the child's preparation failed; a program that fails is no error.
    pub fn observe(&mut self, exec: &Exec) -> Result<How> {
        self.ask(&Request::Arm)?;
        let launch::Launched { call, exits } = launch::launch(exec)?;
        let own = exits.iter().find(|exit| exit.pid == call.pid);
        let how = own
            .map(|exit| exit.how.clone())
            .context("the child ended unseen")?;
        self.ask(&Request::Disarm {
            calls: vec![call],
            exits,
        })?;
        Ok(how)
    }

    pub(crate) fn done(&mut self, result: Result<()>) -> Result<()> {
        self.ask(&Request::Done(result.map_err(|error| format!("{error:#}"))))
    }

    fn ask(&mut self, request: &Request) -> Result<()> {
        self.link
            .send(request)
            .context("failed to reach the runner")?;
        match self
            .link
            .receive(Instant::now() + PATIENCE)
            .context("the runner does not answer")?
        {
            Reply::Ok => Ok(()),
            Reply::Failed(reason) => bail!("{reason}"),
        }
    }
}
