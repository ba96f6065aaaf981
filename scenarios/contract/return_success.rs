//! On success the call does not return: the new program runs in the caller's place.
//!
//! The program says which it is, and the caller, whose call fails, says that it is still itself.
//!
//! See [c:execve-return-value].

use crate::scenario::{Claim, Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "success does not return",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let program = stage.ours("reporter")?;
    stage.script("script", "#!/tmp/reporter\n")?;
    let mut claim = Claim::new("return/success");
    for (what, path) in [("program", program), ("script", "/tmp/script".into())] {
        let seen = stage.look(what, &Exec::path(path)?.reports(&["exe"])?)?;
        claim.stated(what, "/tmp/reporter", seen.found("exe")?);
    }
    let seen = stage.look("no program", &Exec::path("/tmp/none")?.reports(&["exe"])?)?;
    claim.control("no program", "/exetrail/launcher", seen.found("exe")?)?;
    stage.verdict(&claim)
}
