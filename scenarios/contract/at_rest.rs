//! What is claimed of execveat and takes more than a call: memory that cannot be had, a signal that is caught, a security module.
//!
//! Memory that may not be promised is ENOMEM, as for execve (`contract/error_enomem`): `alloc_bprm` and `bprm_mm_init` hand on what
//! they are told, and nothing on the way says EAGAIN for it.
//!
//! EINTR is true, and rare: the open of a file under another process's write lease waits for it to be broken (`__break_lease` in
//! fs/locks.c, called by `do_dentry_open`), and a signal that is caught ends that wait (with `SA_RESTART` the call is made
//! again). Where a listener holds the open it does not (`fanotify_get_response` waits killably, so that a signal has to be fatal, as
//! SIGKILL is, or SIGTERM without a handler): the start goes on, and the signal that was caught, whose handler is gone by then,
//! does to the new program what its default is: SIGUSR1 ends it.
//!
//! Finding: neither AppArmor nor Landlock, which came with 5.13, knows a capability that lets a caller pass: root is refused as
//! everybody is (`profile_transition` in security/apparmor/domain.c, `hook_file_open` in security/landlock/fs.c). CAP_MAC_ADMIN is
//! for changing configuration or state. Other modules are not tried.
//!
//! See fcntl(2), `F_SETLEASE`, landlock(7) and capabilities(7).

use std::fs::File;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::libc::AT_FDCWD;
use nix::sys::signal::{SigSet, Signal, kill};

use crate::observer::apparmor::{APPARMOR, REFUSES, take_on};
use crate::scenario::{Elf, ErrnoClaim, Evidence, Exec, Scenario, System, fork_start, needs, reap};
use crate::sys::{self, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "errors of execveat that take a lease, a limit of memory or a security module",
    needs: &[needs::OWN_SETTINGS, needs::LANDLOCK, APPARMOR],
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
    claim.stated("no memory left to promise", &strict)?;
    claim.verdict()
}

fn signal(system: &mut System) -> Result<()> {
    let mut claim = Evidence::new("at-error/EINTR");
    claim.stated("while a lease is broken", "errno EINTR", interrupted()?);
    let exec = Exec::at("execveat", "/tmp/watched", AT_FDCWD, c"/tmp/watched", 0)?;
    let exec = exec.before(|| Ok(sys::handle_all()?));
    let seen = system.signalled(&exec, Signal::SIGUSR1, 1)?;
    claim.stated("while a listener holds the open", "errno EINTR", seen.how);
    system.verdict(&claim)
}

/// Has a child execute a file under a lease of ours, sends it a signal that it handles when the lease is to be broken, and
/// says what became of the call.
fn interrupted() -> Result<String> {
    let file = File::open("/tmp/unwatched/program").context("failed to open the program")?;
    let broken = SigSet::from(Signal::SIGIO);
    broken.thread_block().context("failed to block SIGIO")?;
    sys::lease(&file).context("failed to take a lease")?;
    let child = fork_start(|| {
        sys::handle_all()?;
        Invocation::new(&[], &[]).execveat(AT_FDCWD, PROGRAM, 0)
    })?;
    broken.wait().context("failed to wait for SIGIO")?;
    kill(child, Signal::SIGUSR1).context("failed to send a signal")?;
    let end = reap(child)?;
    broken
        .thread_unblock()
        .context("failed to let SIGIO through")?;
    Ok(end)
}

fn module(system: &mut System) -> Result<()> {
    let end = reap(fork_start(|| {
        sys::execute_nothing()?;
        Invocation::new(&[], &[]).execveat(AT_FDCWD, PROGRAM, 0)
    })?)?;
    system.fact("a program that Landlock does not allow, by root", &end)?;
    REFUSES.load()?;
    let confined = reap(fork_start(|| {
        take_on(REFUSES.name)?;
        Invocation::new(&[], &[]).execveat(AT_FDCWD, PROGRAM, 0)
    })?)?;
    let mut claim = Evidence::new("at-limit/mac_admin");
    let what = "refused by AppArmor, root with every capability";
    claim.stated(what, "exit 0", confined);
    system.verdict(&claim)
}
