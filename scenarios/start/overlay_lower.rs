//! A program on an overlay, from its lower layer; only the file system of the layers is watched.
//!
//! The overlay opens the file of the lower layer by itself, without asking anybody
//! (`ovl_open_realfile` in fs/overlayfs/file.c opens with `FMODE_NONOTIFY`): the program starts and
//! no event of the layer tells of it. Only its ELF interpreter, which is outside of the overlay, is
//! seen, opened by a process that will be something else. A watch on the layers of containers sees
//! none of their programs.
//!
//! See Documentation/filesystems/overlayfs.rst; `start/overlay_watched` for the same with the
//! overlay watched.

use std::path::Path;

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program on an overlay, from its lower layer, the layers watched",
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
    stage.observe(&Exec::path("/tmp/merged/bin/true")?)?;
    Ok(())
}
