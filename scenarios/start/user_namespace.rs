//! A program started in a user namespace of its own, without any mapping.
//!
//! The events are those of every program. The user is the overflow one, so that the mode of the
//! file decides by "others"; a file of mode 0700 would fail with EACCES.
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
