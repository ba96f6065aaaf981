//! What an interpreter is told when a script is executed by descriptor.
//!
//! `AT_EXECFN` and the argument are `/dev/fd/5`, which is a name only while the descriptor is open and `/dev` is as usual.
//!
//! Finding: comm differs between kernels. Without [c:comm-by-descriptor] (backported to 6.1.129 and 6.12.14, not to 5.10) it is
//! `5`. With it, the kernel takes comm from the file that is executed in the end: the interpreter's name, not the script's. So
//! where the kernel's own handler of scripts takes a script by descriptor, comm says nothing of the script on any kernel (by its
//! own path: `identity/script`). Where a transparent entry of binfmt_misc (7.3) takes it, comm is the script's.
//!
//! See execveat(2).

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a script by descriptor: /dev/fd/5 as AT_EXECFN and as argument",
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
