//! While a permission event holds one thread, its sibling executes another program.
//!
//! The thread `opener` opens a file and is held. The leader then executes `/usr/bin/true`. At the point of no return the kernel
//! kills every other thread (`de_thread` in fs/exec.c). The wait for an answer is killable (`fanotify_get_response`), so the held
//! thread ends without one. The event is still there: the monitor answers it when the new program opens its first file. The
//! answer gives no error, though the thread is gone.
//!
//! An observer that looks at the process at that moment reads `/usr/bin/true` as the exe of an open that `/exetrail/launcher`
//! made. One that looks at the thread that `FAN_REPORT_TID` names finds none, and knows. None of this needs a privilege; here a
//! user does it. A program that is to be judged by its exe can arrange it.
//!
//! See [c:execve-threads], and fanotify_init(2).

use crate::scenario::{Exec, Scenario, System, beside, its_turn, open};

pub const SCENARIO: Scenario = Scenario {
    summary: "a thread's sibling executes a program while the thread is held",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("held", b"", 0o644)?;
    let exec = Exec::by("execve beside a held thread", "/usr/bin/true", |args| {
        let leader = || {
            its_turn()?;
            args.execve()
        };
        beside("opener", || open("/tmp/held"), leader)
    })?;
    // The program and its loader, twice each; then the new program's first open.
    system.answered_late(&exec.as_user(), 1, 6)?;
    Ok(())
}
