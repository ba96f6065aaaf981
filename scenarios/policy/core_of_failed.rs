//! Whether an exec that fails past the point of no return leaves a core dump, and of which image.
//!
//! None of what is tried here, on any kernel. The process dies of SIGSEGV, whose action is a dump, and its limit allows one;
//! but a dump is written by the format's own handler (`mm->binfmt`, asked for in `do_coredump`, `vfs_coredump` later), and the
//! new memory map has no format until `load_elf_binary` has mapped everything (`set_binfmt` in fs/binfmt_elf.c). The old image
//! is gone, the new one is not there yet. So a start that dies in this way leaves neither an errno nor a dump, and the wait
//! status has no core flag; a program that the kernel has started and that faults by itself leaves one, of itself.
//!
//! Before `exec_mmap` the old map and its format are still there. What fails so, a table of descriptors that is too large
//! (`contract/error_emfile`), leaves an empty file and no core flag: the dump copies that table as well (`unshare_files`) and is
//! refused as the exec was.
//!
//! See core(5), and [c:execve-kills].

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use goblin::elf::Elf as Core;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};

use crate::scenario::{Elf, Flaw, Scenario, System, fork_start, needs};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "an exec that fails past the point of no return dumps no core",
    needs: &[needs::OWN_SETTINGS, needs::COREDUMP],
    run,
    ..Scenario::DEFAULT
};

const CORE: &str = "/tmp/core";

fn run(system: &mut System) -> Result<()> {
    system.sysctl("kernel/core_pattern", CORE)?;
    system.file("far", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    system.file(
        "empty",
        &Elf::new().flaw(Flaw::NothingLoaded).build(),
        0o755,
    )?;
    system.file("good", &Elf::new().build(), 0o755)?;
    for (what, path, space) in [
        (
            "a segment outside of user space",
            c"/tmp/far",
            RLIM_INFINITY,
        ),
        ("no address space", c"/tmp/good", 0),
        (
            "nothing to load: a program that faults by itself",
            c"/tmp/empty",
            RLIM_INFINITY,
        ),
    ] {
        let child = fork_start(|| {
            setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)?;
            setrlimit(Resource::RLIMIT_AS, space, space)?;
            Invocation::new(&[], &[]).execve(path)
        })?;
        let end = match waitpid(child, None).context("failed to wait")? {
            WaitStatus::Signaled(_, signal, true) => format!("{signal}, with the core flag"),
            WaitStatus::Signaled(_, signal, false) => format!("{signal}, without the core flag"),
            other => format!("{other:?}"),
        };
        system.fact(what, format!("{end}; {}", dump()?))?;
    }
    Ok(())
}

/// What was dumped, by the name that the dump gives; it is removed.
fn dump() -> Result<String> {
    let path = Path::new(CORE);
    if !path.exists() {
        return Ok("no dump".to_owned());
    }
    let bytes = fs::read(path).context("failed to read the dump")?;
    fs::remove_file(path).context("failed to remove the dump")?;
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
