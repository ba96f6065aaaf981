//! An empty argv becomes one empty string, so that a program that begins at argv[1] does not take its first environment variable
//! for an argument.
//!
//! Since [c:empty-argv], backported to 5.10.110 and other stable series, `do_execveat_common` adds `""`. The change was the
//! answer to CVE-2021-4034 of pkexec. A NULL argv gives the same (execve(2) calls that not portable).
//!
//! A script gets its interpreter's name in the place of the empty string.
//!
//! See execve(2), NOTES.

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "an empty argv becomes one empty string",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let script = system.script("script", "#!/tmp/reporter\n")?;
    let mut claim = Evidence::new("unsaid/empty_argv");
    let exec = Exec::path(&reporter)?.reports(&["argv"])?;
    let seen = system.look("two arguments", &exec.clone().argv(&["a", "b"])?)?;
    claim.control("two arguments", "'a' 'b'", seen.found("argv")?)?;
    let seen = system.look("no argument", &exec.argv(&[])?)?;
    claim.stated("no argument", "''", seen.found("argv")?);
    let exec = Exec::path(&script)?.reports(&["argv"])?.argv(&[])?;
    let seen = system.look("a script without an argument", &exec)?;
    let wanted = "'/tmp/reporter' '/tmp/script'";
    claim.stated("a script without an argument", wanted, seen.found("argv")?);
    system.verdict(&claim)
}
