//! EACCES: search permission on the path is missing, the file is not regular, or the file or its interpreter lacks execute
//! permission.
//!
//! An ordinary user lacks search permission here. Root passes on tmpfs, where its user namespace maps owner and group
//! (`CAP_DAC_READ_SEARCH` in `generic_permission`). Root too lacks execute permission when none of the three x bits is set.
//! `may_open` refuses what is not regular (fs/namei.c, since [c:regular-early]), before any event of that file.
//!
//! See execve(2), EACCES.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "EACCES: search, regular file, execute permission",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().build();
    system.file("closed/program", &program, 0o755)?;
    system.file("data", &program, 0o644)?;
    system.file("owned", &program, 0o700)?;
    system.file(
        "dynamic",
        &Elf::new().interpreter("/tmp/data").build(),
        0o755,
    )?;
    system.script("script", "#!/tmp/data\n")?;
    system.script("script-closed", "#!/tmp/closed/program\n")?;
    let closed = Path::new("/tmp/closed");
    std::fs::set_permissions(closed, std::fs::Permissions::from_mode(0o700))?;
    let all = Mode::from_bits_truncate(0o777);
    mknod("/tmp/fifo", SFlag::S_IFIFO, all, 0)?;
    mknod("/tmp/socket", SFlag::S_IFSOCK, all, 0)?;
    mknod("/tmp/device", SFlag::S_IFCHR, all, makedev(1, 3))?;

    let mut claim = ErrnoClaim::new(system, "error/EACCES", Errno::EACCES);
    claim.starts(
        "closed directory, by root",
        &Exec::path("/tmp/closed/program")?,
    )?;
    for (what, path) in [
        ("closed directory", "/tmp/closed/program"),
        (
            "interpreter of a script in a closed directory",
            "/tmp/script-closed",
        ),
        ("executable for its owner alone", "/tmp/owned"),
    ] {
        claim.stated(&format!("{what}, by a user"), &Exec::path(path)?.as_user())?;
    }
    for (what, path) in [
        ("directory", "/tmp"),
        ("pipe", "/tmp/fifo"),
        ("socket", "/tmp/socket"),
        ("device", "/tmp/device"),
        ("no x bit", "/tmp/data"),
        ("interpreter of a script without x bit", "/tmp/script"),
        ("ELF interpreter without x bit", "/tmp/dynamic"),
    ] {
        claim.stated(&format!("{what}, by root"), &Exec::path(path)?)?;
    }
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOEXEC;
    let place = claim.system().directory("noexec")?;
    claim.system().bind("/usr/bin", &place)?;
    mount(None::<&str>, &place, None::<&str>, flags, None::<&str>)?;
    claim.other("mount with noexec", &Exec::path("/tmp/noexec/true")?)?;
    // An interpreter with an empty name, which is a directory (`start/script_empty_name`).
    for (what, text) in [("#! alone", "#!"), ("#! and blanks", "#! \t ")] {
        let script = claim
            .system()
            .script(&what.replace([' ', '#', '!'], "-"), text)?;
        claim.other(what, &Exec::path(script)?)?;
    }
    claim.verdict()
}
