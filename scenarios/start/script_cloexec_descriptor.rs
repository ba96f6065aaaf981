//! A script executed by a descriptor that is closed on exec.
//!
//! The interpreter could not open the script by the name that the kernel would give it, `/dev/fd/5`. `load_script`
//! (fs/binfmt_script.c) therefore returns ENOENT when it sees `BINPRM_FLAGS_PATH_INACCESSIBLE`. By then the kernel has
//! opened the script and asked the listener for it. It has done neither for the interpreter.
//!
//! See [c:execveat-enoent].

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script executed by a close-on-exec descriptor",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("by-fd.sh", "#!/usr/bin/bash\n:\n")?;
    let exec = Exec::at(
        "execveat",
        "fd 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    system.observe(&exec.opened(5, script, flags))?;
    Ok(())
}
