//! A descriptor of an overlay's file that was copied up after it was opened, kept by the program to its end.
//!
//! As in `policy/overlay_closed` closing it opens the copy (`ovl_flush`, which 5.10 does not have), and here it is the end of the program
//! that closes it.
//!
//! Finding: the listener is asked when the process has no exe link any more, since `do_exit` gives up the memory (`exit_mm`) before
//! the descriptors (`exit_files`). The end of the process waits for the answer; its comm is still there. 5.10 and 6.1 do not ask.
//!
//! See `do_exit` in kernel/exit.c.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::scenario::{Closed, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "descriptor of an overlay's file that was copied up, closed by the exit",
    needs: &[needs::OVERLAY, needs::KNOWN_RELEASE],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.overlay()?;
    let exec = Exec::path("/usr/bin/true")?.older("/tmp/merged/bin/true", Closed::ByExit);
    let exec = exec.before(|| {
        let open = |flags| open("/tmp/merged/bin/true", flags, Mode::empty());
        std::mem::forget(open(OFlag::O_RDONLY)?);
        // Opened for writing and closed: that is enough for a copy.
        drop(open(OFlag::O_WRONLY)?);
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}
