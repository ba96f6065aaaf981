//! Exec walks the robust list of futexes: a futex on it then says that its owner has died, although the process lives.
//!
//! Finding: this is so when the leader calls. When another thread calls, it has the leader's ID by then, and its futexes bear its
//! old one: `handle_futex_death` (kernel/futex) skips them, and they name an owner that no longer exists. The kernel does mark
//! one that bears the leader's ID.
//!
//! `exec_mm_release` (kernel/fork.c) calls `futex_exec_release`; on 7.3 exec and exit share one function for it,
//! `mm_exit_exec_release`. The futex word is shared with the parent, which finds `FUTEX_OWNER_DIED` there while the new program
//! still runs. A call that fails with an errno leaves the word to its owner.
//!
//! See [c:robust-list-execve].

use std::io;
use std::sync::atomic::Ordering;

use nix::unistd::{getpid, gettid, read, write};

use crate::scenario::{Evidence, Exec, Scenario, System, held, held_by, in_thread};
use crate::subject::say;
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the robust list of futexes is walked",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/robust_list");
    let whose = "a futex with the leader's id of a thread that calls";
    let seen = system.look(whose, &owning("/usr/bin/cat", Caller::ThreadAsLeader)?)?;
    claim.control(whose, "owner died", seen.found("futex")?)?;
    for (who, caller) in [("the leader", Caller::Leader), ("a thread", Caller::Thread)] {
        let case = format!("{who} makes a call that fails");
        let seen = system.look(&case, &owning("/tmp/none", caller)?)?;
        claim.control(&case, "owned", seen.found("futex")?)?;
        let case = format!("a futex of {who} that calls");
        let seen = system.look(&case, &owning("/usr/bin/cat", caller)?)?;
        claim.stated(&case, "owner died", seen.found("futex")?);
    }
    system.verdict(&claim)
}

/// Who makes the call, and owns the futex.
#[derive(Clone, Copy)]
enum Caller {
    Leader,
    Thread,
    /// A thread; the futex says that the leader owns it.
    ThreadAsLeader,
}

fn owning(path: &str, caller: Caller) -> anyhow::Result<Exec> {
    /// `FUTEX_OWNER_DIED` of include/uapi/linux/futex.h.
    const OWNER_DIED: u32 = 0x4000_0000;
    Exec::by("execve with a robust list", path, move |args| {
        let word = sys::shared_word()?;
        let own = || Ok(sys::own_robust(word, gettid())?);
        let look = |_| Ok(word.load(Ordering::SeqCst));
        // A thread that ends has its list walked as well: one whose call failed stays until the look is over.
        let call = || {
            in_thread("worker", || {
                let owner = match caller {
                    Caller::ThreadAsLeader => getpid(),
                    _ => gettid(),
                };
                let failed = sys::own_robust(word, owner).and_then(|()| args.execve());
                let (input, output, mut asked) = (io::stdin(), io::stdout(), [0]);
                while read(&input, &mut asked) == Ok(1) && write(&output, &asked) == Ok(1) {}
                failed
            })
        };
        let value = match caller {
            Caller::Leader => held(args, own, look),
            Caller::Thread | Caller::ThreadAsLeader => held_by(call, || Ok(()), look),
        };
        let told = match value {
            Ok(value) if value & OWNER_DIED != 0 => "owner died".to_owned(),
            Ok(0) => "free".to_owned(),
            Ok(_) => "owned".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        // A child that cannot say it has said nothing, and the scenario misses its line.
        let _ = say("futex", told);
        Ok(())
    })
}
