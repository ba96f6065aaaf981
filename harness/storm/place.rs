//! What is watched, what of it is shown, and what is started.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount, umount2};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, mkdirat};

use crate::rig::{Rig, Watch, tmpfs};

/// What was watched is unmounted: the watch ends and says so.
pub fn unmounted(rig: &Rig) -> Result<()> {
    let place = rig.place("gone");
    tmpfs(&place, "size=64k")?;
    for args in [&[][..], &["--filesystem"]] {
        let mut watch = Watch::of(Watch::command(args, &place), Stdio::null())?;
        watch.begins()?;
        umount(&place).context("failed to unmount")?;
        let said = watch.ends_unwatched()?;
        ensure!(said.contains("unmounted"), "{args:?}: it says {said}");
        fs::remove_dir(&place).context("failed to remove the directory")?;
        tmpfs(&place, "size=64k")?;
    }
    umount(&place).context("failed to unmount")
}

/// Of a directory that is not a mount, the whole mount is marked, and what is below it shown.
pub fn part_of_a_mount(rig: &Rig) -> Result<()> {
    let part = rig.watched().join("part");
    fs::create_dir(&part).context("failed to make a directory")?;
    let (inside, outside) = (part.join("a"), rig.watched().join("partial"));
    for path in [&inside, &outside] {
        fs::write(path, "").context("failed to write a file")?;
    }
    let text = shown(rig, Watch::command(&[], &part), || {
        for path in [&inside, &outside] {
            fs::read(path).context("failed to read a file")?;
        }
        Ok(())
    })?;
    let paths: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once("path="))
        .collect();
    ensure!(
        paths.len() == 1 && Path::new(paths[0].1) == inside,
        "it shows {text}"
    );
    Ok(())
}

/// A path of more than 4,095 bytes is shown, whatever pattern is asked for.
pub fn path_without_a_name(rig: &Rig) -> Result<()> {
    let deep = deep(&rig.watched())?;
    let command = Watch::command(&["--path", "/no/such/*"], &rig.watched());
    let text = shown(rig, command, || {
        let flags = OFlag::O_RDONLY | OFlag::O_CREAT;
        openat(&deep, "file", flags, Mode::S_IRUSR).context("failed to open a file")?;
        Ok(())
    })?;
    ensure!(text.contains("path=too-long"), "it shows {text}");
    Ok(())
}

/// A directory whose path is longer than any name that the kernel tells.
fn deep(top: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let mut directory =
        openat(AT_FDCWD, top, flags, Mode::empty()).context("failed to open a directory")?;
    let name = "d".repeat(250);
    for _ in 0..17 {
        mkdirat(&directory, name.as_str(), Mode::S_IRWXU).context("failed to make a directory")?;
        directory = openat(&directory, name.as_str(), flags, Mode::empty())
            .context("failed to open a directory")?;
    }
    Ok(directory)
}

/// What a watch shows of what is done meanwhile.
fn shown(rig: &Rig, command: Command, work: impl Fn() -> Result<()>) -> Result<String> {
    let path = rig.place("shown");
    let out = fs::File::create(&path).context("failed to make the output file")?;
    let mut watch = Watch::of(command, out.into())?;
    watch.begins()?;
    let done = work();
    watch.end(Signal::SIGTERM)?;
    done?;
    fs::read_to_string(&path).context("failed to read the output")
}

/// A file system that a process answers for is not watched, also when that process is silent.
pub fn served_by_a_process(rig: &Rig) -> Result<()> {
    let place = rig.place("served");
    fs::create_dir(&place).context("failed to make a directory")?;
    let _device = mount_silent(&place)?;
    let command = Watch::command(&["--for", "1s"], &place);
    let ended = status_and_words(command, Stdio::null());
    umount2(&place, MntFlags::MNT_DETACH).context("failed to unmount")?;
    let (status, said) = ended?;
    ensure!(status.code() == Some(2), "it ended with {status}");
    ensure!(said.contains("FUSE"), "it says {said}");
    Ok(())
}

/// How a watch ends by itself, and what it says.
fn status_and_words(command: Command, output: Stdio) -> Result<(ExitStatus, String)> {
    let mut watch = Watch::of(command, output)?;
    Ok((watch.wait_status()?, watch.said()?))
}

/// Mounts a FUSE of which nobody ever reads; it ends with what is returned.
pub fn mount_silent(place: &Path) -> Result<fs::File> {
    let device = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse");
    let device = device.context("failed to open /dev/fuse")?;
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    let options = Some(options.as_str());
    mount(
        Some("silent"),
        place,
        Some("fuse"),
        MsFlags::empty(),
        options,
    )
    .context("failed to mount FUSE")?;
    Ok(device)
}

/// Lets everybody execute a file.
pub fn make_executable(file: &Path) -> Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).context("failed to change a mode")
}

/// What cannot be executed has the status that shells give, and a reason; no shell is tried.
pub fn command_that_cannot_start(rig: &Rig) -> Result<()> {
    let cases = [
        ("plain", "echo a shell was here\n", 126, "ENOEXEC"),
        (
            "orphan",
            "#!/no/such/interpreter\n",
            127,
            "/no/such/interpreter",
        ),
    ];
    for (name, text, status, reason) in cases {
        let file = rig.watched().join(name);
        fs::write(&file, text).context("failed to write a file")?;
        make_executable(&file)?;
        for given in [file.as_os_str(), name.as_ref()] {
            let mut command = Watch::command(&[], &rig.watched());
            command.arg("--").arg(given).env("PATH", rig.watched());
            let path = rig.place("shown");
            let out = fs::File::create(&path).context("failed to make the output file")?;
            let (ended, said) = status_and_words(command, out.into())?;
            ensure!(ended.code() == Some(status), "{given:?}: {ended}: {said}");
            ensure!(said.contains(reason), "{given:?}: it says {said}");
            let shown = fs::read_to_string(&path).context("failed to read the output")?;
            ensure!(!shown.contains("a shell was here"), "a shell ran {given:?}");
        }
    }
    Ok(())
}
