//! `AT_SECURE` is set where the start changed credentials, and also where they differed before.
//!
//! `cap_bprm_creds_from_file` (security/commoncap.c) sets `secureexec` when the new effective user
//! id is not the old *real* one (`__is_setuid`, in newer kernels written out). A process whose two
//! ids differ, as a set-user-ID program's do, gets it for every program that it starts, although
//! nothing changes then. getauxval(3) names set-user-ID and set-group-ID programs and capabilities that are gained, most commonly, and
//! security modules; ld.so(8) names ids that differ.
//!
//! Of security modules AppArmor and SELinux set it where the ids stay: AppArmor for a change of profile that is not `unsafe`, SELinux for one of domain
//! without the permission `noatsecure`.
//!
//! The set-user-ID bit alone does not count: a file of the caller's own changes nothing. See
//! getauxval(3), `AT_SECURE`.

use nix::libc;
use nix::unistd::{Uid, chown, setresuid};

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "AT_SECURE is set where credentials changed",
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
