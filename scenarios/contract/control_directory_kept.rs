//! A true claim, put in on purpose: it must come out as held.
//!
//! The working directory belongs to `fs_struct`, as the umask does; see execve(2). The claim stands
//! in a specification of its own (`control.toml`), in no published table.

use nix::unistd::chdir;

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "true on purpose: the working directory is kept",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path(system.ours("reporter")?)?.reports(&["directory"])?;
    let exec = exec.before(|| Ok(chdir("/usr/lib")?));
    let seen = system.look("in /usr/lib", &exec)?;
    let mut claim = Evidence::new("control/directory_kept");
    claim.stated(
        "/usr/lib before the start",
        "/usr/lib",
        seen.found("directory")?,
    );
    system.verdict(&claim)
}
