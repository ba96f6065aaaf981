//! A 64-bit program keeps the personality, without `READ_IMPLIES_EXEC` and the flags that a set-user-ID file clears.
//!
//! `begin_new_exec` clears the flags in `bprm->per_clear`. It holds `PER_CLEAR_ON_SETID` (include/uapi/linux/personality.h) where
//! one of these put it there:
//! - `bprm_fill_uid`, for a set-user-ID file whose bit is not ignored, also when the file is the caller's own;
//! - `cap_bprm_creds_from_file`, for a program that would gain permitted capabilities, also where `no_new_privs` then takes them
//!   away again;
//! - AppArmor, SELinux and Smack, for a change of profile, domain or label.
//!
//! `set_personality_64bit` (arch/x86/kernel) clears `READ_IMPLIES_EXEC` for every 64-bit program ([c:always-this-way]).
//!
//! See personality(2).

use nix::libc;
use nix::sys::personality::{self, Persona};

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "a 64-bit program keeps most of the personality",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/personality");
    system.ours("plain")?;
    system.ours_with_mode("user", 0o4755)?;
    let fixed = Persona::ADDR_NO_RANDOMIZE | Persona::UNAME26;
    let with = |path: &str, persona: Persona| {
        let exec = Exec::path(path)?.reports(&["personality"])?.as_user();
        anyhow::Ok(exec.before(move || Ok(personality::set(persona).map(drop)?)))
    };
    let readable = Persona::READ_IMPLIES_EXEC;
    let seen = system.look("a call that fails", &with("/tmp/none", fixed | readable)?)?;
    claim.control("a call that fails", "0x460000", seen.found("personality")?)?;
    let linux32 = Persona::from_bits_retain(8);
    let cases = [
        (
            "ADDR_NO_RANDOMIZE and UNAME26",
            "/tmp/plain",
            fixed,
            "0x60000",
        ),
        ("PER_LINUX32", "/tmp/plain", linux32, "0x8"),
        (
            "READ_IMPLIES_EXEC as well",
            "/tmp/plain",
            fixed | readable,
            "0x60000",
        ),
        (
            "a set-user-ID file",
            "/tmp/user",
            fixed | readable,
            "0x20000",
        ),
    ];
    for (what, path, persona, wanted) in cases {
        let seen = system.look(what, &with(path, persona)?)?;
        claim.stated(what, wanted, seen.found("personality")?);
    }
    let quiet = with("/tmp/user", fixed)?.before(|| {
        Ok(sys::set_attribute_of_process(
            libc::PR_SET_NO_NEW_PRIVS,
            1,
            0,
        )?)
    });
    let seen = system.look("a set-user-ID file, no_new_privs", &quiet)?;
    claim.control("no_new_privs", "0x60000", seen.found("personality")?)?;
    system.verdict(&claim)
}
