//! Exec keeps the locks of open file descriptions with their descriptor. It also keeps the record locks of the caller's
//! descriptor table, unless it closes a descriptor of the same file, or another process shares the table.
//!
//! A record lock belongs to the descriptor table (`files_struct`). Before [c:unshare-files-late] (backported to 5.10.220) a
//! process of several threads, which share the table, got a copy of it at the exec, and its record locks went with the old table.
//! Since then the kernel makes any copy after `de_thread`, when no thread shares the table any more: all kernels here keep the
//! locks.
//!
//! Another process that shares the table (`CLONE_FILES` alone) still has the old one afterwards, and the locks with it.
//! /proc/locks lists them under the ID of the process that took them, and that process may not take them again.
//!
//! Closing another descriptor of the same file drops a record lock: that is the rule of POSIX for close(2)
//! (`locks_remove_posix`), and closing on exec is a close. fcntl(2) says of record locks that exec keeps them
//! ([c:fcntl-locks-kept]); execve(2) names this case.
//!
//! See [c:fcntl-locks], and flock(2).

use nix::fcntl::{FcntlArg, Flock, FlockArg, OFlag, fcntl};
use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, needs, share_descriptors};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "file locks are kept, with two exceptions for record locks",
    needs: &[needs::FILE_LOCKING],
    run,
    ..Scenario::DEFAULT
};

const LOCKED: &str = "/tmp/locked";

/// A kind of lock as /proc/locks names it.
type Lock = (&'static str, fn() -> anyhow::Result<()>);

const KINDS: [Lock; 3] = [("POSIX", posix), ("OFDLCK", description), ("FLOCK", whole)];

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    system.file("locked", b"", 0o644)?;
    let mut claim = Evidence::new("unsaid/file_locks");
    let exec = Exec::path(&reporter)?.reports(&["locks"])?;
    let kept = |exec: Exec, lock: Lock| exec.opened(5, LOCKED, OFlag::O_RDWR).before(lock.1);
    for lock in KINDS {
        let name = lock.0;
        let closing = OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let gone = exec.clone().opened(5, LOCKED, closing).before(lock.1);
        let seen = system.look(&format!("{name}, close-on-exec"), &gone)?;
        claim.control(name, "none", seen.found("locks")?)?;
        let seen = system.look(name, &kept(exec.clone(), lock))?;
        claim.stated(name, name, seen.found("locks")?);
        let thread = Exec::by("execve in a thread", &reporter, |args| {
            args.execve_in_thread("t")
        })?;
        let what = format!("{name}, a thread calls");
        let seen = system.look(&what, &kept(thread.reports(&["locks"])?, lock))?;
        claim.stated(&what, name, seen.found("locks")?);
        let other = kept(exec.clone().opened(6, LOCKED, closing), lock);
        let what = format!("{name}, another descriptor of the file is closed by the start");
        let seen = system.look(&what, &other)?;
        claim.stated(&what, name, seen.found("locks")?);
    }
    let exec = Exec::path(&reporter)?.reports(&["locks", "can-lock"])?;
    let what = "POSIX, of the caller alone: can be taken again";
    let seen = system.look(what, &kept(exec.clone(), KINDS[0]))?;
    claim.control(what, "yes", seen.found("can-lock")?)?;
    let what = "POSIX, another process shares the descriptors: can be taken again";
    let shared = kept(exec, KINDS[0]).before(|| Ok(share_descriptors()?));
    let seen = system.look(what, &shared)?;
    claim.stated(what, "yes", seen.found("can-lock")?);
    system.verdict(&claim)
}

/// The whole file, for writing.
fn range() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn posix() -> anyhow::Result<()> {
    let file = std::mem::ManuallyDrop::new(sys::adopt_fd(5));
    fcntl(&*file, FcntlArg::F_SETLK(&range()))?;
    Ok(())
}

fn description() -> anyhow::Result<()> {
    let file = std::mem::ManuallyDrop::new(sys::adopt_fd(5));
    fcntl(&*file, FcntlArg::F_OFD_SETLK(&range()))?;
    Ok(())
}

fn whole() -> anyhow::Result<()> {
    let lock = Flock::lock(sys::adopt_fd(5), FlockArg::LockExclusiveNonblock);
    let lock = lock.map_err(|(_, errno)| errno)?;
    // Dropped it would be unlocked.
    std::mem::forget(lock);
    Ok(())
}
