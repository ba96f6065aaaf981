//! EMFILE: the process's limit of descriptors is reached.
//!
//! execve needs no descriptor: it opens files without a number for them (`do_open_execat`). So a process with all its descriptors
//! in use starts programs and scripts, with an ELF interpreter too. A binfmt_misc entry with the flag `O`, which `C` implies (and
//! `T`, 7.3), needs a descriptor, but only after the point of no return (`begin_new_exec`, `have_execfd`): the process dies of
//! SIGSEGV.
//!
//! The other place of EMFILE is about another limit, fs.nr_open, which can be lowered behind a process's back. The kernel copies
//! a shared table of descriptors (`CLONE_FILES`), and `dup_fd` (fs/file.c) refuses a table in which descriptors from fs.nr_open
//! on, rounded down to a multiple of 64, are in use (`alloc_fdtable`). That too comes after the point of no return
//! (`unshare_files` in `begin_new_exec`): SIGSEGV. Before [c:unshare-files-late], which 5.10 has since 5.10.220, it came earlier
//! (`bprm_execve`), and was EMFILE.
//!
//! Since then execve itself returns EMFILE to nobody. A file system may: execve hands on the errno of its open. (The server of a
//! file system in user space chooses it.)
//!
//! See execve(2), EMFILE, which says the same as the specification.

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System, needs, share_descriptors};

pub const SCENARIO: Scenario = Scenario {
    summary: "EMFILE: all descriptors are in use",
    needs: &[needs::OWN_SETTINGS, needs::EXEC_COUNTER, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

/// Leaves no descriptor free.
fn use_up() -> anyhow::Result<()> {
    // Below the lab's own descriptors, which are closed on exec.
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64)?;
    loop {
        match nix::unistd::dup(std::io::stdin()) {
            Ok(fd) => std::mem::forget(fd),
            Err(Errno::EMFILE) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Makes the table too large to be copied.
fn lower() -> anyhow::Result<()> {
    Ok(std::fs::write("/proc/sys/fs/nr_open", "64")?)
}

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().build();
    system.file("ld", &program, 0o755)?;
    let dynamic = Elf::new().interpreter("/tmp/ld").build();
    let exec = Exec::path(system.file("dynamic", &dynamic, 0o755)?)?;
    let script = Exec::path(system.script("script", "#!/tmp/dynamic\n")?)?;
    system.format("exetrail", "M::EXETRAIL::/tmp/ld:O")?;
    let format = Exec::path(system.file("format", b"EXETRAIL\n", 0o755)?)?;
    // Put back by the runner: the child changes it.
    let open = std::fs::read_to_string("/proc/sys/fs/nr_open")?;
    system.sysctl("fs/nr_open", open.trim())?;

    let mut claim = ErrnoClaim::new(system, "error/EMFILE", Errno::EMFILE);
    claim.starts("descriptors left", &exec)?;
    claim.starts("descriptors left, binfmt_misc O", &format)?;
    claim.stated(
        "all in use, with an ELF interpreter",
        &exec.clone().before(use_up),
    )?;
    claim.stated("all in use, a script", &script.before(use_up))?;
    let none = exec
        .clone()
        .before(|| Ok(setrlimit(Resource::RLIMIT_NOFILE, 0, 0)?));
    claim.stated("limit of none", &none)?;
    claim.other("all in use, binfmt_misc O", &format.before(use_up))?;
    let shared = exec.clone().before(|| Ok(share_descriptors()?));
    claim.starts("shared table", &shared)?;
    // With such a limit the launcher itself lacks descriptors: this comes last, and the limit is put back at once.
    claim.starts("table larger than fs.nr_open", &exec.before(lower))?;
    claim.system().sysctl("fs/nr_open", open.trim())?;
    let what = "shared table larger than fs.nr_open";
    claim.other(what, &shared.before(lower))?;
    claim.verdict()
}
