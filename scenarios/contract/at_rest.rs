//! Tries claims about execveat that take more than a call: memory that cannot be had, a signal that is caught, a security module.
//!
//! The first kernel memory that a start cannot have is ENOMEM, as for execve (`contract/error_enomem`, with the exceptions); a
//! page for arguments is E2BIG (`get_arg_page`). ENOMEM is also a page for the new stack that would exceed the commit limit.
//! `alloc_bprm`, `do_open_execat` and `bprm_mm_init` hand on the errno that they get, and nothing on the way says EAGAIN for it.
//!
//! EINTR is possible, but rare. The open of a file under another process's write lease waits until the lease is broken
//! (`__break_lease` in fs/locks.c, called by `do_dentry_open`). A caught signal ends that wait; with `SA_RESTART` the call is
//! made again.
//!
//! A caught signal does not end the wait for a listener that holds the open. `fanotify_get_response` waits killably, so the
//! signal has to kill without a core dump (`complete_signal`), as SIGKILL does, or SIGTERM without a handler. Once the
//! listener allows the open, the start goes on. Where the caller is the only thread, the caught signal then does to the new
//! program what its default is, since its handler is gone by then: SIGUSR1 ends it.
//!
//! Finding: neither AppArmor nor Landlock, which came with 5.13, knows a capability that lets a caller pass. They refuse root
//! like anybody else (`profile_transition` in security/apparmor/domain.c, `hook_file_open` in security/landlock/fs.c). By
//! capabilities(7), CAP_MAC_ADMIN is for changing configuration or state. The callers may use it when they are confined:
//! capget(2) shows it, and leaves out what a profile does not allow (`apparmor_capget`), so the profile allows it. Other modules
//! are not tried.
//!
//! See fcntl(2), `F_SETLEASE`, landlock(7) and capabilities(7).

use std::fs::File;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::libc::AT_FDCWD;
use nix::sys::signal::{SigSet, Signal, kill};

use crate::observer::apparmor::{APPARMOR, take_on};
use crate::scenario::{
    Elf, ErrnoClaim, Evidence, Exec, Scenario, System, enter_memory_group, fork_start,
    make_memory_group, needs, reap, remove_memory_group, without_memory,
};
use crate::sys::{self, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "errors of execveat that take a lease, a limit of memory or a security module",
    needs: &[
        needs::OWN_SETTINGS,
        needs::EXEC_COUNTER,
        needs::MEMORY_GROUPS,
        needs::LANDLOCK,
        APPARMOR,
    ],
    run,
    ..Scenario::DEFAULT
};

const PROGRAM: &std::ffi::CStr = c"/tmp/unwatched/program";
const MODE: &str = "/proc/sys/vm/overcommit_memory";

