//! What a refusal does to a program that is started by posix_spawn(3).
//!
//! The child that is refused shares the memory of its parent, and in glibc tells it the errno by that
//! way: posix_spawn itself fails with EPERM. It has reaped the child, so that the caller has no
//! exit status to wait for (127, by glibc's source); the last case says what it is told when it waits.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
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
    summary: "each event of a program by posix_spawn refused",
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
