//! A program on an overlay, from its lower layer; only the file system of the layers is watched.
//!
//! The overlay opens the file of the layer by itself. exe is the path on the overlay.
//!
//! Finding: up to 6.4 the overlay opened the layer's inode under the path on the overlay (`open_with_fake_path`) and with
//! `FMODE_NONOTIFY`. No event of the layer told of the program: a listener that watched only the layers of containers saw
//! no exec through the overlay. Commit [c:overlay-layers] ended it. Since then the layer's file has both events. Their
//! path begins at the private mount that the overlay holds of the layer: `/bin/true` for `/tmp/lower/bin/true`, which
//! here leads to another file on the host.
//!
//! See Documentation/filesystems/overlayfs.rst; `start/overlay_watched` for the same with the
//! overlay watched.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program on an overlay, from its lower layer, only the layers watched",
    needs: &[needs::OVERLAY],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.overlay()?;
    system.observe(&Exec::path("/tmp/merged/bin/true")?)?;
    Ok(())
}
