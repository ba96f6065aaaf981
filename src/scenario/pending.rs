//! Waiting for a signal that is blocked.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::sys;

/// Waits until a signal that is blocked is pending. It does not sleep: some timers count the time that the caller runs.
///
/// # Errors
///
/// It is not, after 5 s.
pub fn until_pending(signal: i32) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(5);
    while !sys::is_pending(signal)? {
        ensure!(Instant::now() < end, "signal {signal} has not come");
    }
    Ok(())
}
