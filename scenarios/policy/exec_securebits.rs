//! The secure bits for interpreters do nothing to an exec.
//!
//! `SECBIT_EXEC_RESTRICT_FILE` and `SECBIT_EXEC_DENY_INTERACTIVE` are a convention between programs: an interpreter that
//! heeds them asks with `AT_EXECVE_CHECK` before it runs a script. The kernel:
//! - keeps them through fork and exec;
//! - has locks for them like those of the other bits (EPERM for a change);
//! - lets everybody change them;
//! - refuses no exec because of them, whether of a program or of a script.
//!
//! The bits came with [c:exec-securebits]. Up to 6.13 they are unknown: setting them fails with EPERM (`cap_task_prctl` in
//! security/commoncap.c). Where a call of prctl(2) fails, the first four facts say which one, and nothing is executed; for the
//! facts "of the new program" the program is executed all the same, without the bits. Whoever makes a user namespace loses the
//! bits there, and their locks (`set_cred_user_ns` in kernel/user_namespace.c); 7.3.4 keeps both.
//!
//! See Documentation/userspace-api/check_exec.rst, and capabilities(7).

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use nix::libc;
use nix::sched::{CloneFlags, unshare};

use crate::scenario::{Elf, Exec, Scenario, System, fork_start, needs, reap};
use crate::sys::{self, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "the secure bits for interpreters refuse no exec",
    needs: &[needs::UNPRIVILEGED_USER_NAMESPACES],
    run,
    ..Scenario::DEFAULT
};

/// Of include/uapi/linux/securebits.h.
const RESTRICT_FILE: libc::c_ulong = 1 << 8;
const RESTRICT_FILE_LOCKED: libc::c_ulong = 1 << 9;
const DENY_INTERACTIVE: libc::c_ulong = 1 << 10;

fn run(system: &mut System) -> Result<()> {
    system.ours("reporter")?;
    system.file("good", &Elf::new().build(), 0o755)?;
    system.script("script", "#!/tmp/good\n")?;
    let both = RESTRICT_FILE | DENY_INTERACTIVE;
    let locked = both | RESTRICT_FILE_LOCKED;
    let (free, held) = (RESTRICT_FILE, RESTRICT_FILE | RESTRICT_FILE_LOCKED);
    let (good, script) = (c"/tmp/good", c"/tmp/script");
    let failed = sys::shared_word().context("failed to map memory for the child's word")?;
    for (what, bits, path) in [
        ("both bits, then execve", &[both][..], good),
        ("both bits, then execve of a script", &[both], script),
        ("a bit taken back, then execve", &[free, 0], good),
        ("a locked bit taken back, then execve", &[held, 0], good),
    ] {
        system.fact(what, execs(bits, path, failed)?)?;
    }
    for (what, bits) in [("both bits", both), ("both bits, one locked", locked)] {
        let set = |exec: Exec| {
            exec.before(move || {
                // Where it cannot be done the new program has none.
                let _ = sys::prctl(libc::PR_SET_SECUREBITS, bits);
                Ok(())
            })
        };
        let reporter = || Exec::path("/tmp/reporter")?.reports(&["securebits"]);
        let namespace = || Ok(unshare(CloneFlags::CLONE_NEWUSER)?);
        for (who, exec) in [
            ("set by root", set(reporter()?)),
            ("set by a user", set(reporter()?.as_user())),
            (
                "set by root, then a new user namespace",
                set(reporter()?).before(namespace),
            ),
        ] {
            let what = format!("{what}, {who}");
            let seen = system.look(&what, &exec)?;
            let found = seen.found("securebits")?;
            system.fact(&format!("{what}: of the new program"), found)?;
        }
    }
    Ok(())
}

/// How an exec ends after these bits were set, one after the other, or which of these calls failed.
fn execs(bits: &[libc::c_ulong], path: &CStr, failed: &AtomicU32) -> Result<String> {
    const CALLS: [&str; 2] = ["set", "taken back"];
    // The number of the call that the child makes; 0 for the exec.
    let calls = (1..).zip(bits);
    let end = reap(fork_start(|| {
        for (nth, bits) in calls {
            failed.store(nth, Ordering::SeqCst);
            sys::prctl(libc::PR_SET_SECUREBITS, *bits)?;
        }
        failed.store(0, Ordering::SeqCst);
        Invocation::new(&[], &[]).execve(path)
    })?)?;
    let nth = failed.load(Ordering::SeqCst) as usize;
    Ok(match nth.checked_sub(1).and_then(|nth| CALLS.get(nth)) {
        Some(call) => format!("{call}: {end}"),
        None => end,
    })
}
