//! A sibling changes the arguments of an exec while the exec is held.
//!
//! The kernel copies the strings out of the caller's memory once, and nothing protects that memory: the program gets what is
//! there at that moment. Since [c:open-first] the kernel opens the program before the copy: the arguments that a listener
//! finds in the caller's memory when it is asked about the program may change before they are copied. Up to 6.7 the copy
//! came first, and a change during the event comes too late.
//!
//! An observer that reads arguments out of the caller's memory at the event, or at the entry of the call, reads what may not be
//! passed on. Once the exec has succeeded, `/proc/PID/cmdline` of the new program shows what was passed, until it is changed
//! (`lies/disguise`).
//!
//! See `copy_strings` in fs/exec.c; execve(2).

use std::sync::atomic::{AtomicU8, Ordering};

use crate::scenario::{Args, Exec, Role, Scenario, System, beside, its_turn, open};

pub const SCENARIO: Scenario = Scenario {
    summary: "a sibling changes the arguments while their exec is held",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("report")?;
    system.file("later", b"", 0o644)?;
    let exec = Exec::by("execve beside a writer", program, change)?;
    system.answered_late(&exec.role(Role::Report)?, 1, 2)?;
    Ok(())
}

fn change(args: &Args<'_>) -> nix::Result<()> {
    // `as-called`, to become `as-changed` in place; both of one length with its NUL.
    let called = b"as-called-\0".map(AtomicU8::new);
    let changed = b"as-changed\0";
    let pointers = [called.as_ptr().expose_provenance(), 0];
    let writer = || {
        its_turn()?;
        for (byte, new) in called.iter().zip(changed) {
            byte.store(*new, Ordering::SeqCst);
        }
        open("/tmp/later")?;
        // The exec ends it.
        loop {
            std::thread::park();
        }
    };
    let call =
        || args.execve_at(|addresses| addresses.argv = pointers.as_ptr().expose_provenance());
    beside("writer", writer, call)
}
