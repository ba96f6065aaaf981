//! A program on an overlay that is copied to the upper layer before it is started.
//!
//! Opening it for writing has the overlay copy the file, with opens of its own on both layers
//! (`ovl_copy_up_file` in fs/overlayfs/copy_up.c), in the name of the process that writes. The
//! start then uses the upper file under the same path. Both the overlay and its layers are watched.

use std::fs::OpenOptions;
use std::path::Path;

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program that is copied up while it is looked at",
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
    let exec = Exec::path("/tmp/merged/bin/true")?.before(|| {
        // Opened for writing and closed: that is enough for a copy.
        OpenOptions::new()
            .append(true)
            .open("/tmp/merged/bin/true")?;
        Ok(())
    });
    stage.observe(&exec)?;
    Ok(())
}
