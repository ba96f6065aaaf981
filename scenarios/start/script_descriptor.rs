//! A script executed by descriptor.
//!
//! The kernel gives the interpreter `/dev/fd/5` as the name of the script, which works because the descriptor is still
//! open. The interpreter opens the script by that name; the event shows the script's own path. See
//! `start/script_cloexec_descriptor` for one that is closed on exec.
//!
//! Finding: comm is `5`, the descriptor, on kernels without [c:comm-by-descriptor] (backported to 6.1.129 and 6.12.14,
//! not to 5.10). On others it is the name of the interpreter's file, `bash`, and not the script's, which a script by
//! path gives its process (`start/shebang`).
//!
//! See [c:execveat-bugs].

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script executed by descriptor",
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
    system.observe(&exec.opened(5, script, OFlag::O_RDONLY))?;
    Ok(())
}
