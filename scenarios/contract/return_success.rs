//! On success execve does not return: the new program runs in the caller's place.
//!
//! The new program reports its exe. A caller whose call fails reports that it still has its own.
//!
//! See [c:execve-return-value].

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "execve that succeeds does not return",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("reporter")?;
    system.script("script", "#!/tmp/reporter\n")?;
    let mut claim = Evidence::new("return/success");
    for (what, path) in [("program", program), ("script", "/tmp/script".into())] {
        let seen = system.look(what, &Exec::path(path)?.reports(&["exe"])?)?;
        claim.stated(what, "/tmp/reporter", seen.found("exe")?);
    }
    let seen = system.look("no program", &Exec::path("/tmp/none")?.reports(&["exe"])?)?;
    claim.control("no program", "/exetrail/launcher", seen.found("exe")?)?;
    system.verdict(&claim)
}
