//! A false claim, put in on purpose: it must come out as contradicted.
//!
//! umask(2) says that execve(2) leaves the umask as it is. The umask is a field of `fs_struct`, and nothing in fs/exec.c names
//! it. The claim stands in a specification of its own (`control.toml`), in no published table.

use nix::sys::stat::{Mode, umask};

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "false on purpose: the umask is reset",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path(system.ours("reporter")?)?.reports(&["umask"])?;
    let exec = exec.before(|| {
        umask(Mode::from_bits_truncate(0o027));
        Ok(())
    });
    let seen = system.look("umask 027", &exec)?;
    let mut claim = Evidence::new("control/umask_reset");
    claim.stated("umask 027 before the start", "0022", seen.found("umask")?);
    system.verdict(&claim)
}
