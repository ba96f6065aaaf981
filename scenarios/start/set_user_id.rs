//! A set-user-ID program of root, started by another user.
//!
//! The events of its opens are those of any other program. `begin_new_exec` computes the new ids right before the point
//! of no return (`bprm_creds_from_file`) and commits them after it, when exe and comm have changed (`commit_creds`).
//! Neither shows in an event.
//!
//! The loader runs in secure mode and ignores `LD_PRELOAD` with a slash in it: it never opens the library that is
//! named. Without the set-user-ID bit it does (the fact: what a listener of the library alone hears).
//!
//! See [c:execve-set-user-id]; [c:ld-so-secure].

use std::ffi::CString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Uid, setuid};

use crate::scenario::{Exec, Scenario, System, hear_of, prepared};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "set-user-ID program started by another user",
    run,
    ..Scenario::DEFAULT
};

const LIBRARY: &str = "/lib/x86_64-linux-gnu/libaudit.so.1";

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.copy("/usr/bin/true", "suid")?;
    let heard = hear_of(Path::new(LIBRARY), || {
        prepared(setuid(Uid::from_raw(65534)));
        let preload = CString::new(format!("LD_PRELOAD={LIBRARY}")).map_err(|_| Errno::EINVAL)?;
        Invocation::new(&[c"suid".to_owned()], &[preload]).execve(c"/tmp/suid")
    })?;
    system.fact("the library, without the bit", heard)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755))?;
    let exec = Exec::path(program)?.env("LD_PRELOAD", LIBRARY)?;
    system.observe(&exec.before(|| Ok(setuid(Uid::from_raw(65534))?)))?;
    Ok(())
}
