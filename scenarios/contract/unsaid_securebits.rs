//! Exec keeps the securebits, except `SECBIT_KEEP_CAPS`, which it clears even when that bit is locked.
//!
//! `cap_bprm_creds_from_file` (security/commoncap.c) has `new->securebits &= ~issecure_mask(SECURE_KEEP_CAPS)`; the lock only
//! keeps prctl(2) from changing the bit. A set-user-ID file makes no difference.
//!
//! See [c:capabilities-securebits].

use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the securebits are kept, except SECBIT_KEEP_CAPS",
    run,
    ..Scenario::DEFAULT
};

const KEEP_CAPS: u64 = 1 << 4;
const KEEP_CAPS_LOCKED: u64 = 1 << 5;
const NO_AMBIENT_RAISE: u64 = 1 << 6;

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/securebits");
    system.ours("plain")?;
    system.ours_with_mode("user", 0o4755)?;
    let with = |path: &str, bits: u64| {
        let exec = Exec::path(path)?.reports(&["securebits"])?;
        // Before the change to another user, which may not set them.
        let exec = exec.before(move || {
            Ok(sys::set_attribute_of_process(
                libc::PR_SET_SECUREBITS,
                bits,
                0,
            )?)
        });
        anyhow::Ok(exec.as_user())
    };
    let all = KEEP_CAPS | KEEP_CAPS_LOCKED | NO_AMBIENT_RAISE;
    let seen = system.look("a call that fails", &with("/tmp/none", all)?)?;
    claim.control("a call that fails", all, seen.found("securebits")?)?;
    let cases = [
        (
            "NO_CAP_AMBIENT_RAISE",
            "/tmp/plain",
            NO_AMBIENT_RAISE,
            NO_AMBIENT_RAISE,
        ),
        ("KEEP_CAPS", "/tmp/plain", KEEP_CAPS, 0),
        (
            "KEEP_CAPS, locked",
            "/tmp/plain",
            all,
            KEEP_CAPS_LOCKED | NO_AMBIENT_RAISE,
        ),
        (
            "a set-user-ID file",
            "/tmp/user",
            all,
            KEEP_CAPS_LOCKED | NO_AMBIENT_RAISE,
        ),
    ];
    for (what, path, bits, wanted) in cases {
        let seen = system.look(what, &with(path, bits)?)?;
        claim.stated(what, wanted, seen.found("securebits")?);
    }
    system.verdict(&claim)
}
