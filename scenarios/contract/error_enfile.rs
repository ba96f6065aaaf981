//! ENFILE: the system's limit of open files is reached.
//!
//! `alloc_empty_file` (fs/file_table.c) lets a caller with `CAP_SYS_ADMIN` in the initial user namespace pass. Where the limit is
//! reached already, the call fails before the first event. The kernel checks for each file that it opens, so the loader's may be
//! the first one too many, after the program's events.
//!
//! See execve(2), ENFILE, and proc_sys_fs(5), file-max: privileged processes can override it.

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENFILE: the system's limit of open files is reached",
    needs: &[needs::OWN_SETTINGS],
    run,
    ..Scenario::DEFAULT
};

const FILE_MAX: &str = "/proc/sys/fs/file-max";

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path(system.file("program", &Elf::new().build(), 0o755)?)?;
    let usual = std::fs::read_to_string(FILE_MAX)?;
    let limited = exec.clone().before(|| Ok(std::fs::write(FILE_MAX, "0")?));
    let mut claim = ErrnoClaim::new(system, "error/ENFILE", Errno::ENFILE);
    claim.starts("as many as usual, by a user", &exec.as_user())?;
    for (what, exec) in [
        ("fs.file-max of 0, by a user", limited.clone().as_user()),
        ("fs.file-max of 0, by root", limited),
    ] {
        // Sockets count too: the monitor is made under the usual limit.
        claim.system().sysctl("fs/file-max", usual.trim())?;
        claim.stated(what, &exec)?;
    }
    claim.verdict()
}
