//! Faults that tests have a guest commit, kept out of the code that judges kernels: the runner says
//! where it is, and whoever listens may do harm there.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::channel;
use crate::observer::stages::{GROUP, TRACING};
use crate::sys;
use crate::trail::LabKind;
use crate::wire::{Fault, Link};

/// Where the runner is.
#[derive(Clone, Copy, Debug)]
pub enum Moment<'a> {
    /// A scenario is about to begin.
    Scenario(LabKind, &'a Link),
    /// This is the launcher, and has done nothing.
    Launcher,
    /// The observers are about to be armed.
    Arming,
    /// They are, and this process holds the others.
    Armed(i32),
}

/// Somebody who is told where the runner is.
pub trait Listener {
    /// The runner is there.
    ///
    /// # Errors
    ///
    /// The scenario is broken, for this reason.
    fn at(&self, moment: Moment<'_>) -> Result<()>;
}

/// Does nothing: every guest but those of tests.
#[derive(Debug)]
pub struct Nobody;

impl Listener for Nobody {
    fn at(&self, _: Moment<'_>) -> Result<()> {
        Ok(())
    }
}

impl Listener for Fault {
    fn at(&self, moment: Moment<'_>) -> Result<()> {
        match (self, moment) {
            (Fault::Panic, Moment::Scenario(LabKind::Native, _)) => {
                bail!("the running kernel is not ours to panic")
            }
            (Fault::Panic, Moment::Scenario(LabKind::Vm, _)) => {
                fs::write("/proc/sysrq-trigger", "c").context("failed to panic")?;
                bail!("the kernel did not panic")
            }
            (Fault::Hang, Moment::Scenario(..)) | (Fault::Stuck, Moment::Launcher) => loop {
                nix::unistd::pause();
            },
            (Fault::Cut, Moment::Scenario(lab, link)) => {
                nix::unistd::write(link, b"{\"message\":\"fini").context("failed to cut")?;
                channel::drain(link);
                channel::end(lab);
                sys::exit_now(1)
            }
            (Fault::Traced, Moment::Arming) => {
                trace("set_ftrace_filter", "begin_new_exec\n")?;
                trace("current_tracer", "function")
            }
            (Fault::Lost, Moment::Armed(_)) => {
                let own = |name: &str| format!("instances/{GROUP}/{name}");
                trace(&own("buffer_size_kb"), "1")?;
                (0..1000).try_for_each(|_| trace(&own("trace_marker"), "flood"))
            }
            (Fault::Wedge, Moment::Armed(holder)) => {
                kill(Pid::from_raw(holder), Signal::SIGSTOP).context("failed to stop the monitor")
            }
            _ => Ok(()),
        }
    }
}

fn trace(name: &str, text: &str) -> Result<()> {
    fs::write(Path::new(TRACING).join(name), text)
        .with_context(|| format!("failed to write {name}"))
}
