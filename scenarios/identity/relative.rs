//! What a program is told when it is executed by a relative path.
//!
//! `AT_EXECFN` is relative as well, to the working directory of the exec, which a chdir(2) may leave. exe is whole.
//!
//! See getauxval(3), `AT_EXECFN`.

use nix::unistd::chdir;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "by a relative path: AT_EXECFN is relative, exe is whole",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("program")?;
    let exec = Exec::path("./program")?.role(Role::Report)?;
    system.observe(&exec.before(|| Ok(chdir("/tmp")?)))?;
    Ok(())
}
