//! `policy/overlay_closed` by an ordinary user, who mounts the overlay in a user namespace of his own, over directories of
//! his own on a file system that somebody watches.
//!
//! Finding: he needs no privilege. Where the kernel asks the listener of `policy/overlay_closed` in the middle of an exec, it
//! asks here too. Where that listener hangs (on 7.1), any user who may make a user namespace can hang it.
//!
//! The first step is the mount's: `ovl_make_workdir` tests whether the layer has temporary files.
//!
//! See `ovl_fs_type` in fs/overlayfs/super.c (`FS_USERNS_MOUNT`, of the kernels here from 6.1 on; Debian's 5.10 sets it with
//! the module's parameter `permit_mounts_in_userns` alone), user_namespaces(7).

use std::fs;

use anyhow::Context as _;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_dumpable;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, chown};

use crate::scenario::{
    Closed, Exec, Hang, Host, Need, Scenario, System, USER, needs, running_kernel,
};

/// Users mount overlays in their own namespaces.
const USER_OVERLAYS: Need = Need {
    what: "overlays of ordinary users",
    host: Host::Since(&["5.11"]),
    probe: |_| running_kernel().is_some_and(|kernel| kernel.has(&["5.11"])),
};

pub const SCENARIO: Scenario = Scenario {
    summary: "an exec closes a descriptor of an overlay that a user has mounted",
    needs: &[
        needs::OVERLAY,
        needs::KNOWN_RELEASE,
        needs::UNPRIVILEGED_USER_NAMESPACES,
        USER_OVERLAYS,
    ],
    deadline: std::time::Duration::from_secs(5),
    hang: Hang::Observed,
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/usr/bin/true", "lower/true")?;
    for name in ["lower", "lower/true", "upper", "work", "merged"] {
        if name != "lower/true" {
            system.directory(name)?;
        }
        let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
        chown(&*format!("/tmp/{name}"), Some(user), Some(group))?;
    }
    let exec = Exec::path("/usr/bin/true")?.older("/tmp/merged/true", Closed::ByExec);
    system.observe(&exec.as_user().before(|| {
        mount_own()?;
        let open = |flags| open("/tmp/merged/true", flags, Mode::empty());
        std::mem::forget(open(OFlag::O_RDONLY | OFlag::O_CLOEXEC)?);
        // Opened for writing and closed: that is enough for a copy.
        drop(open(OFlag::O_WRONLY)?);
        Ok(())
    }))?;
    Ok(())
}

/// Becomes root of a user namespace and mounts the overlay in it.
fn mount_own() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    // Who has changed its user may not write its own maps otherwise.
    set_dumpable(true)?;
    for (name, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {USER} 1")),
        ("gid_map", format!("0 {USER} 1")),
    ] {
        fs::write(format!("/proc/self/{name}"), text)
            .with_context(|| format!("failed to write {name}"))?;
    }
    let layers = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
    let place = "/tmp/merged";
    mount(
        Some("overlay"),
        place,
        Some("overlay"),
        MsFlags::empty(),
        Some(layers),
    )
    .context("failed to mount the overlay")
}
