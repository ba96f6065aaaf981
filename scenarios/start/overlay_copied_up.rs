//! A program on an overlay is copied to the upper layer before it is started. Both the overlay and its layers are
//! watched.
//!
//! When a process opens the file for writing, the overlay copies it, with opens of its own on both layers
//! (fs/overlayfs/copy_up.c), in the name of that process. The new file has no name yet and lies in the work directory,
//! outside the mount that the overlay holds of the upper layer, so that it shows as `/ (deleted)`. The exec then uses
//! the upper file under the same path.
//!
//! Finding: the order of the two opens of the copy changed between 5.10 (old file first) and 6.1 (new file first).
//! `ovl_copy_up_data` used to open both. Since `ovl_do_tmpfile` uses `vfs_tmpfile_open` (`kernel_tmpfile_open` now),
//! the new file is open from the moment that it is made. From 6.5 on the layer's events come in addition. In 6.16 to
//! 7.2 the listener hangs at the open for writing (see `start/overlay_watched`), and nothing is executed: the errno at
//! the end is that open's, which is refused when the listener is killed.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::scenario::{Exec, Hang, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program that an overlay copies up before it is executed",
    needs: &[needs::OVERLAY],
    deadline: std::time::Duration::from_secs(5),
    hang: Hang::Observed,
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.overlay()?;
    system.watch_also("/tmp/merged");
    let exec = Exec::by("open for writing, execve", "/tmp/merged/bin/true", |args| {
        // Opened for writing and closed: that is enough for a copy.
        drop(open(args.path(), OFlag::O_WRONLY, Mode::empty())?);
        args.execve()
    })?
    .itself();
    system.observe(&exec)?;
    Ok(())
}
