//! ENOENT: the file or its interpreter does not exist.
//!
//! The errno does not tell the caller which is missing. An observer learns it: before a missing interpreter, it sees that a file
//! was opened.
//!
//! `load_script` gives the same errno for a script by a descriptor that is closed on exec (`BINPRM_FLAGS_PATH_INACCESSIBLE`): its
//! interpreter could not open the name that the script has.
//!
//! See execve(2), ENOENT; execveat(2), BUGS.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENOENT: file or interpreter is not there",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.script("script", "#!/tmp/none\n")?;
    system.script("good", "#!/usr/bin/busybox true\n")?;
    let dynamic = Elf::new().interpreter("/tmp/none").build();
    system.file("dynamic", &dynamic, 0o755)?;
    system.link("none", "link")?;
    let mut claim = ErrnoClaim::new(system, "error/ENOENT", Errno::ENOENT);
    claim.stated("file is not there", &Exec::path("/tmp/none")?)?;
    claim.stated("directory is not there", &Exec::path("/none/program")?)?;
    claim.stated(
        "interpreter of a script is not there",
        &Exec::path("/tmp/script")?,
    )?;
    claim.stated("ELF interpreter is not there", &Exec::path("/tmp/dynamic")?)?;
    claim.other("link that leads nowhere", &Exec::path("/tmp/link")?)?;
    claim.other("empty filename", &Exec::path("")?)?;
    let by_descriptor = |flags| -> anyhow::Result<Exec> {
        let exec = Exec::at(
            "execveat",
            "fd 5 AT_EMPTY_PATH",
            5,
            c"",
            libc::AT_EMPTY_PATH,
        )?;
        Ok(exec.opened(5, "/tmp/good", flags))
    };
    claim.starts("script by descriptor", &by_descriptor(OFlag::O_RDONLY)?)?;
    let closed = by_descriptor(OFlag::O_RDONLY | OFlag::O_CLOEXEC)?;
    claim.other("script by a descriptor that is closed on exec", &closed)?;
    claim.verdict()
}
