//! A process dies of a signal and leaves its memory in a file.
//!
//! No program is started, but the process itself opens a file while it dies, under its own exe (`do_coredump`, called
//! `vfs_coredump` in newer kernels, in fs/coredump.c). The event looks like any open; a listener that answers it late
//! keeps a process half dead. The program that dies is ours and lies outside of what is watched.
//!
//! See core(5).

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::scenario::{Exec, Role, Scenario, System, needs};
use crate::wire::LAUNCHER;

pub const SCENARIO: Scenario = Scenario {
    summary: "core dump to a file",
    needs: &[needs::OWN_SETTINGS, needs::COREDUMP],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.sysctl("kernel/core_pattern", "/tmp/core")?;
    let exec = Exec::path(LAUNCHER)?.role(Role::Crash)?.before(|| {
        Ok(setrlimit(
            Resource::RLIMIT_CORE,
            RLIM_INFINITY,
            RLIM_INFINITY,
        )?)
    });
    system.observe(&exec)?;
    Ok(())
}
