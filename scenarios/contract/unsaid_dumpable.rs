//! Exec sets the dumpable attribute to 1 again. It sets it to `fs.suid_dumpable` instead where effective IDs change, permitted
//! capabilities grow, the file cannot be read, or the real and the effective ID differed before.
//!
//! `begin_new_exec` (fs/exec.c) chooses `suid_dumpable` when the file or its ELF interpreter could not be read (`would_dump` put
//! `BINPRM_FLAGS_ENFORCE_NONDUMP`) or when effective and real IDs differ, and 1 otherwise. It looks at what the IDs are, not at
//! whether they changed.
//!
//! For an exec, prctl(2) names only changes: of IDs by a set-user-ID or set-group-ID program, and of capabilities that a file
//! adds. `commit_creds` (kernel/cred.c) sees those later.
//!
//! execve(2) says what follows for everybody else: a process that made itself not dumpable is dumpable again after its next exec.
//! prctl(2) does not say it.
//!
//! See prctl(2), `PR_SET_DUMPABLE`, and proc_sys_fs(5), `suid_dumpable`.

use nix::libc;
use nix::unistd::{Uid, chown, setresuid};

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the dumpable attribute becomes 1 again, or fs.suid_dumpable",
    needs: &[needs::OWN_SETTINGS, needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

const FIELD: &[&str] = &["dumpable"];

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/dumpable");
    system.ours("plain")?;
    system.ours_with_mode("user", 0o4755)?;
    system.ours_with_mode("unreadable", 0o711)?;
    system.ours("capable")?;
    sys::set_file_capabilities(c"/tmp/capable", 1 << 13)?;
    system.ours("own")?;
    chown("/tmp/own", Some(Uid::from_raw(1000)), None)?;
    system.set_mode("own", 0o4755)?;
    let not_dumpable = |path: &str| {
        let exec = Exec::path(path)?.reports(FIELD)?;
        anyhow::Ok(exec.before(|| Ok(sys::set_attribute_of_process(libc::PR_SET_DUMPABLE, 0, 0)?)))
    };
    let seen = system.look(
        "not dumpable, a call that fails",
        &not_dumpable("/tmp/none")?,
    )?;
    claim.control("a call that fails", "0", seen.found("dumpable")?)?;
    let seen = system.look("not dumpable before", &not_dumpable("/tmp/plain")?)?;
    claim.stated("not dumpable before", "1", seen.found("dumpable")?);
    let root = Exec::path("/tmp/unreadable")?.reports(FIELD)?;
    let seen = system.look("a file of mode 0711, by root", &root)?;
    claim.stated("a file of mode 0711, by root", "1", seen.found("dumpable")?);
    for value in ["0", "2"] {
        system.sysctl("fs/suid_dumpable", value)?;
        let cases = [
            ("set-user-ID of root", "/tmp/user", value),
            ("a file of mode 0711, by a user", "/tmp/unreadable", value),
            ("file capabilities", "/tmp/capable", value),
            ("set-user-ID of the caller", "/tmp/own", "1"),
        ];
        for (what, path, wanted) in cases {
            let what = format!("{what}, suid_dumpable {value}");
            let seen = system.look(&what, &Exec::path(path)?.reports(FIELD)?.as_user())?;
            claim.stated(&what, wanted, seen.found("dumpable")?);
        }
        let exec = Exec::path("/tmp/plain")?.reports(FIELD)?;
        let (user, root) = (Uid::from_raw(1000), Uid::from_raw(0));
        let exec = exec.before(move || Ok(setresuid(user, root, root)?));
        let what = format!("no change, but two user ids before, suid_dumpable {value}");
        let seen = system.look(&what, &exec)?;
        claim.stated(&what, "1", seen.found("dumpable")?);
    }
    system.verdict(&claim)
}
