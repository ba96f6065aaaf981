//! What the secure bits for interpreters do to an exec: nothing.
//!
//! `SECBIT_EXEC_RESTRICT_FILE` and `SECBIT_EXEC_DENY_INTERACTIVE` ([c:exec-securebits]) are a word between programs: an interpreter
//! that heeds them asks with `AT_EXECVE_CHECK` before it runs a script. The kernel keeps them through fork and exec, has
//! their locks like those of the others (EPERM for a change), lets everybody change them, and refuses no exec for them. Up to 6.13 they are
//! unknown bits: EPERM (`cap_task_prctl` in security/commoncap.c). Who makes a user namespace loses them there, and their
//! locks (`set_cred_user_ns` in kernel/user_namespace.c); 7.3.4 keeps both.
//!
//! See Documentation/userspace-api/check_exec.rst, and capabilities(7).

use nix::libc;

use crate::scenario::{Elf, Exec, Scenario, System, fork_start, reap};
use crate::sys::{self, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "secure bits for interpreters, and what they do to an exec",
    run,
    ..Scenario::DEFAULT
};

/// Of include/uapi/linux/securebits.h.
const RESTRICT_FILE: libc::c_ulong = 1 << 8;
const RESTRICT_FILE_LOCKED: libc::c_ulong = 1 << 9;
const DENY_INTERACTIVE: libc::c_ulong = 1 << 10;

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    system.file("good", &Elf::new().build(), 0o755)?;
    let both = RESTRICT_FILE | DENY_INTERACTIVE;
    let locked = both | RESTRICT_FILE_LOCKED;
    let execs = |bits: &'static [libc::c_ulong]| {
        reap(fork_start(move || {
            for bits in bits {
                sys::prctl(libc::PR_SET_SECUREBITS, *bits)?;
            }
            Invocation::new(&[], &[]).execve(c"/tmp/good")
        })?)
    };
    const BOTH: &[libc::c_ulong] = &[RESTRICT_FILE | DENY_INTERACTIVE];
    const UNLOCKED: &[libc::c_ulong] = &[RESTRICT_FILE | RESTRICT_FILE_LOCKED, 0];
    system.fact("both bits, then execve", execs(BOTH)?)?;
    system.fact("a locked bit taken back, then execve", execs(UNLOCKED)?)?;
    for (what, bits) in [("both bits", both), ("both bits, one locked", locked)] {
        for (who, user) in [("root", false), ("a user", true)] {
            let exec = Exec::path("/tmp/reporter")?.reports(&["securebits"])?;
            let exec = if user { exec.as_user() } else { exec };
            let exec = exec.before(move || {
                // Where it cannot be done the new program has none.
                let _ = sys::prctl(libc::PR_SET_SECUREBITS, bits);
                Ok(())
            });
            let what = format!("{what}, set by {who}");
            let seen = system.look(&what, &exec)?;
            let found = seen.found("securebits")?;
            system.fact(&format!("{what}: of the new program"), found)?;
        }
    }
    Ok(())
}
