//! Every exec recomputes the capabilities: a user keeps the ambient ones and loses those that are only permitted. A file that
//! changes the IDs, or whose own capabilities count, clears the ambient set.
//!
//! `cap_bprm_creds_from_file` (security/commoncap.c) clears `new->cap_ambient` in two cases, and adds what is left to the new
//! permitted and effective sets:
//! - `get_file_caps` finds capabilities of the file (on a nosuid mount it looks at none).
//! - The IDs change, even where they are taken back (traced, or `fs_struct` shared: read in source).
//!
//! A set-user-ID file of the caller's own, tried here, leaves the ambient set alone.
//!
//! What counts as a change of the IDs has changed itself. Up to 6.16 the kernel compared the new effective ID with the old *real*
//! one, and an ordinary program cleared the ambient set of a process whose two IDs differed before. Since [c:unsafe-exec] it
//! compares a new effective user with the old effective one. A new effective group is no change where it is the old file-system
//! group (mostly the effective one; setfsgid(2)) or one of the supplementary groups: a file of such a group that is set-group-ID
//! alone keeps the ambient set, which capabilities(7) denies.
//!
//! See [c:capabilities-transformation].

use nix::libc;
use nix::unistd::{Gid, Uid, chown, setgroups, setresuid};

use crate::scenario::{Evidence, Exec, Scenario, System, USER, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "capabilities are recomputed; some files clear the ambient set",
    needs: &[needs::SAME_CALLER, needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

/// CAP_NET_RAW, and as the reporter says it.
const NET_RAW: u64 = 1 << 13;
const SAID: &str = "2000";

/// A group that the user is a member of.
const GROUP: Gid = Gid::from_raw(2000);

const FIELDS: [&str; 4] = ["inheritable", "permitted", "effective", "ambient"];

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/capabilities");
    system.ours("plain")?;
    system.ours_with_mode("user", 0o4755)?;
    system.ours_with_mode("group", 0o2755)?;
    system.ours("own")?;
    chown("/tmp/own", Some(Uid::from_raw(1000)), None)?;
    system.set_mode("own", 0o4755)?;
    system.ours("member")?;
    chown("/tmp/member", None, Some(GROUP))?;
    system.set_mode("member", 0o2755)?;
    system.ours("capable")?;
    sys::set_file_capabilities(c"/tmp/capable", NET_RAW)?;
    let seen = system.look(
        "a call that fails",
        &holding("/tmp/none", Ambient::None, USER)?,
    )?;
    claim.control("a call that fails", SAID, seen.found("permitted")?)?;
    let seen = system.look(
        "permitted and inheritable",
        &holding("/tmp/plain", Ambient::None, USER)?,
    )?;
    claim.stated("permitted before", "0", seen.found("permitted")?);
    claim.stated("inheritable before", SAID, seen.found("inheritable")?);
    let seen = system.look("ambient", &holding("/tmp/plain", Ambient::Raised, USER)?)?;
    for field in ["ambient", "permitted", "effective"] {
        claim.stated(
            &format!("ambient before: {field}"),
            SAID,
            seen.found(field)?,
        );
    }
    let cases = [
        ("ambient, set-user-ID of root", "/tmp/user", "0"),
        ("ambient, set-group-ID of root", "/tmp/group", "0"),
        (
            "ambient, set-group-ID of one of its groups",
            "/tmp/member",
            "0",
        ),
        ("ambient, file capabilities", "/tmp/capable", "0"),
        ("ambient, set-user-ID of the caller", "/tmp/own", SAID),
    ];
    for (what, path, wanted) in cases {
        let seen = system.look(what, &holding(path, Ambient::Raised, USER)?)?;
        claim.stated(what, wanted, seen.found("ambient")?);
    }
    let what = "ambient, effective user other than the real one";
    let seen = system.look(what, &holding("/tmp/plain", Ambient::Raised, USER + 1)?)?;
    claim.stated(what, SAID, seen.found("ambient")?);
    system.verdict(&claim)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ambient {
    None,
    Raised,
}

/// A start by a user who has one capability, as this effective user.
fn holding(path: &str, ambient: Ambient, effective: u32) -> anyhow::Result<Exec> {
    const NO_SETUID_FIXUP: u64 = 1 << 2;
    let exec = Exec::path(path)?.reports(&FIELDS)?.before(|| {
        Ok(sys::set_attribute_of_process(
            libc::PR_SET_SECUREBITS,
            NO_SETUID_FIXUP,
            0,
        )?)
    });
    Ok(exec.as_user().before(move || {
        let (real, effective) = (Uid::from_raw(USER), Uid::from_raw(effective));
        setresuid(real, effective, effective)?;
        sys::set_attribute_of_process(libc::PR_SET_SECUREBITS, 0, 0)?;
        setgroups(&[GROUP])?;
        sys::set_capabilities(NET_RAW, NET_RAW, NET_RAW)?;
        if ambient == Ambient::Raised {
            let raise = libc::PR_CAP_AMBIENT_RAISE as u64;
            sys::set_attribute_of_process(libc::PR_CAP_AMBIENT, raise, 13)?;
        }
        Ok(())
    }))
}
