//! A core dump that goes to a socket: no helper is started and no file is opened.
//!
//! The kernel connects to the socket that `core_pattern` names, in the name of the dying process,
//! and sends the dump there (`coredump_sock_connect` in fs/coredump.c). A policy that watched the
//! start of core dump helpers sees nothing at all. Nobody listens here, so that the dump is given
//! up.
//!
//! See Documentation/admin-guide/sysctl/kernel.rst, "core_pattern"; commit a9194f88782a ("coredump:
//! add coredump socket"), 6.16.

use crate::guest::PROGRAM;
use crate::scenario::{Exec, Role, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "core dump to a socket",
    needs: &[needs::COREDUMP, needs::COREDUMP_SOCKET],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.sysctl("kernel/core_pattern", "@/tmp/core.socket")?;
    stage.observe(&Exec::path(PROGRAM)?.role(Role::Crash)?)?;
    Ok(())
}
