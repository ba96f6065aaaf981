//! An execve(2) whose program is held, so that its parent can look at what the start left.

use std::fs::File;
use std::io::Read as _;

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::sys::wait::waitpid;
use nix::unistd::{pipe2, read, write};

use super::Args;
use crate::sys::{self, ForkResult};

/// Forks a child that makes the call, and looks when it has become a program or its call has failed.
///
/// The child's input is a pipe, which ends when the look is over: the program is one that reads it
/// to its end, as cat(1) does, and a child whose call failed does the same. `before` runs in the
/// child, `look` in the parent.
///
/// # Errors
///
/// The child cannot be forked or prepared, or `look` failed.
pub fn held<T>(
    args: &Args<'_>,
    before: impl Fn() -> Result<()>,
    look: impl Fn() -> Result<T>,
) -> Result<T> {
    let (input, end) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    // Closed by the start, so that the parent hears of it.
    let (heard, tell) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let child = match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            drop((heard, end));
            let lent = sys::lend_fd(std::os::fd::AsFd::as_fd(&input), 0);
            if lent.is_err() || before().is_err() {
                let _ = write(&tell, b"!");
                sys::exit_now(97);
            }
            let failed = args.execve().err().map_or(98, |errno| errno as i32);
            drop(tell);
            let _ = read(&input, &mut [0]);
            sys::exit_now(failed)
        }
        ForkResult::Parent { child } => child,
    };
    drop((input, tell));
    let mut said = Vec::new();
    File::from(heard)
        .read_to_end(&mut said)
        .context("failed to hear of the start")?;
    let looked = look();
    drop(end);
    waitpid(child, None).context("failed to wait")?;
    anyhow::ensure!(said.is_empty(), "the child could not be prepared");
    looked
}
