//! A program on an overlay. Both the overlay and its layers are watched.
//!
//! Both file systems have a mark. The overlay's own events are those of any program. Underneath, the same process opens
//! the layer's file. exe is the path on the overlay. The stages have `program-runs` twice where both files have a probe: the
//! kernel sets both on the layer's inode (`d_real_inode` in kernel/trace/trace_uprobe.c).
//!
//! Finding: up to 6.4 there is no event of the layer at all (`start/overlay_lower`). From 6.5 on the kernel asks for the
//! layer's file as well. In 6.16 to 7.2 (by the changelog also in 7.3 up to 7.3.3) the listener hangs. To hand the event
//! out, the kernel opens the file for the listener, without asking (`create_fd` with `dentry_open_nonotify`). But the
//! overlay's open of the layer's file underneath does ask, and the only thread that could answer is the one that waits.
//! The flag "do not ask" was a bit of `f_flags`, which the overlay passes on; since [c:nonotify-in-mode] it is in
//! `f_mode` and not passed on. 7.3.4 is fixed: `backing_file_open` passes the flag on, and its comment tells of this very
//! hang ([c:nested-event]). The hang is the result here; killing the listener ends it, and the exec fails with EPERM.
//!
//! See `fanotify_read`, `copy_event_to_user` in fs/notify/fanotify/fanotify_user.c;
//! `ovl_open_realfile`.

use crate::scenario::{Exec, Hang, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program on an overlay, both the overlay and its layers watched",
    needs: &[needs::OVERLAY],
    deadline: std::time::Duration::from_secs(5),
    hang: Hang::Observed,
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.overlay()?;
    system.watch_also("/tmp/merged");
    system.observe(&Exec::path("/tmp/merged/bin/true")?)?;
    Ok(())
}
