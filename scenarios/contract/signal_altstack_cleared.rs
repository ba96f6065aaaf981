//! An alternate signal stack is gone after the start.
//!
//! `begin_new_exec` sets `sas_ss_sp` and `sas_ss_size` to 0; the stack lies in memory that is gone anyway. A call that fails with
//! an errno leaves it. Each thread has a stack of its own, and the standard library gives every thread one: the scenario
//! recognises its own by the size.
//!
//! See [c:execve-attributes], and sigaltstack(2).

use crate::scenario::{Evidence, Exec, Scenario, System, in_thread};
use crate::subject::say_state;
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the alternate signal stack is not kept",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("signal/altstack_cleared");
    let with_stack = |path: &str| {
        let exec = Exec::path(path)?.reports(&["altstack"])?;
        anyhow::Ok(exec.before(|| Ok(sys::set_alternate_stack()?)))
    };
    let seen = system.look("a call that fails", &with_stack("/tmp/none")?)?;
    claim.control("a call that fails", OURS, seen.found("altstack")?)?;
    let seen = system.look("an alternate stack", &with_stack("/tmp/reporter")?)?;
    claim.stated("an alternate stack", "none", seen.found("altstack")?);
    let of_thread = |path: &str| {
        Exec::by("execve in a thread", path, |args| {
            in_thread("t", || {
                sys::set_alternate_stack()?;
                let failed = args.execve();
                // Where this fails, nothing was said, and the scenario notices.
                let _ = say_state("altstack");
                failed
            })
        })
    };
    let what = "of a thread whose call fails";
    let seen = system.look(what, &of_thread("/tmp/none")?)?;
    claim.control(what, OURS, seen.found("altstack")?)?;
    let exec = of_thread("/tmp/reporter")?.reports(&["altstack"])?;
    let seen = system.look("of a thread", &exec)?;
    claim.stated(
        "an alternate stack of the thread that calls",
        "none",
        seen.found("altstack")?,
    );
    system.verdict(&claim)
}

/// The size of the stack that the scenario sets.
const OURS: &str = "65536";
