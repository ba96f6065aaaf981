//! A program is executed through a mount that is on no path, as runc from 1.0.0-rc7 to 1.1.14 protected its own binary
//! where it could mount.
//!
//! The process binds the file to a place of its own, makes it read-only and opens it there with `O_PATH`; then it
//! detaches the mount and removes the place. The descriptor leads to a mount that is in no namespace and whose root is
//! the file itself. There is nothing to make a path of: events and exe show `/`. Everything that the program opens from
//! then on, its libraries included, is opened by `exe=/`.
//!
//! A policy by these paths can neither recognise this program nor tell it from another one that is started so. The
//! event's descriptor leads to the file, and so does `/proc/PID/exe` when it is opened.
//!
//! Finding: comm is the file's name on kernels that take it from the file, and the descriptor's number on the others,
//! as in `start/fexecve`.
//!
//! See `try_bindfd` in runc's libcontainer/nsenter/cloned_binary.c (removed in 1.1.15 and 1.2.0); `prepend_path` in
//! fs/d_path.c; umount2(2), `MNT_DETACH`.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

use crate::scenario::{Exec, Scenario, System};
use crate::sys::place_fd;

pub const SCENARIO: Scenario = Scenario {
    summary: "program on its own detached mount, as older runc could start itself",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let place = system.file("place", b"", 0o600)?;
    let call = "execveat";
    let exec = Exec::at(
        call,
        "detached file 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    let exec = exec.before(move || {
        let none = None::<&Path>;
        let bind = MsFlags::MS_BIND;
        mount(Some("/usr/bin/true"), &place, none, bind, none)?;
        let flags = MsFlags::MS_REMOUNT | bind | MsFlags::MS_RDONLY;
        mount(none, &place, none, flags, none)?;
        let file = open(&place, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        umount2(&place, MntFlags::MNT_DETACH)?;
        fs::remove_file(&place)?;
        place_fd(file.as_fd(), 5)?;
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}
