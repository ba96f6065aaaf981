//! execveat of a symlink with `AT_SYMLINK_NOFOLLOW`.
//!
//! `may_open` (fs/namei.c) refuses the link with ELOOP before any file is opened: no observer of opened files hears of
//! the attempt.
//!
//! See execveat(2), `AT_SYMLINK_NOFOLLOW`.

use nix::libc;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "execveat of a symlink with AT_SYMLINK_NOFOLLOW: ELOOP",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.link("/usr/bin/true", "link")?;
    let exec = Exec::at(
        "execveat",
        "/tmp/link",
        libc::AT_FDCWD,
        c"/tmp/link",
        libc::AT_SYMLINK_NOFOLLOW,
    )?;
    system.observe(&exec)?;
    Ok(())
}
