//! A program with file capabilities, started by a user without any.
//!
//! As for a set-user-ID program no path, exe or comm tells it from another one: the capabilities
//! come from an extended attribute that the kernel reads by itself (`get_file_caps` in
//! security/commoncap.c). The loader runs in secure mode because `AT_SECURE` is set.
//!
//! See [c:capabilities-of-files].

use nix::unistd::{Uid, setuid};

use crate::scenario::{Exec, Scenario, System, give_net_raw, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program with file capabilities started by another user",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.copy("/usr/bin/true", "capable")?;
    give_net_raw(&program)?;
    let exec = Exec::path(program)?.env("LD_PRELOAD", "/lib/x86_64-linux-gnu/libaudit.so.1")?;
    system.observe(&exec.before(|| Ok(setuid(Uid::from_raw(65534))?)))?;
    Ok(())
}
