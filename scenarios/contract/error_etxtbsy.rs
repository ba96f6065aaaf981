//! ETXTBSY: a process has the file open for writing.
//!
//! `do_open_execat` denies writing to the file that it has opened (`exe_file_deny_write_access`, on 5.10 `deny_write_access`),
//! and fails where the file has a writer. Both permission events come before that. The same holds for interpreters. Linux 6.11 to
//! 6.11.10, 6.12 and 6.12.1 did not deny writing ([c:writers-allowed], taken back by [c:writers-denied]); no kernel of the table
//! is one of those.
//!
//! Two kinds of files are among the exceptions:
//! - A file in memory. memfd_create(2) opens it for writing without counting a writer (`alloc_file_pseudo` in
//!   `__shmem_file_setup` takes no `i_writecount`). Its maker can thus write to it, execute it, and go on writing to the running
//!   program.
//! - A file with a listener for its reads (`FAN_PRE_ACCESS`, from 6.17 on `FAN_ACCESS_PERM` as well; `policy/reads`). In 6.12,
//!   from 6.12.105 on, each file on a file system where a listener of class PRE_CONTENT marks anything is an exception
//!   (`policy/pre_access`).
//!
//! See execve(2), ETXTBSY.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "ETXTBSY: the file is open for writing",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().build();
    let file = system.file("program", &program, 0o755)?;
    let exec = Exec::path(&file)?;
    let script = Exec::path(system.script("script", "#!/tmp/program\n")?)?;
    let dynamic = Elf::new().interpreter("/tmp/program").build();
    let dynamic = Exec::path(system.file("dynamic", &dynamic, 0o755)?)?;
    let (write, read) = (OFlag::O_WRONLY | OFlag::O_CLOEXEC, OFlag::O_RDONLY);

    let mut claim = ErrnoClaim::new(system, "error/ETXTBSY", Errno::ETXTBSY);
    claim.starts("open for reading", &exec.clone().opened(5, &file, read))?;
    claim.stated(
        "open for writing by the caller",
        &exec.clone().opened(5, &file, write),
    )?;
    let writer = File::options().write(true).read(true).open(&file)?;
    claim.stated("open for writing by another process", &exec)?;
    claim.other("interpreter of a script open for writing", &script)?;
    claim.other("ELF interpreter open for writing", &dynamic)?;
    let mapping = sys::Mapping::shared(writer.as_fd())?;
    drop(writer);
    claim.stated("mapped for writing, its descriptor closed", &exec)?;
    drop(mapping);
    claim.starts("no longer open for writing", &exec)?;
    let memory = Exec::at(
        "execveat",
        "memfd 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    let memory = memory.before(move || {
        let memory = memfd_create(c"program", MFdFlags::MFD_CLOEXEC)?;
        File::from(memory.try_clone()?).write_all(&program)?;
        Ok(sys::place_fd(memory.as_fd(), 5)?)
    });
    claim.stated("memfd open for writing by the caller", &memory)?;
    claim.verdict()
}
