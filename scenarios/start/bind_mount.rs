//! A program whose file is mounted over another file.
//!
//! The path leads to the mounted file. Events and exe show this path, which does not tell that another program lies
//! there; the inode of the event's descriptor does. A mark on the first mount would not see the second one; the mark on
//! the file system does.
//!
//! See mount(2), `MS_BIND`; fanotify_mark(2), `FAN_MARK_FILESYSTEM`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program whose file is bind-mounted over another",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let place = system.file("harmless", b"nothing", 0o755)?;
    system.bind("/usr/bin/true", &place)?;
    system.observe(&Exec::path(place)?)?;
    Ok(())
}
