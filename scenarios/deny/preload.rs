//! A listener denies each file of a program with a preloaded library, and keeps denying it (see `deny/files`). Each event of
//! the start is the first at which its file is denied, in turn; the first case denies nothing.
//!
//! The loader skips a preloaded library that it may not open. It starts the program without that library where nothing else
//! that it loads needs it, as here. Where the listener denies a library that the preloaded one needs, the program ends with
//! 127, as it does for libc.
//!
//! See [c:ld-preload].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each file of a program with a preloaded library",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each_file(&Exec::path("/usr/bin/true")?.env("LD_PRELOAD", "libaudit.so.1")?)?;
    Ok(())
}
