//! ENOTDIR: a component of the path's prefix is not a directory.
//!
//! `link_path_walk` (fs/namei.c) finds this before the file is opened. The errno is the same for:
//! - interpreters that the kernel opens by a path,
//! - a slash after the name of a file,
//! - execveat(2) relative to a descriptor that is not a directory.
//!
//! See execve(2), ENOTDIR.

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENOTDIR: a component of the prefix is a file",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("program", &Elf::new().build(), 0o755)?;
    system.link("program", "link")?;
    system.script("script", "#!/tmp/program/x\n")?;
    let dynamic = Elf::new().interpreter("/tmp/program/x").build();
    system.file("dynamic", &dynamic, 0o755)?;
    let mut claim = ErrnoClaim::new(system, "error/ENOTDIR", Errno::ENOTDIR);
    claim.stated("file in the prefix", &Exec::path("/tmp/program/x")?)?;
    claim.stated("link to a file in the prefix", &Exec::path("/tmp/link/x")?)?;
    claim.stated("device in the prefix", &Exec::path("/dev/null/x")?)?;
    claim.other("interpreter of a script", &Exec::path("/tmp/script")?)?;
    claim.other("ELF interpreter", &Exec::path("/tmp/dynamic")?)?;
    claim.other("slash after a file", &Exec::path("/tmp/program/")?)?;
    let relative = Exec::at("execveat", "x below a file", 5, c"x", 0)?;
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    claim.other(
        "execveat below a file",
        &relative.opened(5, "/tmp/program", flags),
    )?;
    claim.verdict()
}
