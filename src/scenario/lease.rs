//! A start that waits inside of its open, for the end of a lease.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal, kill};

use super::{fork_start, reap};
use crate::sys;

/// Has a child make a call that opens a file under a lease of ours, sends it this signal, or ends the lease where there is none,
/// when the lease is to be broken, and says what became of the call.
///
/// # Errors
///
/// There can be no lease, or no child.
pub fn at_lease(
    path: impl AsRef<Path>,
    signal: Option<Signal>,
    start: impl FnOnce() -> nix::Result<()>,
) -> Result<String> {
    let file = File::open(path).context("failed to open the program")?;
    let broken = SigSet::from(Signal::SIGIO);
    broken.thread_block().context("failed to block SIGIO")?;
    sys::lease(&file).context("failed to take a lease")?;
    let child = fork_start(start)?;
    broken.wait().context("failed to wait for SIGIO")?;
    match signal {
        Some(signal) => kill(child, signal).context("failed to send a signal")?,
        None => sys::end_lease(&file).context("failed to end a lease")?,
    }
    let end = reap(child)?;
    broken
        .thread_unblock()
        .context("failed to let SIGIO through")?;
    Ok(end)
}