fn run(system: &mut System) -> Result<()> {
    let place = system.directory("unwatched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("unwatched/program", &Elf::new().build(), 0o755)?;
    system.file("watched", &Elf::new().build(), 0o755)?;
    system.sysctl("vm/overcommit_memory", "0")?;
    system.sysctl("vm/overcommit_ratio", "0")?;
    memory(system)?;
    signal(system)?;
    module(system)
}

fn memory(system: &mut System) -> Result<()> {
    let strict = Exec::by("execveat", "/tmp/unwatched/program", |args| {
        std::fs::write(MODE, "2").map_err(|_| Errno::EBADMSG)?;
        let result = args.execveat(AT_FDCWD, PROGRAM, 0);
        std::fs::write(MODE, "0").map_err(|_| Errno::EBADMSG)?;
        result
    })?;
    let mut claim = ErrnoClaim::new(system, "at-error/EAGAIN_memory", Errno::EAGAIN);
    claim.starts(
        "as usual",
        &Exec::at("execveat", "the program", AT_FDCWD, PROGRAM, 0)?,
    )?;
    make_memory_group(claim.system())?;
    let short = Exec::by("execveat", "/tmp/unwatched/program", |args| {
        without_memory(|| args.execveat(AT_FDCWD, PROGRAM, 0))
    })?;
    let what = "in a cgroup that may have no memory";
    claim.stated(what, &short.before(enter_memory_group))?;
    claim.other("memory accounted strictly, none left to promise", &strict)?;
    claim.verdict()?;
    remove_memory_group()
}

fn signal(system: &mut System) -> Result<()> {
    let mut claim = Evidence::new("at-error/EINTR");
    claim.control("a lease that ends", "exit 0", interrupted(None)?)?;
    let end = interrupted(Some(Signal::SIGUSR1))?;
    claim.stated("while a lease is broken", "errno EINTR", end);
    let exec = Exec::at("execveat", "/tmp/watched", AT_FDCWD, c"/tmp/watched", 0)?;
    let exec = exec.before(|| Ok(sys::handle_all()?));
    let seen = system.signalled(&exec, Signal::SIGUSR1, 1)?;
    claim.stated("while a listener holds the open", "errno EINTR", seen.how);
    system.verdict(&claim)
}

/// Has a child execute a file under a lease of ours. When the lease is to be broken, sends the child a signal that it handles
/// or, where there is no signal, ends the lease. Returns what became of the call.
fn interrupted(signal: Option<Signal>) -> Result<String> {
    let file = File::open("/tmp/unwatched/program").context("failed to open the program")?;
    let broken = SigSet::from(Signal::SIGIO);
    broken.thread_block().context("failed to block SIGIO")?;
    sys::lease(&file).context("failed to take a lease")?;
    let child = fork_start(|| {
        sys::handle_all()?;
        start()
    })?;
    broken.wait().context("failed to wait for SIGIO")?;
    match signal {
        Some(signal) => kill(child, signal).context("failed to send a signal")?,
        None => sys::end_lease(&file).context("failed to end a lease")?,
    }
    let end = reap(child)?;
    broken
        .thread_unblock()
        .context("failed to let SIGIO through")?;
    Ok(end)
}

fn start() -> nix::Result<()> {
    Invocation::new(&[], &[]).execveat(AT_FDCWD, PROGRAM, 0)
}

fn module(system: &mut System) -> Result<()> {
    let mut claim = Evidence::new("at-limit/mac_admin");
    claim.control("allowed, root", "exit 0", as_admin(|| Ok(()))?)?;
    let end = as_admin(sys::execute_nothing)?;
    system.fact("a program that Landlock does not allow, by root", &end)?;
    let place = system.directory("security")?;
    system.mount("securityfs", "none", &place, "")?;
    std::fs::write(place.join("apparmor/.replace"), POLICY)?;
    let what = "refused by AppArmor, root with CAP_MAC_ADMIN";
    claim.stated(what, "exit 0", as_admin(|| take_on("exetrail-admin"))?);
    system.verdict(&claim)
}

/// What a compiler makes of `profile exetrail-admin { capability mac_admin, }`, which allows nothing else (`unpack_profile` in
/// security/apparmor/policy_unpack.c). The one beside `observer::apparmor` allows nothing at all.
const POLICY: &[u8] = b"\x04\x08\0version\0\x02\x05\0\0\0\
    \x04\x08\0profile\0\x07\x05\x0f\0exetrail-admin\0\
    \x04\x06\0flags\0\x07\x02\0\0\0\0\x02\0\0\0\0\x02\0\0\0\0\x08\
    \x02\0\0\0\0\x02\0\0\0\0\x02\0\0\0\0\x02\0\0\0\0\
    \x04\x07\0caps64\0\x07\x02\x02\0\0\0\x02\0\0\0\0\x02\0\0\0\0\x02\0\0\0\0\x08\x08";

/// How the start of a child ends that has confined itself and may then use CAP_MAC_ADMIN.
fn as_admin(confine: impl FnOnce() -> nix::Result<()>) -> Result<String> {
    /// CAP_MAC_ADMIN of capabilities(7).
    const MAC_ADMIN: u64 = 33;
    reap(fork_start(|| {
        confine()?;
        let [effective, ..] = sys::capabilities()?;
        match effective & (1 << MAC_ADMIN) {
            0 => Err(Errno::ENOTSUP),
            _ => start(),
        }
    })?)
}
