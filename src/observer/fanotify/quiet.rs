//! A listener does not dump core.

use anyhow::{Context as _, Result};
use nix::libc;

use crate::sys;

/// Makes this process one that never dumps core (prctl(2), `PR_SET_DUMPABLE`).
///
/// While a process dumps core it does not die, and so its group does not close: everybody waits. Where
/// `core_pattern` is a pipe to a program that is watched they wait for ever, and SIGKILL does not help:
/// the kernel waits for a helper whose own exec waits for the group (fs/coredump.c, which ends early for
/// such a process). To be called before the first mark.
///
/// # Errors
///
/// What prctl says.
pub fn never_dump() -> Result<()> {
    sys::prctl(libc::PR_SET_DUMPABLE, 0)
        .map(drop)
        .context("failed to become a process that does not dump core")
}
