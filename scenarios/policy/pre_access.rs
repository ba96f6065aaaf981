//! A listener can change what an exec may do: a file that somebody writes to runs.
//!
//! A listener of `FAN_PRE_ACCESS` can fill files in when they are read ([c:pre-access]), and may then have to write to what
//! is being executed. So `exe_file_deny_write_access` (include/linux/fs.h) tolerates writers where the open of the file
//! found such a listener ([c:hsm-writers]); from 6.17 on also one of `FAN_ACCESS_PERM` (`policy/reads`). The kernel then
//! waives, for everybody's writers, the ETXTBSY that an exec of a file with writers gets otherwise, and what runs can be
//! written to.
//!
//! Finding: 6.12.y has [c:hsm-writers] since 6.12.105, without the event itself. There the class of the listener decides
//! (`file_set_fsnotify_mode` in fs/notify/fsnotify.c asks for watchers of the priority of `FAN_CLASS_PRE_CONTENT`): a
//! listener of that class that is asked about opens alone waives ETXTBSY on the whole file system. (6.1.y has the commit
//! since 6.1.184, but there `FMODE_FSNOTIFY_HSM` is always 0: nothing changes.)
//!
//! The kernel asks the listener before each part of the program that an exec reads or maps (but not what IMA hashes,
//! `integrity_kernel_read`). It asks about the head of the file twice where the program headers lie there: once to find the
//! format, once for the headers.
//!
//! Finding: where a part is mapped, 6.16 reports its offset wrongly, the page number shifted right once more
//! ([c:mmap-offset]). The offset of the beginning is 0 all the same.
//!
//! A listener can ask for the event only on file systems that allow it (`SB_I_ALLOW_HSM`: ext4, xfs and btrfs). Whoever
//! relies on ETXTBSY, or takes it for a rule of the kernel, has to know who listens.
//!
//! See fanotify_mark(2), and execve(2), ETXTBSY.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use goblin::elf::Elf as Parsed;
use goblin::elf::program_header::PT_LOAD;
use nix::errno::Errno;

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{DISK, Elf, Listener, Refuses, Scenario, System, hear, needs};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener lets a file run that somebody writes to",
    needs: &[needs::DISK],
    run,
    ..Scenario::DEFAULT
};

/// `FAN_PRE_ACCESS` (include/uapi/linux/fanotify.h).
const PRE_ACCESS: u64 = 0x10_0000;
/// The kernel's own reads of a static program: its first bytes, its program headers.
const READS: usize = 2;
/// Programs are mapped by pages.
const PAGE: u64 = 4096;

fn run(system: &mut System) -> Result<()> {
    let _disk = system.disk()?;
    let program = Path::new("/tmp/disk/program");
    system.file("disk/program", &Elf::new().build(), 0o755)?;
    let writer = || File::options().append(true).open(program);
    {
        let _writer = writer().context("failed to open the program for writing")?;
        system.fact("a writer and no listener", ended(&start(&mut [], program)?))?;
        for class in [Class::Content, Class::PreContent] {
            let name = match class {
                Class::Content => "FAN_CLASS_CONTENT",
                Class::PreContent => "FAN_CLASS_PRE_CONTENT",
            };
            let mut listeners = [listener(class)?];
            let what = format!("a writer and a listener of opens, {name}");
            system.fact(&what, ended(&start(&mut listeners, program)?))?;
        }
    }
    let mut listeners = [listener(Class::PreContent)?];
    let group = &listeners[0].group;
    let known = group.watch_filesystem_for(Path::new(DISK), PRE_ACCESS);
    let how = known.map_or_else(|errno| format!("{errno:?}"), |()| "taken".to_owned());
    system.fact("a mark for FAN_PRE_ACCESS", how)?;
    if known == Err(Errno::EINVAL) {
        return Ok(());
    }
    let heard = start(&mut listeners, program)?;
    system.fact("what it is asked about a start", heard)?;
    // Nobody listens while we open these files: a listener would have to answer for our own opens as well.
    let busybox = Path::new("/tmp/disk/true");
    drop(listeners);
    let parts = parts(&std::fs::read("/usr/bin/busybox")?)?;
    system.file("disk/true", &std::fs::read("/usr/bin/busybox")?, 0o755)?;
    let _writer = writer().context("failed to open the program for writing")?;
    let mut listeners = [listener(Class::PreContent)?];
    let group = &listeners[0].group;
    group.watch_filesystem_for(Path::new(DISK), PRE_ACCESS)?;
    let heard = start(&mut listeners, program)?;
    system.fact("a writer and a listener of FAN_PRE_ACCESS", ended(&heard))?;
    let heard = start(&mut listeners, busybox)?;
    system.fact(
        "what it is asked where parts of a program are mapped",
        maps(&heard, &parts),
    )
}

/// How often the listener was asked after the kernel's own reads, and about how many of these parts by their offset.
fn maps(heard: &str, parts: &[u64]) -> String {
    let asked = heard
        .split(", ")
        .filter_map(|event| event.strip_prefix("pre-access "));
    let offsets = asked.filter_map(|part| part.split_once('+')?.0.parse().ok());
    let mapped: Vec<u64> = offsets.skip(READS).collect();
    let right = parts.iter().filter(|part| mapped.contains(part)).count();
    let all = parts.len();
    format!(
        "{} events, {right} of {all} parts by their offset",
        mapped.len()
    )
}

fn listener(class: Class) -> Result<Listener> {
    let group = Group::new(Ids::Process, class)?;
    group.watch_filesystem(Path::new(DISK))?;
    Ok(Listener {
        name: "",
        group,
        refuses: Refuses::Nothing,
    })
}

/// What the listeners are asked when a program of the disk is started, and how that ends.
fn start(listeners: &mut [Listener], program: &Path) -> Result<String> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(program.as_os_str().as_bytes())?;
    hear(listeners, || {
        Invocation::new(&[c"true".to_owned()], &[]).execve(&path)
    })
}

fn ended(heard: &str) -> &str {
    heard.rsplit("; ").next().unwrap_or_default()
}

/// Where the parts of the file begin that a program is mapped from, rounded down to pages.
fn parts(program: &[u8]) -> Result<Vec<u64>> {
    let program = Parsed::parse(program).context("busybox is no ELF program")?;
    let parts = program.program_headers.iter();
    let parts = parts.filter(|part| part.p_type == PT_LOAD && part.p_filesz != 0);
    Ok(parts.map(|part| part.p_offset / PAGE * PAGE).collect())
}
