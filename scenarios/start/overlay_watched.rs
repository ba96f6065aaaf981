//! A program on an overlay, with the overlay watched and its layers as well.
//!
//! Both file systems have a mark. The overlay's own events are those of any program; the layer's
//! file is opened behind them, by the same process, which waits for us already: should a kernel ask
//! for it as well, a listener that answers in order hangs here, and the deadline says so. exe is
//! the path on the overlay.
//!
//! See `start/overlay_lower`.

use std::path::Path;

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program on an overlay, both the overlay and its layers watched",
    needs: &[needs::OVERLAY],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    for (name, folder) in [
        ("lower", "bin"),
        ("upper", ""),
        ("work", ""),
        ("merged", ""),
    ] {
        stage.folder(&format!("{name}/{folder}"))?;
    }
    stage.copy("/usr/bin/true", "lower/bin/true")?;
    let layers = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work";
    stage.mount("overlay", "overlay", Path::new("/tmp/merged"), layers)?;
    stage.watch_also("/tmp/merged");
    stage.observe(&Exec::path("/tmp/merged/bin/true")?)?;
    Ok(())
}
