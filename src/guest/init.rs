//! PID 1 as the kernel starts it: mounts, modules, the fixture's root, then the runner.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};

use super::{channel, root};
use crate::files;
use crate::sys;
use crate::trail::LabKind;
use crate::unpack::{Keep, unpack};
use crate::wire::{HOME, Message};

/// Where the fixture is built before it becomes the root.
const ROOT: &str = "/root";

/// What is mounted below the new root, in this order.
const MOUNTS: [(&str, &str, &str); 4] = [
    ("proc", "proc", ""),
    ("sysfs", "sys", ""),
    ("devtmpfs", "dev", "mode=0755"),
    ("tracefs", "sys/kernel/tracing", ""),
];

/// Becomes the runner, or says on console and channel why it cannot, and ends the machine.
pub fn main() -> ExitCode {
    let error = match prepare() {
        Ok(never) => match never {},
        Err(error) => error,
    };
    tell!("exetrail: PID 1 failed: {error:#}");
    // The old root has no ports in /dev; there the console is all there is.
    if let Ok(link) = channel::open(LabKind::Vm) {
        let _ = link.send(&Message::Failed {
            reason: format!("PID 1: {error:#}"),
        });
        channel::drain(&link);
    }
    channel::end(LabKind::Vm);
    ExitCode::FAILURE
}

fn prepare() -> Result<std::convert::Infallible> {
    load_modules()?;
    fs::create_dir_all(ROOT).with_context(|| format!("failed to make {ROOT}"))?;
    attach("tmpfs", ROOT, "mode=0755")?;
    unpack(
        &Path::new(HOME).join("root.cpio"),
        Path::new(ROOT),
        Keep::All,
    )?;
    let home = format!("{ROOT}{HOME}");
    mount(
        Some(HOME),
        home.as_str(),
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .with_context(|| format!("failed to bind {HOME} to {home}"))?;
    for (kind, place, options) in MOUNTS {
        match attach(kind, &format!("{ROOT}/{place}"), options) {
            // A kernel may be built without tracing; who needs it declares that.
            Err(error) if kind == "tracefs" && is_absent(&error) => {}
            result => result?,
        }
    }
    hurry()?;
    root::descriptors(ROOT)?;
    chdir(ROOT).with_context(|| format!("failed to change to {ROOT}"))?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .with_context(|| format!("failed to move {ROOT} to /"))?;
    chroot(".")
        .and_then(|()| chdir("/"))
        .context("failed to change the root")?;
    // So that its exe and comm are those of the launcher.
    root::execute_runner(&[])
}

/// Has the kernel end its grace periods at once instead of within some ticks.
///
/// Tracing begins, probes are set and marks go with a grace period each, 10 to 25 ms of nothing
/// (kernel-parameters.txt, `rcupdate.rcu_expedited`).
fn hurry() -> Result<()> {
    let path = format!("{ROOT}/sys/kernel/rcu_expedited");
    match files::set(Path::new(&path), "1") {
        // A kernel for one CPU without preemption has no such file (CONFIG_TINY_RCU).
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.with_context(|| format!("failed to write {path}")),
    }
}

/// Whether a kernel lacks the file system, or the place that it makes for it.
fn is_absent(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Errno::ENODEV | Errno::ENOENT))
}

fn attach(kind: &str, place: &str, options: &str) -> Result<()> {
    root::mount_on(kind, place, options, MsFlags::empty())
}

/// Loads every module of the image. One that needs another comes after it: what is loaded too early lacks symbols
/// (ENOENT), and is tried again as long as others go in.
fn load_modules() -> Result<()> {
    let mut left = files::list(&Path::new(HOME).join("modules"))?;
    loop {
        let mut early = Vec::new();
        for path in &left {
            let file = fs::File::open(path)
                .with_context(|| format!("failed to open {}", path.display()))?;
            match sys::finit_module(file.as_fd()) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(Errno::ENOENT) => early.push(path.clone()),
                Err(errno) => return Err(anyhow!("failed to load {}: {errno}", path.display())),
            }
        }
        match early.first() {
            None => return Ok(()),
            Some(path) if early.len() == left.len() => {
                let path = path.display();
                return Err(anyhow!("failed to load {path}: what it needs is not there"));
            }
            Some(_) => left = early,
        }
    }
}
