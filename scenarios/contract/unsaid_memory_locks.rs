//! Memory locks are not kept: neither those on what was mapped nor the order to lock all to come.
//!
//! Both belong to the memory (`mm->locked_vm`, `mm->def_flags`), which is another after `exec_mmap`.
//! See [c:mlock-removed].

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "memory locks are not kept",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/memory_locks");
    let locking = |path: &str| {
        let exec = Exec::path(path)?.reports(&["locked"])?;
        anyhow::Ok(exec.before(|| Ok(sys::lock_mark()?)))
    };
    let seen = system.look("mlock, a call that fails", &locking("/tmp/none")?)?;
    claim.control("a call that fails", "4 kB", seen.found("locked")?)?;
    let seen = system.look("mlock", &locking("/tmp/reporter")?)?;
    claim.stated("mlock", "0 kB", seen.found("locked")?);
    let all = Exec::path("/tmp/reporter")?.reports(&["locked"])?;
    let seen = system.look("mlockall", &all.before(|| Ok(sys::lock_future()?)))?;
    claim.stated("mlockall of what is to come", "0 kB", seen.found("locked")?);
    system.verdict(&claim)
}
