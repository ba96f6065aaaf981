//! The thread that calls keeps its parent-death signal. The kernel clears it where effective or file system IDs change or permitted
//! capabilities grow, and also where the effective ID was not the real one before.
//!
//! The code that clears it:
//! - `begin_new_exec` (fs/exec.c) clears `pdeath_signal` whenever `secureexec` is set, which is possible without a change (see
//!   `contract/unsaid_secure`). Capabilities that a file gives set `secureexec` too, unless the real user is root
//!   (`cap_bprm_creds_from_file`): a root that had them before keeps the signal, whatever prctl(2) says of such a file.
//! - `commit_creds` (kernel/cred.c) also clears it where an effective or file system ID changes or permitted capabilities grow.
//! - SELinux clears it at each change of domain (`selinux_bprm_committing_creds`).
//! - AppArmor clears it at a change of profile, unless the new one is unconfined (`apparmor_bprm_committing_creds`).
//!
//! The signal belongs to the thread (`task_struct.pdeath_signal`), not to the process, and `de_thread` does not carry it over
//! from the leader. When the calling thread has not asked for it itself, the process has none afterwards. prctl(2) does not say
//! that.
//!
//! See prctl(2), `PR_SET_PDEATHSIG`.

use nix::unistd::{Uid, setresuid};

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "new effective IDs or capabilities clear the parent-death signal",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/death_signal");
    system.ours("plain")?;
    system.ours_with_mode("user", 0o4755)?;
    system.ours("capable")?;
    sys::set_file_capabilities(c"/tmp/capable", 1 << 13)?;
    let report = |exec: Exec| exec.reports(&["death-signal"]);
    let seen = system.look("none set", &report(Exec::path("/tmp/plain")?)?)?;
    claim.control("none set", "none", seen.found("death-signal")?)?;
    let cases = [
        ("no change", "/tmp/plain", "SIGUSR1"),
        ("set-user-ID of root", "/tmp/user", "none"),
        ("file capabilities", "/tmp/capable", "none"),
    ];
    for (what, path, wanted) in cases {
        let seen = system.look(what, &asking(report(Exec::path(path)?)?.as_user()))?;
        claim.stated(what, wanted, seen.found("death-signal")?);
    }
    for (what, left, wanted) in [
        ("file capabilities, by root", true, "none"),
        ("file capabilities, by root without any", false, "none"),
    ] {
        let exec = report(Exec::path("/tmp/capable")?)?;
        let exec = exec.before(move || match left {
            true => Ok(()),
            false => Ok(sys::set_capabilities(0, 0, 0)?),
        });
        let seen = system.look(what, &asking(exec))?;
        claim.stated(what, wanted, seen.found("death-signal")?);
    }
    let differ = report(Exec::path("/tmp/plain")?)?;
    let (user, root) = (Uid::from_raw(1000), Uid::from_raw(0));
    let differ = asking(differ.before(move || Ok(setresuid(user, root, root)?)));
    let seen = system.look("no change, but two user ids before", &differ)?;
    claim.stated(
        "no change, but two user ids before",
        "SIGUSR1",
        seen.found("death-signal")?,
    );
    let thread = Exec::by("execve in a thread", "/tmp/plain", |args| {
        args.execve_in_thread("t")
    })?;
    let seen = system.look(
        "set by the leader, another thread calls",
        &asking(report(thread)?),
    )?;
    let what = "set by the leader, another thread calls";
    claim.stated(what, "SIGUSR1", seen.found("death-signal")?);
    system.verdict(&claim)
}

/// Asks for the signal last: a change of ids would clear it.
fn asking(exec: Exec) -> Exec {
    exec.before(|| {
        Ok(nix::sys::prctl::set_pdeathsig(
            nix::sys::signal::Signal::SIGUSR1,
        )?)
    })
}
