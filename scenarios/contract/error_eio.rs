//! EIO: an I/O error while reading.
//!
//! The memory that holds the file's first page is declared broken (madvise(2), `MADV_HWPOISON`):
//! reading a file of tmpfs that lies there fails with EIO (`shmem_file_read_iter`), and
//! `prepare_binprm` (fs/exec.c) hands that on. A kernel without CONFIG_MEMORY_FAILURE, as Debian's 5.10
//! and 6.1 are, needs a disk with a fault for that, and has no driver for one built in.
//!
//! The same errno comes without any I/O error: what `elf_read` (fs/binfmt_elf.c) gets less of than it
//! asked for is EIO. That is an ELF interpreter shorter than its header, and an interpreter's name
//! that lies behind the end of the program; by the specification the one is ELIBBAD, the other
//! ENOEXEC.
//!
//! See execve(2), EIO.

use std::fs::File;
use std::os::fd::AsFd as _;

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Flaw, Host, Need, Scenario, Stage, needs};
use crate::sys::Mapping;

pub const SCENARIO: Scenario = Scenario {
    summary: "EIO: the file cannot be read",
    needs: &[needs::OWN_SETTINGS, BROKEN_MEMORY],
    run,
    ..Scenario::DEFAULT
};

const BROKEN_MEMORY: Need = Need {
    what: "handling of broken memory (CONFIG_MEMORY_FAILURE)",
    host: Host::Config("CONFIG_MEMORY_FAILURE"),
    probe: |_| std::path::Path::new("/proc/sys/vm/memory_failure_recovery").exists(),
};

/// Breaks the memory that the first page of a file is in.
fn spoil(path: &std::path::Path) -> anyhow::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    Ok(Mapping::shared(file.as_fd())?.poison()?)
}

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let program = Elf::new().build();
    let good = stage.file("good", &program, 0o755)?;
    let bad = stage.file("bad", &program, 0o755)?;
    let dynamic = Elf::new().interpreter("/tmp/bad").build();
    stage.file("dynamic", &dynamic, 0o755)?;
    stage.script("script", "#!/tmp/bad\n")?;
    stage.file("short", &Elf::new().flaw(Flaw::Short).build(), 0o755)?;
    let short = Elf::new().interpreter("/tmp/short").build();
    stage.file("with-short", &short, 0o755)?;
    let outside = Elf::new()
        .interpreter("/tmp/good")
        .flaw(Flaw::InterpreterOutside);
    stage.file("outside", &outside.build(), 0o755)?;
    spoil(&bad)?;
    let mut claim = ErrnoClaim::new(stage, "error/EIO", Errno::EIO);
    claim.starts("memory in order", &Exec::path(&good)?)?;
    claim.stated("file in broken memory", &Exec::path(&bad)?)?;
    claim.stated(
        "interpreter of a script in broken memory",
        &Exec::path("/tmp/script")?,
    )?;
    claim.stated(
        "ELF interpreter in broken memory",
        &Exec::path("/tmp/dynamic")?,
    )?;
    claim.other(
        "ELF interpreter of 32 bytes",
        &Exec::path("/tmp/with-short")?,
    )?;
    claim.other(
        "interpreter's name behind the end",
        &Exec::path("/tmp/outside")?,
    )?;
    claim.verdict()
}
