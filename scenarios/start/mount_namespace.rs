//! A program in a mount namespace of its own, at a path where others see another file.
//!
//! A private bind mount puts `true` over another file. The mark on the file system sees the exec, but the path is that
//! of the private mount: a monitor that opens this path itself gets the other file. The descriptor of the event leads
//! to the right one. So does, here, the path below `/proc/PID/root`, as long as the process is in that namespace.
//!
//! See mount_namespaces(7), fanotify(7), `fd`.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program at a path where the monitor sees another file",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("decoy", b"nothing", 0o755)?;
    let exec = Exec::path("/tmp/decoy")?.before(|| {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        Ok(mount(
            Some("/usr/bin/true"),
            "/tmp/decoy",
            none,
            MsFlags::MS_BIND,
            none,
        )?)
    });
    system.observe(&exec)?;
    Ok(())
}
