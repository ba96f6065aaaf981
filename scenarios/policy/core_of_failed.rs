//! Whether an exec that fails past the point of no return leaves a core dump, and of which image.
//!
//! The process dies of SIGSEGV, whose action is a dump, and its limit allows one. But the format's own handler writes the
//! dump (`do_coredump`, later `vfs_coredump`, asks `mm->binfmt` for it), and the new memory map has no format until
//! `load_elf_binary` has mapped the program and its ELF interpreter (`set_binfmt` in fs/binfmt_elf.c). The old image is gone,
//! and the new one is not there yet. An exec that fails at that point returns no errno to its caller and leaves no dump, and
//! the wait status has no core flag. A program that the kernel has started and that faults by itself leaves a dump, of
//! itself.
//!
//! An exec that fails after `set_binfmt` can leave a dump, of a program of which no instruction was executed. Here the stack
//! cannot grow for the table of arguments (`create_elf_tables`). Three things tell this from a fault of the program itself:
//! - There is no exec event.
//! - The call ends with an errno (`sys_exit_execve`).
//! - The general registers in the dump are the caller's, but for rax, which has the errno (`start_thread` comes later; those of
//!   the FPU are reset by `flush_thread`).
//!
//! Before `exec_mmap` the old map and its format are still there. An exec with a shared table of descriptors that is too
//! large fails there (`contract/error_emfile`). Where dumps go to a file, it leaves an empty one and no core flag: the dump
//! copies that table as well (`unshare_files` in fs/coredump.c, when its file is open) and fails as the exec did.
//!
//! See core(5), and [c:execve-kills].

use std::ffi::{CStr, CString};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use goblin::elf::Elf as Core;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{pipe, read, write};

use crate::need::needs::EXECS;
use crate::scenario::{Elf, Flaw, Scenario, System, fork_start, needs, share_descriptors};
use crate::sys::{Invocation, Passes};

pub const SCENARIO: Scenario = Scenario {
    summary: "which exec that fails past the point of no return dumps core",
    needs: &[needs::OWN_SETTINGS, needs::COREDUMP, needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

const CORE: &str = "/tmp/core";
/// Enough arguments for a table of 400 KB.
const MANY: usize = 50_000;
/// Address space for a program with few arguments.
const ROOM: u64 = 300 << 10;
/// The largest table of descriptors.
const TABLE: &str = "/proc/sys/fs/nr_open";

fn run(system: &mut System) -> Result<()> {
    system.sysctl("kernel/core_pattern", CORE)?;
    system.file("far", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    system.file(
        "empty",
        &Elf::new().flaw(Flaw::NothingLoaded).build(),
        0o755,
    )?;
    system.file("good", &Elf::new().build(), 0o755)?;
    let unlimited = RLIM_INFINITY;
    for (what, path, arguments, space) in [
        ("a segment outside of user space", c"/tmp/far", 0, unlimited),
        ("no address space", c"/tmp/good", 0, 0),
        ("many arguments", c"/tmp/good", MANY, unlimited),
        ("no arguments, and little room", c"/tmp/good", 0, ROOM),
        (
            "no room for the table of many arguments",
            c"/tmp/good",
            MANY,
            ROOM,
        ),
        (
            "nothing to load: a program that faults by itself",
            c"/tmp/empty",
            0,
            unlimited,
        ),
    ] {
        let limit = || Ok(setrlimit(Resource::RLIMIT_AS, space, space)?);
        system.fact(what, end_of(path, arguments, limit)?)?;
    }
    // The child changes it; the runner puts it back.
    let open = fs::read_to_string(TABLE)?;
    system.sysctl("fs/nr_open", open.trim())?;
    for (what, largest) in [
        (
            "a shared table of descriptors, and a program that faults by itself",
            open.trim(),
        ),
        ("a shared table of descriptors that is too large", "64"),
    ] {
        let share = || {
            // A number above the limit has the table be larger.
            fcntl(std::io::stdin(), FcntlArg::F_DUPFD(200))?;
            share_descriptors()?;
            fs::write(TABLE, largest).context("failed to set how large a table may be")
        };
        system.fact(what, end_of(c"/tmp/empty", 0, share)?)?;
    }
    Ok(())
}

/// Executes this in a child with so many empty arguments, once it is `ready`: whether there was an exec event, how the
/// child ends and what it dumps.
fn end_of(path: &CStr, arguments: usize, ready: impl FnOnce() -> Result<()>) -> Result<String> {
    let id = fs::read_to_string(EXECS).with_context(|| format!("failed to read {EXECS}"))?;
    let id = id.trim().parse().context("failed to read a number")?;
    let arguments = vec![CString::default(); arguments];
    let (gate, opener) = pipe().context("failed to make a gate")?;
    let child = fork_start(|| {
        read(&gate, &mut [0])?;
        let invocation = Invocation::new(&arguments, &[]);
        setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)?;
        ready().map_err(|_| Errno::ECANCELED)?;
        invocation.execve(path)
    })?;
    let execs = Passes::filtered(id, &CString::new(format!("pid == {child}"))?)?;
    write(&opener, &[1]).context("failed to open the gate")?;
    let end = match waitpid(child, None).context("failed to wait")? {
        WaitStatus::Signaled(_, signal, true) => format!("{signal}, with the core flag"),
        WaitStatus::Signaled(_, signal, false) => format!("{signal}, without the core flag"),
        WaitStatus::Exited(_, status) => format!("exit {status}"),
        other => format!("{other:?}"),
    };
    let execs = execs.count()?;
    Ok(format!("exec events: {execs}; {end}; {}", dump()?))
}

/// What was dumped, by the name in the dump; removes the dump.
fn dump() -> Result<String> {
    let path = Path::new(CORE);
    if !path.exists() {
        return Ok("no dump".to_owned());
    }
    let bytes = fs::read(path).context("failed to read the dump")?;
    fs::remove_file(path).context("failed to remove the dump")?;
    if bytes.is_empty() {
        return Ok("an empty file".to_owned());
    }
    let core = Core::parse(&bytes).context("failed to parse the dump")?;
    let mut notes = core
        .iter_note_headers(&bytes)
        .context("the dump has no notes")?;
    let name = notes.find_map(|note| {
        let note = note
            .ok()
            .filter(|note| note.n_type == goblin::elf::note::NT_PRPSINFO)?;
        // `pr_fname` of `struct elf_prpsinfo` (include/linux/elfcore.h): 16 bytes before `pr_psargs`, the last 80.
        let end = note.desc.len().checked_sub(80)?;
        let name = note.desc.get(end - 16..end)?;
        let name = name.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    });
    Ok(format!(
        "a dump of {}",
        name.context("the dump has no name")?
    ))
}
