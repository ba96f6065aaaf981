//! Exec keeps no locks of mlock(2) and mlockall(2): neither those on existing mappings nor the order to lock all future ones.
//!
//! Both belong to the memory (`mm->locked_vm`, `mm->def_flags`), which `exec_mmap` replaces. A page that the new program maps
//! itself shows that the order is gone: it is not locked (VmFlags in `/proc/self/smaps`). A page that a caller maps after its
//! call has failed is locked.
//!
//! See [c:mlock-removed], and proc_pid_smaps(5).

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "locks of mlock and mlockall are not kept",
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
    let mapping = |path: &str, fields: &[&str]| Exec::path(path)?.reports(fields);
    let none = mapping("/tmp/none", &["new-page-locked"])?;
    let what = "no mlockall, a call that fails";
    let seen = system.look(what, &none)?;
    claim.control(what, "no", seen.found("new-page-locked")?)?;
    let what = "mlockall, a call that fails";
    let seen = system.look(what, &none.before(|| Ok(sys::lock_future()?)))?;
    claim.control(what, "yes", seen.found("new-page-locked")?)?;
    let all = mapping("/tmp/reporter", &["locked", "new-page-locked"])?;
    let seen = system.look("mlockall", &all.before(|| Ok(sys::lock_future()?)))?;
    claim.stated("mlockall of what is to come", "0 kB", seen.found("locked")?);
    let what = "mlockall, a page that the new program maps";
    claim.stated(what, "no", seen.found("new-page-locked")?);
    system.verdict(&claim)
}
