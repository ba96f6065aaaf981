//! The kernel sets `AT_SECURE` in these cases:
//! - The exec made an effective ID differ from the real one.
//! - The two differed before and still do.
//! - The exec gave capabilities to a process that is not root.
//! - From 6.17 on, the exec made the effective user the real one.
//!
//! `cap_bprm_creds_from_file` (security/commoncap.c) sets `secureexec` when the new effective user ID is not the old *real* one
//! (`__is_setuid`; from [c:unsafe-exec] on the comparison is written out, and a change of the ID sets it as well). A process
//! whose two IDs differ, as a set-user-ID program's may, gets it for every program without a set-user-ID or set-group-ID bit that
//! it starts. getauxval(3) names set-user-ID and set-group-ID programs and gained capabilities as the most common causes, and
//! security modules; ld.so(8) names IDs that differ.
//!
//! A file's capabilities do not set it where the real user is root (`!__is_real(root_uid, new)` there), even when a root that had
//! no capability gains all of them by this exec.
//!
//! Of the security modules, these set it where the IDs stay:
//! - AppArmor, where a rule other than `ix` is not `unsafe`;
//! - SELinux, for a change of domain without the permission `noatsecure`;
//! - Smack, for a change to a label other than the one at the fork;
//! - BPF (`bpf_bprm_opts_set`, not on 5.10).
//!
//! The set-user-ID bit alone does not count: a file of the caller's own changes no ID.
//!
//! See getauxval(3), `AT_SECURE`.

use nix::libc;
use nix::unistd::{Uid, chown, setresuid};

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "AT_SECURE is set also where the IDs differed before",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/secure");
    system.ours("plain")?;
    system.ours_with_mode("user", 0o4755)?;
    system.ours_with_mode("group", 0o2755)?;
    system.ours_with_mode("own", 0o755)?;
    chown("/tmp/own", Some(Uid::from_raw(1000)), None)?;
    system.set_mode("own", 0o4755)?;
    system.ours("capable")?;
    sys::set_file_capabilities(c"/tmp/capable", 1 << 13)?;
    let cases = [
        ("no change", "/tmp/plain", "0"),
        ("set-user-ID of root", "/tmp/user", "1"),
        ("set-group-ID of root", "/tmp/group", "1"),
        ("file capabilities", "/tmp/capable", "1"),
        ("set-user-ID of the caller", "/tmp/own", "0"),
    ];
    for (what, path, wanted) in cases {
        let seen = system.look(what, &Exec::path(path)?.reports(&["secure"])?.as_user())?;
        claim.stated(what, wanted, seen.found("secure")?);
    }
    for (what, path) in [
        (
            "root without capabilities gains them from the file",
            "/tmp/capable",
        ),
        ("root without capabilities gains them as root", "/tmp/plain"),
    ] {
        let exec = Exec::path(path)?.reports(&["secure"])?;
        let exec = exec.before(|| Ok(sys::set_capabilities(0, 0, 0)?));
        let seen = system.look(what, &exec)?;
        claim.stated(what, "1", seen.found("secure")?);
    }
    let quiet = Exec::path("/tmp/user")?.reports(&["secure"])?.as_user();
    let quiet = quiet.before(|| {
        Ok(sys::set_attribute_of_process(
            libc::PR_SET_NO_NEW_PRIVS,
            1,
            0,
        )?)
    });
    let seen = system.look("set-user-ID of root, no_new_privs", &quiet)?;
    claim.stated(
        "set-user-ID of root, no_new_privs",
        "0",
        seen.found("secure")?,
    );
    let (user, root) = (Uid::from_raw(1000), Uid::from_raw(0));
    let taken = Exec::path("/tmp/own")?.reports(&["secure"])?;
    let taken = taken.before(move || Ok(setresuid(user, root, root)?));
    let what = "set-user-ID of the real user, where the effective one was root";
    let seen = system.look(what, &taken)?;
    claim.stated(what, "1", seen.found("secure")?);
    for (what, effective) in [("effective user root", root), ("effective user 1000", user)] {
        let real = if effective == root { user } else { root };
        let exec = Exec::path("/tmp/plain")?.reports(&["secure"])?;
        let exec = exec.before(move || Ok(setresuid(real, effective, effective)?));
        let what = format!("no change, but {what} and another real one before");
        let seen = system.look(&what, &exec)?;
        claim.stated(&what, "0", seen.found("secure")?);
    }
    system.verdict(&claim)
}
