//! Exec closes the caller's descriptors with close-on-exec and leaves all others open, also when the table was shared.
//!
//! `begin_new_exec` (fs/exec.c) calls `do_close_on_exec` on a table that is the process's own by then (`unshare_files`; up to
//! 5.10.219 `bprm_execve` unshared it earlier). A call that fails with an errno closes none: 5 is still there for the caller.
//!
//! Where SELinux changes the domain, or AppArmor the profile to one that confines, the module puts its null file in the place of
//! what the new domain or profile may not use (`flush_unauthorized_files`, `aa_inherit_files`), or closes it where the null file
//! cannot be opened. AppArmor leaves what an unconfined process has opened (`aa_file_perm`).
//!
//! Another process that shared the table (clone(2), `CLONE_FILES`) keeps the old one (read in source). Threads end anyway.
//!
//! See [c:execve-descriptors], and open(2), `O_CLOEXEC`.

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

use crate::scenario::{Evidence, Exec, Scenario, System, share_descriptors};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "descriptors with close-on-exec are closed, others stay",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("effect/descriptors");
    let open = |exec: Exec| {
        let exec = exec.reports(&["descriptors"])?;
        let exec = exec.opened(5, "/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC);
        anyhow::Ok(exec.opened(6, "/dev/null", OFlag::O_RDONLY))
    };
    let seen = system.look("a call that fails", &open(Exec::path("/tmp/none")?)?)?;
    claim.control("a call that fails", "0 1 2 5 6", seen.found("descriptors")?)?;
    let exec = open(Exec::path(&reporter)?)?;
    let seen = system.look("5 with close-on-exec, 6 without", &exec)?;
    claim.stated(
        "5 with close-on-exec, 6 without",
        "0 1 2 6",
        seen.found("descriptors")?,
    );
    let later = exec.before(|| {
        let file = sys::adopt_fd(6);
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        // It stays open: only the start closes it.
        std::mem::forget(file);
        Ok(())
    });
    let seen = system.look("6 set by fcntl as well", &later)?;
    claim.stated(
        "6 set by fcntl as well",
        "0 1 2",
        seen.found("descriptors")?,
    );
    let thread = Exec::by("execve in a thread", &reporter, |args| {
        args.execve_in_thread("t")
    })?;
    let seen = system.look("the table shared by two threads", &open(thread)?)?;
    claim.stated(
        "the table shared by two threads",
        "0 1 2 6",
        seen.found("descriptors")?,
    );
    let what = "the table shared with another process";
    let shared = open(Exec::path(&reporter)?)?.before(|| Ok(share_descriptors()?));
    let seen = system.look(what, &shared)?;
    claim.stated(what, "0 1 2 6", seen.found("descriptors")?);
    system.verdict(&claim)
}
