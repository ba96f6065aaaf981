//! A core dump that goes to a socket: no helper is started and no file is opened.
//!
//! The kernel connects to the socket that `core_pattern` names, and sends the dump there (`coredump_sock_connect` in
//! fs/coredump.c, [c:coredump-socket]). It walks to the socket with its own rights and from init's root; the peer that the
//! server is told of is the dying process. A policy that watches the start of core dump helpers sees nothing at all. Nobody listens here, so that
//! the dump is given up.
//!
//! An older kernel takes the pattern for the name of a file in a directory `@/tmp`, and does not even look for
//! it, as the limit of a core file (`RLIMIT_CORE`) is 0 here: no step either, and no dump. So this trail
//! is the same on all, for two reasons; it is here because a step that appeared in it would be news.
//!
//! See Documentation/admin-guide/sysctl/kernel.rst, `core_pattern`.

use crate::scenario::{Exec, Role, Scenario, System, needs};
use crate::wire::LAUNCHER;

pub const SCENARIO: Scenario = Scenario {
    summary: "core dump to a socket",
    needs: &[needs::OWN_SETTINGS, needs::COREDUMP],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.sysctl("kernel/core_pattern", "@/tmp/core.socket")?;
    system.observe(&Exec::path(LAUNCHER)?.role(Role::Crash)?)?;
    Ok(())
}
