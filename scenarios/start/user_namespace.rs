//! A program started in a user namespace of its own, without any id mapping.
//!
//! The events are those of the same program outside of one. The process sees itself as the overflow user. To files it
//! is the user that it was (`acl_permission_check` in fs/namei.c compares kernel ids), and the owner's bits still
//! count. Root has lost the way around those bits: it gets EACCES for another user's file of mode 0700 (the facts).
//!
//! See user_namespaces(7).

use nix::sched::{CloneFlags, unshare};
use nix::unistd::chown;

use crate::scenario::{Elf, Exec, Scenario, System, USER, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started in a user namespace",
    needs: &[needs::USER_NAMESPACES],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let own = |exec: Exec| exec.before(|| Ok(unshare(CloneFlags::CLONE_NEWUSER)?));
    let theirs = system.file("theirs", &Elf::new().build(), 0o700)?;
    chown(&theirs, Some(USER.into()), Some(USER.into()))?;
    let exec = Exec::path(theirs)?;
    let how = system.attempt(&exec)?;
    system.fact("another user's file of mode 0700, by root", how)?;
    let how = system.attempt(&own(exec))?;
    system.fact("the same, in a user namespace", how)?;
    system.observe(&own(Exec::path("/usr/bin/true")?))?;
    Ok(())
}
