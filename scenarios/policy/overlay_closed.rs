//! A descriptor of an overlay's file that was copied up after it was opened, closed by the exec.
//!
//! Closing it opens a file: `ovl_flush` flushes the file of the layer that is the present one. Where the descriptor still has the
//! file of the layer before, the present one is opened first, by the thread that closes (`fs/overlayfs/file.c`; 5.10 has no such flush).
//! So, from 6.12 on, an exec asks a listener of the layers once more between its ELF interpreter and its libraries, past the point of no
//! return.
//!
//! Finding: who is asked, and under which name, depends on where the kernel closes what is close-on-exec. 6.1 does not ask. 6.12, 7.2 and
//! 7.3 close before `exec_mmap` ([c:close-on-exec-early]) and ask under the old exe; 6.16 to 7.0 close behind it and ask under the new exe
//! and the old comm. On 7.1 the listener hangs, and with it the exec: there the kernel closes behind `exec_mmap`, with
//! `exec_update_lock` held for writing, and the exe link of the one who waits cannot be read without that lock
//! (`call_proc_get_link` in fs/proc/base.c). The same happens to any listener that looks at `/proc/PID/exe` before it answers.
//!
//! See `do_close_on_exec` in `begin_new_exec`, fs/exec.c.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::scenario::{Closed, Exec, Hang, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "close-on-exec descriptor of an overlay's file that was copied up",
    needs: &[needs::OVERLAY, needs::KNOWN_RELEASE],
    deadline: std::time::Duration::from_secs(5),
    hang: Hang::Observed,
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.overlay()?;
    let exec = Exec::path("/usr/bin/true")?.older("/tmp/merged/bin/true", Closed::ByExec);
    let exec = exec.before(|| {
        let open = |flags| open("/tmp/merged/bin/true", flags, Mode::empty());
        std::mem::forget(open(OFlag::O_RDONLY | OFlag::O_CLOEXEC)?);
        // Opened for writing and closed: that is enough for a copy.
        drop(open(OFlag::O_WRONLY)?);
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}
