//! The new program has no mapping that its caller made, whether private, shared or executable. Some settings of the memory as a
//! whole stay.
//!
//! `exec_mmap` (fs/exec.c) puts a new `mm_struct` in the old one's place. `mm_init` (kernel/fork.c) gives it the old one's
//! `MMF_INIT_MASK` flags (in 7.2 and 7.3 `MMF_INIT_LEGACY_MASK`). So disabled transparent huge pages (`PR_SET_THP_DISABLE`) stay
//! disabled, and the filter for core dumps stays; an mlockall(2) does not (`contract/unsaid_memory_locks`). The specification
//! speaks of the memory, not of its attributes, so the scenario records the huge pages as a fact, without a verdict.
//!
//! See [c:execve-mappings], and [c:thp-disable-kept].

use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys::{self, Marked};

pub const SCENARIO: Scenario = Scenario {
    summary: "the memory is replaced, some of its settings stay",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("state/memory");
    let kinds = [
        ("a private mapping", Marked::Private),
        ("a shared mapping", Marked::Shared),
        ("an executable mapping", Marked::Executable),
    ];
    for (what, kind) in kinds {
        let mapped = |path: &str| {
            let exec = Exec::path(path)?.reports(&["mark"])?;
            anyhow::Ok(exec.before(move || Ok(sys::map_mark(kind)?)))
        };
        let seen = system.look(&format!("{what}, a call that fails"), &mapped("/tmp/none")?)?;
        claim.control(what, "yes", seen.found("mark")?)?;
        let seen = system.look(what, &mapped("/tmp/reporter")?)?;
        claim.stated(what, "no", seen.found("mark")?);
    }
    let usual = Exec::path("/tmp/reporter")?.reports(&["huge-pages-off"])?;
    let seen = system.look("huge pages as usual", &usual)?;
    claim.control("huge pages as usual", "0", seen.found("huge-pages-off")?)?;
    let small = usual.before(|| {
        Ok(sys::set_attribute_of_process(
            libc::PR_SET_THP_DISABLE,
            1,
            0,
        )?)
    });
    let seen = system.look("huge pages off", &small)?;
    system.fact("huge pages are still off", seen.found("huge-pages-off")?)?;
    system.verdict(&claim)
}
