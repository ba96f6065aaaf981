//! A program started in a user namespace of its own, without any mapping.
//!
//! The events are those of the same program outside of one. The process sees itself as the overflow user; to files it is
//! who it was (`acl_permission_check` in fs/namei.c compares kernel ids), and the owner's bits still
//! count. What root has lost is the way around them: of another user's file of mode 0700 it gets EACCES.
//!
//! See user_namespaces(7).

use nix::sched::{CloneFlags, unshare};

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started in a user namespace",
    needs: &[needs::USER_NAMESPACES],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?;
    system.observe(&exec.before(|| Ok(unshare(CloneFlags::CLONE_NEWUSER)?)))?;
    Ok(())
}
