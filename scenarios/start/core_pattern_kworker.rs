//! A helper that the kernel starts by itself: the pipe of `core_pattern`.
//!
//! When a process dumps core, the kernel starts the program after the `|` (`do_coredump`, called `vfs_coredump` in
//! newer kernels, in fs/coredump.c; `call_usermodehelper_exec_work` in kernel/umh.c). A kernel worker forks the helper:
//! its parent is kthreadd, and until its own point of no return it has no exe link at all and the worker's comm. No
//! shell reads the pattern: `>` and the file name are arguments of cat, which finds neither.
//!
//! See [c:core-pipe].

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "core_pattern helper started by a kernel worker",
    needs: &[needs::COREDUMP, needs::KERNEL_HELPERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.sysctl("kernel/core_pattern", "|/usr/bin/cat > /tmp/core.%p")?;
    let bash = Exec::path("/usr/bin/bash")?
        .arg("-c")?
        .arg("kill -SEGV $$")?;
    system.observe(&bash)?;
    Ok(())
}
