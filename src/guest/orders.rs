//! The way to a plan: it stands in the image, or comes over the record channel.
//!
//! A guest whose plan comes can be saved while it waits for it, and be restored many times.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

use super::HOME;
use super::observers::Observers;
use crate::sys;
use crate::wire::{GuestPlan, Link, Message, Order};

/// The host gives its order at once or ends the machine; a saved one sleeps, and its clock with it.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The plan that stands in the image; none where it is to come.
pub fn in_image() -> Result<Option<GuestPlan>> {
    match fs::read(Path::new(HOME).join("plan.json")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("failed to read the plan"),
        Ok(text) => serde_json::from_slice(&text).context("failed to read the plan"),
    }
}

/// Follows orders until one of them is a plan.
pub fn await_plan(link: &mut Link, observers: &mut Observers) -> Result<GuestPlan> {
    loop {
        let up = clock_gettime(ClockId::CLOCK_BOOTTIME).context("failed to read the clock")?;
        let up_ms = u64::try_from(Duration::from(up).as_millis()).unwrap_or(u64::MAX);
        link.send(&Message::Ready { up_ms })
            .context("failed to report")?;
        let order = link.receive(Instant::now() + PATIENCE);
        match order.context("failed to hear an order")? {
            Order::Prepare(names) => observers.prepare(&names),
            Order::Run { plan, now, seed } => {
                clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from_duration(now))
                    .context("failed to set the clock")?;
                sys::reseed(&seed).context("failed to reseed the kernel")?;
                return Ok(plan);
            }
        }
    }
}
