//! A program started by clone(2) with `CLONE_UNTRACED`: whoever traces the parent does not get the child.
//!
//! The flag is any process's to set; a tracer cannot take it away but by looking at each clone
//! (`kernel_clone` in kernel/fork.c). Where nobody traces it changes nothing: the trail is that of a forked child.
//! A child that has its tracer's filter and no tracer gets ENOSYS from each exec (`__seccomp_filter` in
//! kernel/seccomp.c: "ENOSYS these calls if there is no tracer attached"): the program is not seen, because
//! it is not started. (Where another one traces it, with `PTRACE_O_TRACESECCOMP`, or a filter of its own has the call
//! told to itself, it starts, and the tracer of the filter hears nothing: `policy/untraced_child`.)
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
