//! A program whose file is mounted over another one.
//!
//! The path leads to the mounted file, and events and exe show that path: nothing tells that what
//! lies there is another program. A mark on a mount would not see the second mount; the one on the
//! file system does.
//!
//! See mount(2), `MS_BIND`; fanotify_mark(2), `FAN_MARK_FILESYSTEM`.

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "program on a file that is mounted over another",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let place = stage.file("harmless", b"nothing", 0o755)?;
    stage.bind("/usr/bin/true", &place)?;
    stage.observe(&Exec::path(place)?)?;
    Ok(())
}
