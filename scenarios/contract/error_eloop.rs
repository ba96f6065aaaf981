//! ELOOP: too many symbolic links on the way to the file or its interpreter.
//!
//! The kernel follows 40 (`MAXSYMLINKS`, `reserve_stack` in fs/namei.c; `contract/limit_path`). With more it does not open what
//! they lead to.
//!
//! Six scripts or more, each the interpreter of the one before, end in the same errno. By then the kernel has read six of them
//! and opened the interpreter of the sixth (`exec_binprm` in fs/exec.c).
//!
//! See execve(2), ELOOP, and path_resolution(7).

use nix::errno::Errno;
use nix::libc;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ELOOP: too many symbolic links",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("link0", &Elf::new().build(), 0o755)?;
    for number in 1..=41 {
        system.link(format!("link{}", number - 1), &format!("link{number}"))?;
    }
    system.link("itself", "itself")?;
    system.script("script", "#!/tmp/link41\n")?;
    let program = Elf::new().interpreter("/tmp/link41").build();
    system.file("dynamic", &program, 0o755)?;
    system.script("level0", "#!/tmp/link0\n")?;
    for level in 1..8 {
        let text = format!("#!/tmp/level{}\n", level - 1);
        system.script(&format!("level{level}"), &text)?;
    }
    let mut claim = ErrnoClaim::new(system, "error/ELOOP", Errno::ELOOP);
    claim.starts("40 links", &Exec::path("/tmp/link40")?)?;
    claim.stated("41 links", &Exec::path("/tmp/link41")?)?;
    claim.stated("a link to itself", &Exec::path("/tmp/itself")?)?;
    claim.stated(
        "41 links to the interpreter of a script",
        &Exec::path("/tmp/script")?,
    )?;
    claim.stated(
        "41 links to an ELF interpreter",
        &Exec::path("/tmp/dynamic")?,
    )?;
    claim.other("scripts eight levels deep", &Exec::path("/tmp/level7")?)?;
    let nofollow = Exec::at(
        "execveat",
        "/tmp/link1 AT_SYMLINK_NOFOLLOW",
        libc::AT_FDCWD,
        c"/tmp/link1",
        libc::AT_SYMLINK_NOFOLLOW,
    )?;
    claim.other("execveat of a link that is not to be followed", &nofollow)?;
    claim.verdict()
}
