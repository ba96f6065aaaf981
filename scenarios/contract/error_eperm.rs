//! EPERM: a file with the set-user-ID or set-group-ID bit on a mount with nosuid, for a caller who is not root.
//!
//! The kernel ignores the bits, and the program starts under the caller's own IDs (`bprm_fill_uid`, `mnt_may_suid`): no errno.
//! The same happens to:
//! - a caller who has no_new_privs, or is in a user namespace that does not map both the file's owner and its group;
//! - a caller without `CAP_SETUID` who is traced by one without `CAP_SYS_PTRACE`. `cap_bprm_creds_from_file` takes the IDs back;
//!   since [c:unsafe-exec] it does not where the only change is to a group that is among the caller's own.
//!
//! Of the file's own attributes, capabilities with the effective bit give EPERM, where the bounding set and the inheritable sets
//! do not grant all the permitted ones (`bprm_caps_from_vfs_caps` in security/commoncap.c).
//!
//! A fanotify listener that denies an `execute` or `open` event gives EPERM too, unless it names another errno ([c:deny-errno]).
//!
//! See execve(2), EPERM, which names nosuid and a tracer as well, and [c:capabilities-dumb].

use std::os::unix::fs::PermissionsExt as _;

use nix::libc;
use nix::mount::{MsFlags, mount};

use crate::scenario::{Evidence, Exec, NET_RAW, Scenario, System, give_net_raw, needs};
use crate::sys;
use crate::trail::How;

pub const SCENARIO: Scenario = Scenario {
    summary: "EPERM: set-user-ID on a mount with nosuid",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let nosuid = system.directory("nosuid")?;
    system.directory("files")?;
    system.ours("files/suid")?;
    system.ours("files/sgid")?;
    let mode = std::fs::Permissions::from_mode;
    std::fs::set_permissions("/tmp/files/suid", mode(0o4755))?;
    std::fs::set_permissions("/tmp/files/sgid", mode(0o2755))?;
    system.bind("/tmp/files", &nosuid)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID;
    mount(None::<&str>, &nosuid, None::<&str>, flags, None::<&str>)?;

    let mut claim = Evidence::new("error/EPERM");
    let errno = How::Errno("EPERM".to_owned());
    for (what, path, ids, changed) in [
        ("set-user-ID", "suid", "uids", "1000 0 0 0"),
        ("set-group-ID", "sgid", "gids", "1000 0 0 0"),
    ] {
        let exec = |directory: &str| -> anyhow::Result<Exec> {
            Ok(Exec::path(format!("/tmp/{directory}/{path}"))?
                .reports(&[ids])?
                .as_user())
        };
        let seen = system.look(&format!("{what}, without nosuid"), &exec("files")?)?;
        claim.control(what, changed, seen.found(ids)?)?;
        let what = format!("{what} on a mount with nosuid");
        let seen = system.look(&what, &exec("nosuid")?)?;
        claim.stated(&what, &errno, seen.how);
    }
    let capable = system.copy("/usr/bin/busybox", "capable")?;
    give_net_raw(&capable)?;
    let exec = Exec::path(&capable)?.argv(&["busybox", "true"])?;
    let what = "file capability, allowed";
    claim.control(what, How::Exit(0), system.look(what, &exec)?.how)?;
    let bounded = exec.before(|| {
        sys::prctl(libc::PR_CAPBSET_DROP, NET_RAW)?;
        Ok(())
    });
    let what = "file capability outside of the bounding set";
    if system.look(what, &bounded)?.how == errno {
        claim.also(what);
    }
    system.verdict(&claim)
}
