//! A listener can change what an exec may do: a file that somebody writes to runs.
//!
//! A listener of `FAN_PRE_ACCESS` fills files in when they are read ([c:pre-access]), so that it has to
//! write to what is being executed. So `exe_file_deny_write_access` (include/linux/fs.h) lets writers
//! be where the file's open found such a listener ([c:hsm-writers]): ETXTBSY, which every other exec
//! gets, is waived for everybody's writers, and what runs can be written to.
//!
//! Finding: 6.12.y has the second commit since 6.12.105, without the event itself. There the class of
//! the listener decides (`file_set_fsnotify_mode` in fs/notify/fsnotify.c asks for watchers of the
//! priority of `FAN_CLASS_PRE_CONTENT`): one that is asked about opens alone waives ETXTBSY on the
//! whole file system.
//!
//! The event is asked for on file systems that say so alone (`FS_ALLOW_HSM`, ext4 among them). Who
//! relies on ETXTBSY, or takes it for a rule of the kernel, has to know who listens.
//!
//! See fanotify_mark(2), and execve(2), ETXTBSY.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{DISK, Elf, Listener, Scenario, System, hear, needs};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener has a file run that somebody writes to",
    needs: &[needs::DISK],
    run,
    ..Scenario::DEFAULT
};

/// `FAN_PRE_ACCESS` (include/uapi/linux/fanotify.h).
const PRE_ACCESS: u64 = 0x10_0000;

fn run(system: &mut System) -> Result<()> {
    let _disk = system.disk()?;
    system.file("disk/program", &Elf::new().build(), 0o755)?;
    let writer = File::options().append(true).open("/tmp/disk/program");
    let _writer = writer.context("failed to open the program for writing")?;
    system.fact("a writer and no listener", ended(&mut [])?)?;
    let mut listeners = [listener(Class::Content)?];
    let what = "a writer and a listener of opens, FAN_CLASS_CONTENT";
    system.fact(what, ended(&mut listeners)?)?;
    let mut listeners = [listener(Class::PreContent)?];
    let what = "a writer and a listener of opens, FAN_CLASS_PRE_CONTENT";
    system.fact(what, ended(&mut listeners)?)?;
    let group = &listeners[0].group;
    let known = group.watch_filesystem_for(Path::new(DISK), PRE_ACCESS);
    let how = known.map_or_else(|errno| format!("{errno:?}"), |()| "taken".to_owned());
    system.fact("a mark for FAN_PRE_ACCESS", how)?;
    if known != Err(Errno::EINVAL) {
        system.fact(
            "a writer and a listener of FAN_PRE_ACCESS",
            ended(&mut listeners)?,
        )?;
    }
    Ok(())
}

fn listener(class: Class) -> Result<Listener> {
    let group = Group::new(Ids::Process, class)?;
    group.watch_filesystem(Path::new(DISK))?;
    Ok(Listener {
        name: "",
        group,
        refuses: false,
    })
}

/// How a start of the program ends; what was asked depends on what is in memory.
fn ended(listeners: &mut [Listener]) -> Result<String> {
    let heard = hear(listeners, || {
        Invocation::new(&[], &[]).execve(c"/tmp/disk/program")
    })?;
    Ok(heard.rsplit("; ").next().unwrap_or_default().to_owned())
}
