//! A process asks for another file as its exe, by prctl(2) `PR_SET_MM_EXE_FILE`.
//!
//! While there is a mapping with the path of the old exe, as here, the kernel refuses with EBUSY a file that passes its
//! checks (`replace_mm_exe_file` in kernel/fork.c, on 5.10 `prctl_set_mm_exe_file` in kernel/sys.c). It opens nothing
//! and asks no listener (`file_permission` asks for the x bit, and security modules). The one step is our own open of
//! the file. That exe can be changed at all makes it a claim of the process and no proof.
//!
//! See PR_SET_MM_EXE_FILE(2const).

use nix::fcntl::OFlag;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::sys::set_exe_file;

pub const SCENARIO: Scenario = Scenario {
    summary: "PR_SET_MM_EXE_FILE refused while the program is mapped",
    needs: &[needs::SYS_RESOURCE],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("prctl PR_SET_MM_EXE_FILE", "/usr/bin/true", |args| {
        args.begin();
        set_exe_file(5)
    })?;
    system.observe(&exec.opened(5, "/usr/bin/true", OFlag::O_RDONLY | OFlag::O_CLOEXEC))?;
    Ok(())
}
