//! EINVAL: an ELF executable has more than one PT_INTERP.
//!
//! `load_elf_binary` (fs/binfmt_elf.c) goes through the program headers until it has opened the first interpreter, and stops
//! there. It never looks at a second one, whatever that names, though execve(2) says the same as the specification.
//!
//! There are other ways to EINVAL. Among them are flags that execveat does not know, and a file that cannot be read at all
//! (`__kernel_read` in fs/read_write.c, `FMODE_CAN_READ`), as there are some in tracefs.
//!
//! See execve(2), EINVAL, and [c:elf-interp-once].

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

use crate::scenario::{Elf, ErrnoClaim, Exec, Host, Need, Scenario, System, needs};
use crate::trail::LabKind;

pub const SCENARIO: Scenario = Scenario {
    summary: "EINVAL: more than one ELF interpreter",
    needs: &[needs::OWN_SETTINGS, TRACEFS],
    run,
    ..Scenario::DEFAULT
};

/// A file that can only be written.
const MARKER: &str = "/sys/kernel/tracing/trace_marker";

const TRACEFS: Need = Need {
    what: "tracefs (CONFIG_TRACING)",
    host: Host::Config("CONFIG_TRACING"),
    // The native lab has no such file, and fails the other need.
    probe: |lab| lab == LabKind::Native || Path::new(MARKER).exists(),
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("one", &Elf::new().build(), 0o755)?;
    system.file("two", &Elf::new().build(), 0o755)?;
    let with_one = Elf::new().interpreter("/tmp/one");
    let control = Exec::path(system.file("single", &with_one.build(), 0o755)?)?;
    let mut execs = Vec::new();
    for (name, second) in [
        ("two interpreters", "/tmp/two"),
        ("the same one twice", "/tmp/one"),
        ("a second one that is not there", "/tmp/none"),
    ] {
        let program = with_one.clone().second_interpreter(second);
        let file = system.file(&name.replace(' ', "-"), &program.build(), 0o755)?;
        execs.push((name, Exec::path(file)?));
    }
    let mut claim = ErrnoClaim::new(system, "error/EINVAL", Errno::EINVAL);
    claim.starts("one interpreter", &control)?;
    for (name, exec) in &execs {
        claim.stated(name, exec)?;
    }
    let flags = Exec::at(
        "execveat",
        "/tmp/one with flag 1",
        libc::AT_FDCWD,
        c"/tmp/one",
        1,
    )?;
    claim.other("unknown flag of execveat", &flags)?;
    let file = Path::new(MARKER);
    let before = std::fs::metadata(file)?.permissions();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))?;
    let seen = claim.other("file that the kernel cannot read", &Exec::path(file)?);
    std::fs::set_permissions(file, before)?;
    seen?;
    claim.verdict()
}
