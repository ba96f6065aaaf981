//! What a mark sees: the mount, a bind mount of it, another mount namespace, what is mounted later.
//!
//! - `FAN_MARK_MOUNT` marks one mount. A bind mount is another mount of the same file system, and a mount namespace is made
//!   of copies. A program that is started through either makes no event for the mark (`fsnotify` in fs/notify/fsnotify.c asks
//!   the marks of the path's mount, of its super block and of its inode).
//! - `FAN_MARK_FILESYSTEM` sees all of these, and so does a mark of the inode.
//! - No mark sees a file system whose super block comes after it. A second mount of a marked file system that is on a block
//!   device has the super block of the first.
//!
//! What to do: mark file systems, not mounts. Learn of new mounts (`FAN_MNT_ATTACH`, 6.15, or poll on `/proc/PID/mountinfo`;
//! each tells of one mount namespace) and mark their file systems before anything is started from there, which nothing
//! promises.
//!
//! See fanotify_mark(2), `FAN_MARK_MOUNT` and `FAN_MARK_FILESYSTEM`.

use std::ffi::{CStr, CString};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{Elf, Listener, Refuses, Scenario, System, hear, prepared};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "what marks of mounts, file systems and inodes see",
    run,
    ..Scenario::DEFAULT
};

/// Marks something in a group.
type Mark = fn(&Group, &Path) -> anyhow::Result<()>;

fn run(system: &mut System) -> anyhow::Result<()> {
    let watched = system.directory("watched")?;
    let bound = system.directory("bound")?;
    system.mount("tmpfs", "none", &watched, "mode=755")?;
    let program = system.file("watched/program", &Elf::new().build(), 0o755)?;
    system.bind(&watched, &bound)?;
    let marks: [(&str, &Path, Mark); 3] = [
        ("mount", &watched, Group::watch_mount),
        ("filesystem", &watched, Group::watch_filesystem),
        ("inode", &program, Group::watch_inode),
    ];
    for (name, path, mark) in marks {
        let group = Group::new(Ids::Process, Class::Content)?;
        mark(&group, path)?;
        let later = system.directory(&format!("later-{name}"))?;
        system.mount("tmpfs", "none", &later, "mode=755")?;
        system.file(&format!("later-{name}/program"), &Elf::new().build(), 0o755)?;
        let new = CString::new(format!("/tmp/later-{name}/program"))?;
        let mut listener = [Listener {
            name: "",
            group,
            refuses: Refuses::Nothing,
        }];
        let mut hear = |path: &CStr, elsewhere: bool| {
            hear(&mut listener, move || {
                if elsewhere {
                    prepared(unshare(CloneFlags::CLONE_NEWNS));
                    // Nobody else sees what it mounts or unmounts.
                    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
                    prepared(mount(
                        None::<&str>,
                        "/",
                        None::<&str>,
                        private,
                        None::<&str>,
                    ));
                }
                Invocation::new(&[], &[]).execve(path)
            })
        };
        let through = hear(c"/tmp/watched/program", false)?;
        let bind = hear(c"/tmp/bound/program", false)?;
        let namespace = hear(c"/tmp/watched/program", true)?;
        let new = hear(&new, false)?;
        system.fact(&format!("{name} mark, through its mount"), through)?;
        system.fact(&format!("{name} mark, through a bind mount"), bind)?;
        system.fact(
            &format!("{name} mark, in another mount namespace"),
            namespace,
        )?;
        system.fact(&format!("{name} mark, on what was mounted later"), new)?;
    }
    Ok(())
}
