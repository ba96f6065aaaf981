//! ENFILE: the system's limit of open files is reached.
//!
//! `alloc_empty_file` (fs/file_table.c) lets a caller with `CAP_SYS_ADMIN` pass. The limit is
//! reached in front of the first event.
//!
//! See execve(2), ENFILE, and proc_sys_fs(5), file-max: privileged processes can override it.

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENFILE: the system's limit of open files is reached",
    needs: &[needs::OWN_SETTINGS],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let exec = Exec::path(stage.file("program", &Elf::new().build(), 0o755)?)?;
    let mut claim = ErrnoClaim::new(stage, "error/ENFILE", Errno::ENFILE);
    claim.starts("as many as usual, by a user", &exec.clone().as_user())?;
    claim.stage().sysctl("fs/file-max", "1")?;
    claim.stated("fs.file-max of 1, by a user", &exec.clone().as_user())?;
    claim.stated("fs.file-max of 1, by root", &exec)?;
    claim.verdict()
}
