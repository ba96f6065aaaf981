//! A true claim, put in on purpose: it must come out as held.
//!
//! The working directory belongs to `fs_struct`, as the umask does; see execve(2). The claim stands
//! in a specification of its own (`control.toml`), in no published table.

use nix::unistd::chdir;

use crate::scenario::{Claim, Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "true on purpose: the working directory is kept",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let exec = Exec::path(stage.ours("reporter")?)?.reports(&["directory"])?;
    let exec = exec.before(|| Ok(chdir("/usr/lib")?));
    let seen = stage.look("in /usr/lib", &exec)?;
    let mut claim = Claim::new("control/directory_kept");
    claim.stated(
        "/usr/lib before the start",
        "/usr/lib",
        seen.found("directory")?,
    );
    stage.verdict(&claim)
}
