//! The launcher: the process in which a scenario's code runs, and the ancestor of its programs.

use anyhow::{Context as _, Result, anyhow};

use super::Contents;
use crate::scenario::Stage;
use crate::wire::Link;

/// Runs a scenario and tells the runner how it went.
pub fn serve(link: Link, run: &dyn Fn(&mut Stage) -> Result<()>, contents: Contents) {
    let mut stage = Stage::new(link, contents);
    let result = play(&mut stage, run);
    // When the runner cannot be told it is gone, and so is everything that could be done.
    let _ = stage.done(result);
}

fn play(stage: &mut Stage, run: &dyn Fn(&mut Stage) -> Result<()>) -> Result<()> {
    // Children whose parent has died become ours, so that their end is seen.
    nix::sys::prctl::set_child_subreaper(true).context("failed to become the subreaper")?;
    let played = std::panic::AssertUnwindSafe(|| run(stage));
    std::panic::catch_unwind(played).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!(
            "the scenario panicked: {}",
            text.unwrap_or("no message")
        ))
    })
}
