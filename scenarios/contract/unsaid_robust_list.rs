//! The robust list is walked by the start of a leader: who waits for a futex of it learns that its owner has
//! died, although the process lives. (One waiter is woken.)
//!
//! When another thread calls it has the leader's id by then, its futexes bear its old one, and `handle_futex_death` passes them by:
//! they stay owned by a thread that is gone (by source, and an experiment outside of this suite on a 6.18).
//!
//! `exec_mm_release` (kernel/fork.c) calls `futex_exec_release`, which forgets the list as well; on 7.3 start and end of a
//! process have one function for it, `mm_exit_exec_release`. The word is shared with the
//! parent, which finds `FUTEX_OWNER_DIED` there while the new program still runs. A call that fails
//! with an errno leaves the word to its owner.
//!
//! See [c:robust-list-execve].

use std::sync::atomic::Ordering;

use crate::scenario::{Evidence, Exec, Scenario, System, held};
use crate::subject::say;
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the robust list of futexes is walked",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/robust_list");
    let seen = system.look("a call that fails", &owning("/tmp/none")?)?;
    claim.control("a call that fails", "owned", seen.found("futex")?)?;
    let seen = system.look("a futex of the list", &owning("/usr/bin/cat")?)?;
    claim.stated("a futex of the list", "owner died", seen.found("futex")?);
    system.verdict(&claim)
}

fn owning(path: &str) -> anyhow::Result<Exec> {
    /// `FUTEX_OWNER_DIED` of include/uapi/linux/futex.h.
    const OWNER_DIED: u32 = 0x4000_0000;
    Exec::by("execve with a robust list", path, |args| {
        let word = sys::shared_word()?;
        let own = || Ok(sys::own_robust(word)?);
        let told = match held(args, own, || Ok(word.load(Ordering::SeqCst))) {
            Ok(value) if value & OWNER_DIED != 0 => "owner died".to_owned(),
            Ok(0) => "free".to_owned(),
            Ok(_) => "owned".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        // Who cannot say it has said nothing, and the scenario misses it.
        let _ = say("futex", told);
        Ok(())
    })
}
