//! The launcher: the process in which a scenario's code runs, and the ancestor of its programs.

use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, anyhow};

use super::Inspected;
use crate::scenario::System;
use crate::wire::Link;

/// Runs a scenario and tells the runner how it went.
pub fn serve(
    link: Link,
    run: &dyn Fn(&mut System) -> Result<()>,
    contents: Inspected,
    output: Option<OwnedFd>,
) {
    let mut system = System::new(link, contents, output);
    let result = play(&mut system, run);
    // When the runner cannot be told it is gone, and so is everything that could be done.
    let _ = system.done(result);
}

fn play(system: &mut System, run: &dyn Fn(&mut System) -> Result<()>) -> Result<()> {
    // Children whose parent has died become ours, so that their end is seen.
    nix::sys::prctl::set_child_subreaper(true).context("failed to become the subreaper")?;
    let played = std::panic::AssertUnwindSafe(|| run(system));
    std::panic::catch_unwind(played).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!(
            "the scenario panicked: {}",
            text.unwrap_or("no message")
        ))
    })
}
