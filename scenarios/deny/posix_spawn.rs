//! A listener denies (`FAN_DENY`) each event of a program that posix_spawn(3) starts, in turn, one case per event. The first
//! case denies nothing.
//!
//! The child whose exec is denied shares its parent's memory. In glibc it passes the errno to its parent through that memory,
//! and posix_spawn itself fails with EPERM. posix_spawn has reaped the child, so the caller has no exit status to wait for
//! (127, by glibc's source). The last case says what the caller gets when it waits.
//!
//! See [c:posix-spawn-return].

use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::scenario::{Exec, Scenario, System};
use crate::subject::say;
use crate::sys::Spawn;
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a program that posix_spawn starts",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::spawned("posix_spawn", "/usr/bin/true", Spawn::PosixSpawn)?;
    system.refuse_each(&exec)?;
    let exec = Exec::by("posix_spawn and wait", "/usr/bin/true", |args| {
        let failed = args.spawn(Spawn::PosixSpawn);
        let told = match waitpid(None::<Pid>, None) {
            Ok(_) => "a child".to_owned(),
            Err(errno) => format!("{errno:?}"),
        };
        say("wait", told).map_err(|_| Errno::EPIPE)?;
        failed
    })?;
    system.refuse(&exec, Act::Deny, 1, "execute of the program")?;
    Ok(())
}
