//! A set-user-ID program of root, started by another user.
//!
//! To an observer of opens it is a program like any other: the new ids are worked out right before
//! the point of no return (`bprm_creds_from_file`) and taken after it, when exe and comm have changed
//! (`commit_creds`; both in `begin_new_exec`), and neither shows in an event. The loader runs in
//! secure mode and ignores `LD_PRELOAD` with a slash in it, so that the library that is named is
//! never opened.
//!
//! See [c:execve-set-user-id]; [c:ld-so-secure].

use std::os::unix::fs::PermissionsExt as _;

use nix::unistd::{Uid, setuid};

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "set-user-ID program started by another user",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.copy("/usr/bin/true", "suid")?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755))?;
    let exec = Exec::path(program)?.env("LD_PRELOAD", "/lib/x86_64-linux-gnu/libaudit.so.1")?;
    system.observe(&exec.before(|| Ok(setuid(Uid::from_raw(65534))?)))?;
    Ok(())
}
