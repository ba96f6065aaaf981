//! A sibling replaces the arguments of an exec between the entry of the call and the kernel's copy.
//!
//! The kernel copies the path first and the arguments later (`do_execveat_common` in fs/exec.c). A missing page behind this path
//! holds the kernel in between, on every kernel (see [`while_copied`](crate::scenario::while_copied)).
//!
//! The program finds the arguments as they were copied. So do readers of audit's EXECVE record and of `/proc/PID/cmdline`, the
//! latter until the program changes it (`lies/disguise`). A reader at the entry of the call was told others.
//!
//! `threads/arguments_changed` does the same while the program's permission event is held, which on older kernels is too late.
//!
//! See userfaultfd(2), ptrace(2).

use std::sync::atomic::{AtomicU8, Ordering};

use crate::scenario::{Args, Exec, Role, Scenario, System, needs, while_copied};

pub const SCENARIO: Scenario = Scenario {
    summary: "a sibling replaces the arguments while the kernel copies the path",
    needs: &[needs::USERFAULTFD],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("a-report")?;
    let exec = Exec::by("execve beside a writer", program, replace)?;
    system.observe(&exec.argv(&["as-told"])?.role(Role::Report)?)?;
    Ok(())
}

fn replace(args: &Args<'_>) -> nix::Result<()> {
    // Both have one length, so that one replaces the other in place.
    let told = b"as-told\0".map(AtomicU8::new);
    let pointers = [told.as_ptr().expose_provenance(), 0];
    let act = |_: &crate::sys::FaultPages| {
        for (byte, new) in told.iter().zip(b"as-done\0") {
            byte.store(*new, Ordering::SeqCst);
        }
        Ok(())
    };
    while_copied(args, args.path(), act, |addresses| {
        addresses.argv = pointers.as_ptr().expose_provenance();
    })
}
