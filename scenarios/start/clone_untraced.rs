//! A program started by clone(2) with `CLONE_UNTRACED`, without `CLONE_PTRACE`: a tracer of the parent does not get the
//! child.
//!
//! The flag takes no privilege (in `policy/untraced_child` an ordinary user passes it). `kernel_clone` (kernel/fork.c)
//! then leaves the tracer's options out. With `CLONE_PTRACE` besides, `ptrace_init_task` gives the child to the tracer
//! all the same. Where nobody traces, the flag changes nothing: the trail is that of a forked child.
//!
//! The child inherits the filters of its parent. Where their answer to an exec is `SECCOMP_RET_TRACE` and the child has
//! no tracer, the exec fails with ENOSYS (`__seccomp_filter` in kernel/seccomp.c: "ENOSYS these calls if there is no
//! tracer attached"). The program is not seen, because it is not started.
//!
//! It can be started, and the tracer of the filter hears nothing, in these cases (`policy/untraced_child`):
//!
//! - Another process traces the child with `PTRACE_O_TRACESECCOMP`.
//! - The child adds a filter that answers first and lets it go on.
//!
//! See clone(2), `CLONE_UNTRACED`; seccomp(2), `SECCOMP_RET_TRACE`.

use crate::scenario::{Exec, Scenario, System};
use crate::sys::Spawn;

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by clone with CLONE_UNTRACED",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("clone_untraced", "/usr/bin/true", |args| {
        args.spawn(Spawn::Untraced)
    })?;
    system.observe(&exec)?;
    Ok(())
}
