//! EISDIR: the ELF interpreter is a directory.
//!
//! The call fails with EACCES, before any event of the interpreter. `may_open` (fs/namei.c) gives EISDIR for a directory that is
//! to be written and EACCES for one that is to be executed, and `do_open_execat` opens this one as it opens a program. Where an
//! entry of binfmt_misc with the flag `L` names another interpreter (7.3), the directory is not opened.
//!
//! The remaining EISDIR of fs/namei.c are:
//!
//! - those for `O_CREAT`, unlink and rename,
//! - one that the walk keeps to itself (`follow_automount`),
//! - one of the NFS server's (`vfs_lookup_open`, 7.3).
//!
//! The EISDIR of a read (`generic_read_dir`) comes after `S_ISREG` in `do_open_execat`.
//!
//! See execve(2), EISDIR, which says the same as the specification.

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "EISDIR: the ELF interpreter is a directory",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("program", &Elf::new().build(), 0o755)?;
    system.script("script", "#!/usr\n")?;
    for (name, interpreter) in [("root", "/"), ("slash", "/usr/"), ("other", "/dev")] {
        let program = Elf::new().interpreter(interpreter);
        system.file(name, &program.build(), 0o755)?;
    }
    let mut claim = ErrnoClaim::new(system, "error/EISDIR", Errno::EISDIR);
    claim.stated("interpreter /", &Exec::path("/tmp/root")?)?;
    claim.stated("interpreter /usr/", &Exec::path("/tmp/slash")?)?;
    claim.stated(
        "interpreter /dev, by a user",
        &Exec::path("/tmp/other")?.as_user(),
    )?;
    claim.other("interpreter of a script", &Exec::path("/tmp/script")?)?;
    claim.other("the file itself", &Exec::path("/tmp")?)?;
    claim.other("the file with a slash after it", &Exec::path("/tmp/")?)?;
    claim.verdict()
}
