//! `AT_SECURE` is set where the start made an effective id another than the real one (from 6.17 on also where it made the effective user
//! the real one), and where it gave capabilities to who is not root; also where the two differed before and still do.
//!
//! `cap_bprm_creds_from_file` (security/commoncap.c) sets `secureexec` when the new effective user
//! id is not the old *real* one (`__is_setuid`; from [c:unsafe-exec] on written out, which asks for a change as
//! well). A process whose two ids differ, as a set-user-ID program's may, gets it for every program
//! without these bits that it starts. getauxval(3) names set-user-ID and
//! set-group-ID programs and capabilities that are gained, most commonly, and security modules; ld.so(8)
//! names ids that differ.
//!
//! A file's capabilities do not set it where the real user is root (`!__is_real(root_uid, new)` there), also when a root that had no
//! capability gains all of them by this start.
//!
//! Of security modules AppArmor, SELinux, Smack and BPF (`bpf_bprm_opts_set`, not on 5.10) set it where the ids stay: AppArmor where a
//! rule other than `ix` is not `unsafe`, SELinux for a change of domain without the permission `noatsecure`, Smack for one to another
//! label than at the fork.
//!
//! The set-user-ID bit alone does not count: a file of the caller's own changes no id. See
//! getauxval(3), `AT_SECURE`.

use nix::libc;
use nix::unistd::{Uid, chown, setresuid};

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "where AT_SECURE is set",
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
