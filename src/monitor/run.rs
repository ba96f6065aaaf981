//! A watch from its beginning to its end: both processes, and the order in which everything comes into place.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::unistd::Pid;

use super::command::Gated;
use super::control::{Control, End};
use super::guard::{self, Side, say_unwatched};
use super::output::tell;
use super::place::Place;
use super::threads::Threads;
use super::{Options, Scope, UNWATCHED, cgroup, signals};

/// Watches until signals, time, count or the command end it; the status to end with.
///
/// It returns twice: in the guard, which this process becomes, and in the monitor, its child.
///
/// # Errors
///
/// What cannot be watched, and why.
pub fn run(options: Options) -> Result<u8> {
    let (place, found) = Place::find(&options.place)?;
    proc_is_ours()?;
    signals::block()?;
    let ward = match guard::split()? {
        Side::Guard(guard) => {
            drop(found);
            return guard.keep(options.target);
        }
        Side::Monitor(ward) => ward,
    };
    let command = match options.command.is_empty() {
        true => None,
        // While this process has one thread and no group.
        false => Some(Gated::fork(&options.command)?),
    };
    if command.is_some() {
        // What the command leaves behind becomes ours, and so stays in its tree.
        nix::sys::prctl::set_child_subreaper(true).context("failed to become the subreaper")?;
    }
    // Who stops a job stops its process group: the guard and the command, but not this process.
    nix::unistd::setpgid(Pid::this(), Pid::this()).context("failed to leave the process group")?;
    // Where it cannot be left, the guard says so for both.
    let _ = cgroup::leave_freezer();
    ward.wait()?;
    let mut threads = Threads::start(&options, (&place, found), command.as_ref(), &ward)?;
    tell(&header(&options, &place));
    let mut control = Control::new(ward, command, place)?;
    control.open()?;
    let deadline = options.time.map(|time| Instant::now() + time);
    let mut end = control.follow(&threads, deadline)?;
    let (summary, trouble) = threads.end()?;
    control.tell_refusals(&threads);
    if let Some(reason) = trouble {
        end = End::Unwatched(reason);
    }
    if let Some(summary) = summary {
        tell(&summary.to_string());
    }
    if let End::Unwatched(reason) = end {
        say_unwatched(&reason, options.target);
        // The command goes on; the guard, who is to wait for it, may be gone.
        return Ok(UNWATCHED);
    }
    control.finish()
}

/// Whether the ids of processes that events carry, which are of our namespace, mean the same in `/proc`.
fn proc_is_ours() -> Result<()> {
    let own = std::fs::read_link("/proc/self").context("failed to read /proc/self")?;
    if own.as_os_str() != std::process::id().to_string().as_str() {
        bail!(
            "/proc is of another namespace of process ids, and would name other processes: mount one of this \
             namespace over it (unshare --mount-proc)"
        );
    }
    Ok(())
}

fn header(options: &Options, place: &Place) -> String {
    let what = match (options.scope, &place.mount, place.part()) {
        (Scope::Filesystem, ..) => {
            format!("the whole file system of {}", options.place.display())
        }
        (Scope::Mount, Some(mount), Some(part)) => format!(
            "the mount of {}, lines only for {}",
            mount.display(),
            part.display()
        ),
        (Scope::Mount, Some(mount), None) => format!("the mount of {}", mount.display()),
        // Where it begins cannot be told.
        (Scope::Mount, None, _) => format!("all of the mount that has {}", options.place.display()),
    };
    format!("watching {what}: open, execute; Ctrl-C ends")
}
