//! EIO: an I/O error while reading.
//!
//! The file is on a disk that ends before the file's first block. The block layer refuses to read it (`bio_check_eod` in
//! block/blk-core.c), and `prepare_binprm` (fs/exec.c) hands the errno on. Both events come before that: the kernel asks a
//! listener about a file that cannot be read.
//!
//! The same errno comes without any I/O error: `elf_read` (fs/binfmt_elf.c) says EIO when it gets less than it asked for. It does
//! so for:
//!
//! - An ELF interpreter shorter than its header. The specification says ELIBBAD.
//! - An interpreter's name that lies after the end of the program. The specification says ENOEXEC. At an offset of 2^63 or more
//!   it is EINVAL (`rw_verify_area`).
//!
//! For program headers `load_elf_phdrs` loses the errno, that of a bad disk as well: ENOEXEC, or ELIBBAD for those of an ELF
//! interpreter.
//!
//! See execve(2), EIO.

use std::path::Path;

use nix::errno::Errno;

use crate::scenario::{DISK, Elf, ErrnoClaim, Exec, Flaw, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "EIO: the file cannot be read",
    needs: &[needs::OWN_SETTINGS, needs::DISK],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let disk = system.disk()?;
    system.watch_also(DISK);
    let program = Elf::new().build();
    let good = system.file("disk/good", &program, 0o755)?;
    let bad = system.file("disk/bad", &program, 0o755)?;
    let dynamic = Elf::new().interpreter("/tmp/disk/bad").build();
    system.file("dynamic", &dynamic, 0o755)?;
    system.script("script", "#!/tmp/disk/bad\n")?;
    system.file("short", &Elf::new().flaw(Flaw::Short).build(), 0o755)?;
    let short = Elf::new().interpreter("/tmp/short").build();
    system.file("with-short", &short, 0o755)?;
    let outside = Elf::new()
        .interpreter("/tmp/disk/good")
        .flaw(Flaw::InterpreterOutside);
    system.file("outside", &outside.build(), 0o755)?;
    let after = [
        ("file", bad.as_path()),
        ("interpreter of a script", Path::new("/tmp/script")),
        ("ELF interpreter", Path::new("/tmp/dynamic")),
    ];
    let mut claim = ErrnoClaim::new(system, "error/EIO", Errno::EIO);
    for (what, path) in after {
        let what = format!("{what} that the disk still has");
        claim.starts(&what, &Exec::path(path)?)?;
    }
    disk.end_before(&bad)?;
    claim.starts("file on the disk", &Exec::path(&good)?)?;
    for (what, path) in after {
        let what = format!("{what} after the disk's end");
        claim.stated(&what, &Exec::path(path)?)?;
    }
    claim.other(
        "ELF interpreter of 32 bytes",
        &Exec::path("/tmp/with-short")?,
    )?;
    claim.other(
        "interpreter's name after the end",
        &Exec::path("/tmp/outside")?,
    )?;
    claim.verdict()
}
