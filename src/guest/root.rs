//! The root of the native lab: as in a virtual machine, on mounts that nobody else sees.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};
use nix::unistd::{chdir, chroot, dup2_stdin, execve, pivot_root, setsid};

use super::keeper::{FIXTURE_FD, LAUNCHER_FD, SUBJECT_FD};
use crate::below::Below;
use crate::sys;
use crate::unpack::{Keep, unpack};
use crate::wire::{HOME, LAUNCHER, SUBJECT};

/// Where the root is built, covering in our namespace alone what is there.
const STAGE: &str = "/tmp";

/// Character devices, with their numbers (Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// What a scenario must not change, because the whole machine shares it.
const READ_ONLY: [&str; 2] = ["proc/sys", "proc/sysrq-trigger"];

/// Builds the root on a tmpfs and enters it.
///
/// # Errors
///
/// The mount or file that failed.
pub fn enter(plan: &[u8]) -> Result<()> {
    umask(Mode::from_bits_truncate(0o022));
    attach("tmpfs", "", "size=256m,mode=0755", MsFlags::empty())?;
    unpack(
        Path::new(&format!("/proc/self/fd/{FIXTURE_FD}")),
        Path::new(STAGE),
        Keep::All,
    )?;
    // Another file system: what is ours is not watched.
    attach("tmpfs", HOME, "size=256m,mode=0755", MsFlags::empty())?;
    for (fd, place) in [(LAUNCHER_FD, LAUNCHER), (SUBJECT_FD, SUBJECT)] {
        let place = format!("{STAGE}{place}");
        fs::copy(format!("/proc/self/fd/{fd}"), &place)
            .and_then(|_| fs::set_permissions(&place, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("failed to copy a program of ours to {place}"))?;
    }
    let place = format!("{STAGE}{HOME}/plan.json");
    fs::write(&place, plan).with_context(|| format!("failed to write {place}"))?;
    attach("proc", "/proc", "", MsFlags::empty())?;
    for path in READ_ONLY {
        seal(&format!("{STAGE}/{path}"))?;
    }
    attach("sysfs", "/sys", "", MsFlags::MS_RDONLY)?;
    // For numbers of tracepoints; whoever needs more of it says so, and is not run here.
    let _ = attach("tracefs", "/sys/kernel/tracing", "", MsFlags::MS_RDONLY);
    attach("tmpfs", "/dev", "size=1m,mode=0755", MsFlags::empty())?;
    devices()?;
    switch()?;
    setsid().context("failed to make a session")?;
    let null = fs::File::open("/dev/null").context("failed to open /dev/null")?;
    dup2_stdin(&null).context("failed to leave standard input")
}

fn attach(kind: &str, place: &str, options: &str, flags: MsFlags) -> Result<()> {
    if !place.is_empty() {
        mount_point(Path::new(STAGE), place)?;
    }
    mount_on(kind, &format!("{STAGE}{place}"), options, flags)
}

/// Mounts a file system without a device.
pub fn mount_on(kind: &str, place: &str, options: &str, flags: MsFlags) -> Result<()> {
    mount(Some(kind), place, Some(kind), flags, Some(options))
        .with_context(|| format!("failed to mount {kind} on {place} ({options})"))
}

/// Checks that a place in the unpacked fixture is a directory, not a symlink that leads out of it.
fn mount_point(stage: &Path, place: &str) -> Result<()> {
    let path = Below::parse(place.trim_start_matches('/'))?.place(stage)?;
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => bail!("{place} of the fixture is not a directory to mount on"),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}

/// Makes a part of `/proc` read-only, as containers do; not every kernel has every part.
fn seal(path: &str) -> Result<()> {
    if !Path::new(path).exists() {
        return Ok(());
    }
    let none = None::<&str>;
    let bind = MsFlags::MS_BIND;
    mount(Some(path), path, none, bind, none)
        .and_then(|()| {
            mount(
                none,
                path,
                none,
                bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY,
                none,
            )
        })
        .with_context(|| format!("failed to make {path} read-only"))
}

fn devices() -> Result<()> {
    // The permission bits are the device's own, whatever the umask is.
    let old = umask(Mode::empty());
    for (name, major, minor) in DEVICES {
        let path = format!("{STAGE}/dev/{name}");
        let mode = Mode::from_bits_truncate(0o666);
        mknod(path.as_str(), SFlag::S_IFCHR, mode, makedev(major, minor))
            .with_context(|| format!("failed to make {path}"))?;
    }
    umask(old);
    descriptors(STAGE)
}

/// Makes what udev or an initramfs makes on a real system: scripts by descriptor need the first, and programs write to the
/// others.
pub fn descriptors(root: &str) -> Result<()> {
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    links.into_iter().try_for_each(|(name, target)| {
        let place = format!("{root}/dev/{name}");
        std::os::unix::fs::symlink(target, &place)
            .with_context(|| format!("failed to link {place}"))
    })
}

/// Makes the stage the root, and drops the old one where it can be left.
fn switch() -> Result<()> {
    chdir(STAGE).with_context(|| format!("failed to change to {STAGE}"))?;
    match pivot_root(".", ".") {
        Ok(()) => umount2(".", MntFlags::MNT_DETACH).context("failed to leave the old root")?,
        // The root is an initramfs, which cannot be left (pivot_root(2), EINVAL).
        Err(Errno::EINVAL) => {
            mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)
                .with_context(|| format!("failed to move {STAGE} to /"))?;
            chroot(".").context("failed to change the root")?;
        }
        Err(errno) => return Err(errno).context("failed to change the root"),
    }
    chdir("/").context("failed to change to the new root")
}

/// Executes the launcher from its new place, so that its exe and comm are those of the launcher.
pub fn become_runner() -> Result<std::convert::Infallible> {
    sys::reset_signals().context("failed to reset signals")?;
    // All but standard input, output and error.
    sys::close_fds_from(3, u32::MAX).context("failed to close descriptors")?;
    execute_runner(&[c"native"])
}

/// Executes this program once more, from its place in the new root, as the runner.
pub fn execute_runner(arguments: &[&CStr]) -> Result<std::convert::Infallible> {
    let program = CString::new(LAUNCHER).context("a NUL in a constant")?;
    let argv = [&[program.as_c_str(), c"runner"], arguments].concat();
    execve(&program, &argv, &[c"PATH=/usr/bin:/bin"])
        .with_context(|| format!("failed to execute {LAUNCHER}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symlink_of_the_fixture_is_no_mount_point() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sys")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("proc")).unwrap();
        mount_point(dir.path(), "/sys").unwrap();
        let error = mount_point(dir.path(), "/proc").unwrap_err().to_string();
        assert_eq!(error, "/proc of the fixture is not a directory to mount on");
    }
}
