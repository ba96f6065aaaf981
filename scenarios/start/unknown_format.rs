//! A file of a format that the kernel does not know.
//!
//! Every kernel answers ENOEXEC after it has opened the file.
//!
//! Finding: an older kernel asks modprobe for a module `binfmt-0403` (from bytes 2 and 3 of the file)
//! before it gives up, when the first four bytes are not all printable
//! (`search_binary_handler` in fs/exec.c): any user has the kernel start a program as root, with a file
//! of a few bytes. Commit [c:no-binfmt-modprobe] ended it.
//!
//! See execve(2), ENOEXEC.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "file of a format that the kernel does not know",
    needs: &[needs::MODULES, needs::KERNEL_HELPERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.sysctl("kernel/modprobe", "/usr/bin/true")?;
    let file = system.file("unknown", &[1, 2, 3, 4, 5], 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
