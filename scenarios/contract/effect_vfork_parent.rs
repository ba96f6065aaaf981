//! The parent of a vfork goes on when the child's exec is past the point of no return, and while the new program runs.
//!
//! `exec_mmap` (fs/exec.c) lets go of the memory that the two shared (`mm_release`, which completes
//! `vfork_done`), before it switches to the new one: a parent that looks at once may find the old exe link and comm,
//! and what fails after that ends the child by a signal. (Read in source.) The new program waits for the end of its input, which the
//! parent holds: had the parent not gone on, the two would wait for each other.
//!
//! The other side: a call that fails with an errno does not let the parent go on; here the child's end does (another call that succeeds
//! would), and what the child wrote after its call is there by then. See [c:vfork-suspended].

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::subject::say;

pub const SCENARIO: Scenario = Scenario {
    summary: "the parent of a vfork goes on",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("effect/vfork_parent");
    let seen = system.look("a call that fails", &held("/tmp/none")?)?;
    claim.control("a call that fails", FAILED, seen.found("parent")?)?;
    let seen = system.look(
        "a program that waits for the parent",
        &held("/usr/bin/cat")?,
    )?;
    let what = "a program that waits for the parent";
    claim.stated(what, RUNS, seen.found("parent")?);
    system.verdict(&claim)
}

const FAILED: &str = "goes on after the child's last step";
const RUNS: &str = "goes on while the program runs";

fn held(path: &str) -> anyhow::Result<Exec> {
    Exec::by("vfork", path, |args| {
        let told = if args.vfork_with_input()? {
            FAILED
        } else {
            RUNS
        };
        // Who cannot say it has said nothing, and the scenario misses it.
        let _ = say("parent", told);
        Ok(())
    })
}
