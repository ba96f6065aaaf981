//! An execve(2) whose program is held, so that its parent can look at what the start left.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2, read, write};

use super::Args;
use crate::sys::{self, ForkResult};

/// Forks a child that makes the call, and looks when the new program runs or the call has failed.
///
/// The program is one that writes what it reads to its end, as cat(1) does: a byte that comes back says that it runs, and it ends
/// when the look is over. A child whose call failed does the same. `before` runs in the child, `look` in the parent, which tells it who the child is.
///
/// # Errors
///
/// The child cannot be forked or prepared, or `look` failed.
pub fn held<T>(
    args: &Args<'_>,
    before: impl Fn() -> Result<()>,
    look: impl Fn(Pid) -> Result<T>,
) -> Result<T> {
    held_by(|| args.execve(), before, look)
}

/// As [`held`], with another call, or none.
///
/// # Errors
///
/// As for [`held`].
pub fn held_by<T>(
    call: impl FnOnce() -> nix::Result<()>,
    before: impl FnOnce() -> Result<()>,
    look: impl FnOnce(Pid) -> Result<T>,
) -> Result<T> {
    let (input, end) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let (answer, output) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    write(&end, b"?").context("failed to ask")?;
    let child = match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            drop((answer, end));
            sys::exit_now(child(call, before, &input, &output))
        }
        ForkResult::Parent { child } => child,
    };
    drop((input, output));
    let answered = read(&answer, &mut [0]).context("failed to hear of the start")?;
    let looked = (answered == 1).then(|| look(child));
    drop(end);
    waitpid(child, None).context("failed to wait")?;
    looked.context("the child could not be prepared")?
}

/// The child's side; returns its exit status.
fn child(
    call: impl FnOnce() -> nix::Result<()>,
    before: impl FnOnce() -> Result<()>,
    input: &OwnedFd,
    output: &OwnedFd,
) -> i32 {
    let lent = sys::lend_fd(input.as_fd(), 0).and_then(|()| sys::lend_fd(output.as_fd(), 1));
    if lent.is_err() || before().is_err() {
        return 97;
    }
    let failed = call().err().map_or(0, |errno| errno as i32);
    let mut asked = [0];
    while read(input, &mut asked) == Ok(1) && write(output, &asked) == Ok(1) {}
    failed
}
