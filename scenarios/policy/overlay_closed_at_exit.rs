//! A program keeps to its end a descriptor of an overlay's file that was copied up after the descriptor was opened.
//!
//! As in `policy/overlay_closed`, closing the descriptor opens the copy (`ovl_flush`, which 5.10 does not have). Here the end
//! of the program closes it.
//!
//! Finding: the kernel asks the listener when the process has no exe link any more, because `do_exit` gives up the memory
//! (`exit_mm`) before the descriptors (`exit_files`). The comm is still there. The end of the process waits for the answer.
//! 5.10 and 6.1 do not ask.
//!
//! See `do_exit` in kernel/exit.c.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::scenario::{Closed, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "an exit closes a descriptor of an overlay's file that was copied up",
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
