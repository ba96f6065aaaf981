//! Shared memory is detached by the start: System V segments, and shared mappings, as POSIX shared memory is one
//! (tried with an anonymous one).
//!
//! Both are mappings of the old memory, which the start gives up (`exec_mmap`, in 7.2 and 7.3 `setup_new_exec`). The
//! segment itself stays, unless it is marked for removal or kernel.shm_rmid_forced is set; nobody has it attached any
//! more while the new program runs, and the scenario asks the kernel then.
//!
//! See [c:execve-sysv-shm] and [c:execve-posix-shm].

use crate::scenario::{Evidence, Exec, Scenario, System, held, needs};
use crate::subject::say;
use crate::sys::{self, Marked};

pub const SCENARIO: Scenario = Scenario {
    summary: "shared memory is detached",
    needs: &[needs::SYSVIPC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/shared_memory");
    let segment = |path: &str| {
        Exec::by("execve with a segment", path, |args| {
            let id = sys::new_segment()?;
            let attach = || Ok(sys::attach_segment(id)?);
            let count = held(args, attach, || Ok(sys::attached(id)?));
            sys::remove_segment(id)?;
            let count = count.map_or_else(|error| format!("{error:#}"), |count| count.to_string());
            // Who cannot say it has said nothing, and the scenario misses it.
            let _ = say("attached", count);
            Ok(())
        })
    };
    let seen = system.look("System V, a call that fails", &segment("/tmp/none")?)?;
    claim.control("System V, a call that fails", "1", seen.found("attached")?)?;
    let seen = system.look("System V", &segment("/usr/bin/cat")?)?;
    claim.stated("System V", "0", seen.found("attached")?);
    let mapping = |path: &str| {
        let exec = Exec::path(path)?.reports(&["mark"])?;
        anyhow::Ok(exec.before(|| Ok(sys::map_mark(Marked::Shared)?)))
    };
    let seen = system.look(
        "a shared mapping, a call that fails",
        &mapping("/tmp/none")?,
    )?;
    claim.control(
        "a shared mapping, a call that fails",
        "yes",
        seen.found("mark")?,
    )?;
    let seen = system.look("a shared mapping", &mapping("/tmp/reporter")?)?;
    claim.stated("a shared mapping", "no", seen.found("mark")?);
    system.verdict(&claim)
}
