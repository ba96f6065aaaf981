//! A sibling leads a symlink elsewhere between the entry of an exec and the moment when the kernel follows it.
//!
//! Nothing that is read at the entry is false here: the caller names `/tmp/as-told`, and so does every observer that reads there.
//! But an observer that then resolves the name finds `/usr/bin/ls`, and one that resolves it afterwards can be shown any other
//! file. What was passed is a name; the opened file alone says what it led to.
//!
//! See symlink(7), userfaultfd(2).

use std::fs;
use std::os::unix::fs::symlink;

use nix::errno::Errno;

use crate::scenario::{Args, Exec, Scenario, System, needs, while_copied};

pub const SCENARIO: Scenario = Scenario {
    summary: "a sibling leads a symlink elsewhere while the kernel copies the path",
    needs: &[needs::USERFAULTFD],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.link("/usr/bin/ls", "as-told")?;
    system.observe(&Exec::by(
        "execve beside a writer",
        "/tmp/as-told",
        lead_elsewhere,
    )?)?;
    Ok(())
}

fn lead_elsewhere(args: &Args<'_>) -> nix::Result<()> {
    let act = |_: &crate::sys::FaultPages| {
        let led = symlink("/usr/bin/true", "/tmp/next");
        let led = led.and_then(|()| fs::rename("/tmp/next", "/tmp/as-told"));
        led.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    };
    while_copied(args, args.path(), act, |_| ())
}
