//! An exec asks a listener of reads as well, and does not always report its refusal as one.
//!
//! The kernel reads what it executes like anybody else (`kernel_read`, and `rw_verify_area` below it; fs/read_write.c). So
//! `FAN_ACCESS_PERM` comes after the two events of each open, in the name of the caller:
//!
//! - the first 256 bytes of what is executed, and of each interpreter of a chain of scripts (`prepare_binprm` in fs/exec.c);
//! - of an ELF program, its program headers (`load_elf_phdrs` in fs/binfmt_elf.c) and the name of its ELF interpreter;
//! - the head of that interpreter and its program headers.
//!
//! After the point of no return the kernel maps these files, and does not ask a listener of reads about that (it asks one of
//! `FAN_PRE_ACCESS`: `policy/pre_access`).
//!
//! Finding: a refusal is not always reported as one. A policy on reads that needs it to be does best to refuse at the first
//! read of a file. `load_elf_phdrs` gives NULL whatever the errno was:
//! - Where the listener denies the program headers of a program, the exec fails with ENOEXEC. glibc's execvp(3) then takes
//!   the program for a script and has /bin/sh run it as one. (Here env(1) makes that call, and `/bin/sh` is bash, which looks
//!   at the first bytes and refuses, 126.)
//! - busybox's shell does not look: it runs the ELF file as a script, line by line (here as far as an `exit`, after a command
//!   that it has not found, 127).
//! - Where the listener denies the program headers of the program's ELF interpreter, the errno is ELIBBAD.
//!
//! Finding: from 6.17 on such a listener, of whatever class, lets a file run that somebody writes to. A file about whose
//! reads a listener is asked (`FMODE_FSNOTIFY_ACCESS_PERM`) counts as one that a listener fills in (`FMODE_FSNOTIFY_HSM`,
//! include/linux/fs.h of 7.2 and 7.3), and for those `exe_file_deny_write_access` waives ETXTBSY (`policy/pre_access`).
//!
//! See fanotify_mark(2), `FAN_ACCESS_PERM`; execve(2), ENOEXEC and ELIBBAD; exec(3).

use std::ffi::CString;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{Elf, Listener, Refuses, Scenario, System, hear, hear_program};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "an exec asks a listener of reads, and may tell its refusal otherwise",
    run,
    ..Scenario::DEFAULT
};

/// `FAN_ACCESS_PERM` (include/uapi/linux/fanotify.h).
const ACCESS: u64 = 0x2_0000;
/// `FAN_OPEN_PERM`.
const OPEN: u64 = 0x1_0000;

fn run(system: &mut System) -> Result<()> {
    let place = system.directory("watched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    let linked = Elf::new().interpreter("/tmp/watched/loader").build();
    let mut program = Elf::new().build();
    // Bytes of the header that nobody looks at. A shell that runs the file as a script stops here.
    program[9..16].copy_from_slice(b"\nexit #");
    system.file("watched/static", &program, 0o755)?;
    system.file("watched/loader", &Elf::new().build(), 0o755)?;
    system.file("watched/linked", &linked, 0o755)?;
    system.file("watched/script", b"#!/tmp/watched/static\n", 0o755)?;
    for name in ["static", "linked", "script"] {
        let asked = start(&place, name, ACCESS, Refuses::Nothing)?;
        system.fact(name, &asked)?;
        let events = asked.split("; ").next().unwrap_or_default();
        for (nth, event) in events.split(", ").enumerate() {
            if event == "access" {
                let refused = start(&place, name, ACCESS, Refuses::After(nth))?;
                system.fact(&format!("{name}, event {} refused", nth + 1), refused)?;
            }
        }
    }
    system.will_make("/usr/bin/sh")?;
    std::os::unix::fs::symlink("bash", "/usr/bin/sh")?;
    // ENOEXEC is what each of these is told.
    let callers: [(&str, &[&str]); 3] = [
        ("execvp", &["/usr/bin/env", "/tmp/watched/static"]),
        ("bash", &["/usr/bin/bash", "-c", "/tmp/watched/static"]),
        (
            "busybox sh",
            &["/usr/bin/busybox", "sh", "-c", "/tmp/watched/static"],
        ),
    ];
    for (caller, arguments) in callers {
        for (what, refuses) in [
            ("nothing", Refuses::Nothing),
            ("event 4", Refuses::After(3)),
        ] {
            let heard = start_by(&place, arguments, refuses)?;
            system.fact(&format!("static by {caller}, {what} refused"), heard)?;
        }
    }
    let _writer = File::options().append(true).open(place.join("static"))?;
    let heard = start(&place, "static", OPEN, Refuses::Nothing)?;
    system.fact("a writer and a listener of opens", heard)?;
    let heard = start(&place, "static", ACCESS, Refuses::Nothing)?;
    system.fact("a writer and a listener of reads", heard)?;
    Ok(())
}

/// What the listener is asked when a program of this name is started, and how that ends.
fn start(place: &Path, name: &str, more: u64, refuses: Refuses) -> Result<String> {
    let path = CString::new(format!("/tmp/watched/{name}"))?;
    hear(&mut [listener(place, more, refuses)?], || {
        Invocation::new(&[c"true".to_owned()], &[]).execve(&path)
    })
}

/// A listener of opens there, and of what else is asked for.
fn listener(place: &Path, more: u64, refuses: Refuses) -> Result<Listener> {
    let group = Group::new(Ids::Process, Class::Content)?;
    group.watch_filesystem(place)?;
    group.watch_filesystem_for(place, more)?;
    Ok(Listener {
        name: "",
        group,
        refuses,
    })
}

/// As [`start`], by another program, which executes it in its own place.
fn start_by(place: &Path, arguments: &[&str], refuses: Refuses) -> Result<String> {
    let arguments = arguments.iter().map(|&word| CString::new(word));
    let arguments: Vec<_> = arguments.collect::<Result<_, _>>()?;
    let program = arguments.first().context("a program has a name")?;
    hear_program(&mut [listener(place, ACCESS, refuses)?], || {
        Invocation::new(&arguments, &[]).execve(program)
    })
}
