//! An alternate stack for signals is gone after the start.
//!
//! `begin_new_exec` sets `sas_ss_sp` and `sas_ss_size` to 0 (the stack lies in memory that is gone
//! anyway). A call that fails with an errno leaves it.
//!
//! See [c:execve-attributes], and sigaltstack(2).

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the alternate stack for signals is not kept",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("signal/altstack_cleared");
    let with_stack = |path: &str| {
        let exec = Exec::path(path)?.reports(&["altstack"])?;
        anyhow::Ok(exec.before(|| Ok(sys::set_alternate_stack()?)))
    };
    let seen = system.look("a call that fails", &with_stack("/tmp/none")?)?;
    claim.control("a call that fails", "yes", seen.found("altstack")?)?;
    let seen = system.look("an alternate stack", &with_stack("/tmp/reporter")?)?;
    claim.stated("an alternate stack", "no", seen.found("altstack")?);
    let thread = Exec::by("execve in a thread", reporter, |args| {
        std::thread::scope(|scope| {
            let call = || sys::set_alternate_stack().and_then(|()| args.execve());
            scope.spawn(call).join().unwrap_or(Ok(()))
        })
    })?;
    let seen = system.look("of a thread", &thread.reports(&["altstack"])?)?;
    claim.stated(
        "an alternate stack of the thread that calls",
        "no",
        seen.found("altstack")?,
    );
    system.verdict(&claim)
}
