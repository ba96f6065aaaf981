//! What an interpreter is told when a script is executed by descriptor.
//!
//! `AT_EXECFN` and the argument are `/dev/fd/5`, which is a name only while the descriptor is open
//! and `/dev` is as usual.
//!
//! Finding: comm. `5` where [c:comm-by-descriptor] (backported to 6.1.129 and 6.12.14, not to 5.10) is
//! missing. With it, comm is taken from the file that is executed in the end: the interpreter's name,
//! not the script's, unless a transparent entry of binfmt_misc (7.3) takes the script: then it is the script's. So where the
//! kernel's own handler of scripts takes it, the comm of a script by descriptor says nothing of it on any kernel
//! (by its own path: `identity/script`).
//!
//! See execveat(2).

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told of a script by descriptor",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    let script = system.script("script", &format!("#!{}\n", program.display()))?;
    let exec = Exec::at(
        "execveat",
        "fd 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    system.observe(&exec.role(Role::Report)?.opened(5, script, OFlag::O_RDONLY))?;
    Ok(())
}
