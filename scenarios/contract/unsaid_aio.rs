//! A context of asynchronous I/O is gone after the start; a call that fails with an errno keeps it.
//!
//! Contexts are the memory's (`mm->ioctx_table`), and `exit_aio` ends them with it; their rings are
//! mappings, by which the reporter finds them. See [c:execve-aio], and io_setup(2).

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "contexts of asynchronous I/O are gone",
    needs: &[needs::AIO],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/aio");
    let with_context = |path: &str| {
        let exec = Exec::path(path)?.reports(&["aio"])?;
        anyhow::Ok(exec.before(|| Ok(sys::aio_context()?)))
    };
    let seen = system.look("a context, a call that fails", &with_context("/tmp/none")?)?;
    claim.control("a call that fails", "1", seen.found("aio")?)?;
    let seen = system.look("a context", &with_context("/tmp/reporter")?)?;
    claim.stated("a context", "0", seen.found("aio")?);
    system.verdict(&claim)
}
