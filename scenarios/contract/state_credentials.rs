//! Set-user-ID and set-group-ID files change the credentials of a caller who is not root, except in cases that the specification
//! of execve does not state.
//!
//! `bprm_fill_uid` (fs/exec.c) applies the bits of the file that is executed last. For a script that is the interpreter: its bits
//! count, and the script's own are ignored. The kernel also ignores
//! - a set-group-ID bit without execute permission for the group (up to 5.14 it stands for mandatory locks),
//! - both bits, where the caller's user namespace does not map the file's owner, or its group.
//!
//! One exception: an entry of binfmt_misc with the flag `C` makes the bits of the file that it takes count.
//!
//! In four more cases, each recorded as a fact, the program runs with the old IDs:
//! - The mount is nosuid (`mnt_may_suid`).
//! - The process has no_new_privs.
//! - A tracer without privileges holds the process (`LSM_UNSAFE_PTRACE`).
//! - The process shares its `fs_struct` with another process (`LSM_UNSAFE_SHARE`).
//!
//! In the last two, `cap_bprm_creds_from_file` (security/commoncap.c) takes the IDs back if the caller has no `CAP_SETUID`. From
//! 6.17 on it does not take back a group that the caller is in, because that is no change to it: a file of such a group that is
//! set-group-ID alone, without capabilities, gives the group even so (read in source).
//!
//! Finding: up to 6.16 the kernel took back IDs that the exec had not given. A process with no_new_privs whose effective ID
//! differed from its real one lost its effective ID by executing any program without such a bit: the kernel compared the new
//! effective ID with the old real one. Since [c:unsafe-exec] it compares the new effective user with the old effective one, and
//! the new effective group with the old file-system group and the supplementary groups.
//!
//! See [c:execve-set-user-id].

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::unistd::{Uid, setresuid};

use crate::scenario::{Evidence, Exec, Hold, Scenario, System, traced};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "credentials may change for set-user-ID and set-group-ID files",
    run,
    ..Scenario::DEFAULT
};

const FIELDS: [&str; 2] = ["uids", "gids"];
const USER: &str = "1000 1000 1000 1000";
const CHANGED: &str = "1000 0 0 0";

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("state/credentials");
    for (name, mode) in [
        ("plain", 0o755),
        ("user", 0o4755),
        ("group", 0o2755),
        ("marked", 0o2745),
    ] {
        system.ours_with_mode(name, mode)?;
    }
    system.script("script", "#!/tmp/plain\n")?;
    system.set_mode("script", 0o4755)?;
    let seen = system.look("no bit", &user(Exec::path("/tmp/plain")?)?)?;
    claim.control("no bit", USER, seen.found("uids")?)?;
    let cases = [
        ("set-user-ID", "/tmp/user", "uids"),
        ("set-group-ID", "/tmp/group", "gids"),
        ("set-user-ID of a script", "/tmp/script", "uids"),
        (
            "set-group-ID without execute permission for the group",
            "/tmp/marked",
            "gids",
        ),
    ];
    for (what, path, field) in cases {
        let seen = system.look(what, &user(Exec::path(path)?)?)?;
        claim.stated(what, CHANGED, seen.found(field)?);
    }
    let quiet = user(Exec::path("/tmp/user")?)?.before(|| {
        Ok(sys::set_attribute_of_process(
            libc::PR_SET_NO_NEW_PRIVS,
            1,
            0,
        )?)
    });
    let held = user(Exec::by("traced execve", "/tmp/user", |args| {
        traced(Hold::TraceMe, || args.execve())
            .map(drop)
            .map_err(|_| nix::errno::Errno::EIO)
    })?)?;
    let shared = user(Exec::by("execve with shared fs", "/tmp/user", |args| {
        args.share_fs()
    })?)?;
    for (what, exec) in [
        ("no_new_privs", quiet),
        ("traced", held),
        ("fs shared", shared),
    ] {
        let seen = system.look(what, &exec)?;
        system.fact(&format!("set-user-ID, {what}"), seen.found("uids")?)?;
    }
    let differ = Exec::path("/tmp/plain")?.reports(&FIELDS)?.before(|| {
        setresuid(
            Uid::from_raw(1000),
            Uid::from_raw(1001),
            Uid::from_raw(1001),
        )?;
        Ok(sys::set_attribute_of_process(
            libc::PR_SET_NO_NEW_PRIVS,
            1,
            0,
        )?)
    });
    let seen = system.look("no bit, two user ids before, no_new_privs", &differ)?;
    system.fact(
        "no bit, user ids 1000 1001 before, no_new_privs",
        seen.found("uids")?,
    )?;
    let place = system.directory("nosuid")?;
    system.bind("/tmp", &place)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID;
    mount(None::<&str>, &place, None::<&str>, flags, None::<&str>)?;
    let seen = system.look("nosuid", &user(Exec::path("/tmp/nosuid/user")?)?)?;
    system.fact("set-user-ID, nosuid", seen.found("uids")?)?;
    system.verdict(&claim)
}

/// The start by an ordinary user.
fn user(exec: Exec) -> anyhow::Result<Exec> {
    Ok(exec.reports(&FIELDS)?.as_user())
}
