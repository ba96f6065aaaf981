//! A program started by clone(2) with `CLONE_UNTRACED`, without `CLONE_PTRACE`: whoever traces the parent is not given the child.
//!
//! The flag takes no privilege (`policy/untraced_child` is a user's), and `kernel_clone` (kernel/fork.c) then leaves the tracer's options out (with `CLONE_PTRACE`
//! besides, `ptrace_init_task` gives the child to the tracer all the same). Where nobody traces
//! it changes nothing: the trail is that of a forked child.
//!
//! The child inherits the filters of its parent. Where their answer to an exec is `SECCOMP_RET_TRACE` and the child has
//! no tracer, the exec fails with ENOSYS (`__seccomp_filter` in kernel/seccomp.c: "ENOSYS these calls if there is no tracer
//! attached"): the program is not seen, because it is not started. (It can be started, and the tracer of the filter hears nothing,
//! where another process traces the child with `PTRACE_O_TRACESECCOMP`, or where the child adds a filter that answers first and
//! lets it go on: `policy/untraced_child`.)
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
