//! Most claims about files are tried on tmpfs. This scenario tries some of what they say of modes, links, writers, mounts,
//! set-user-ID bits and capabilities on ext4 as well, on a disk, with the same triggers side by side.
//!
//! In an exec, nothing that fs/exec.c and fs/namei.c decide depends on a file system's name. (`path_noexec` asks for
//! `SB_I_NOEXEC`, which proc and sysfs have and these two have not.)
//!
//! The file system decides how long a name may be: 255 bytes on both (`ext4_lookup`, `simple_lookup`). For ext4 this is read in
//! source and not tried.
//!
//! See execve(2).

use std::fs::File;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::scenario::{DISK, Elf, Evidence, Exec, NET_RAW, Scenario, System, give_net_raw, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "errors and credentials come out on ext4 as on tmpfs",
    needs: &[needs::OWN_SETTINGS, needs::DISK, needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

/// The two file systems; the same files are below both.
const PLACES: [&str; 2] = ["memory", "disk"];

fn run(system: &mut System) -> anyhow::Result<()> {
    system.disk()?;
    system.watch_also(DISK);
    let mut writers = Vec::new();
    for place in PLACES {
        writers.push(prepare(system, place)?);
    }
    let mut claim = Evidence::new("control/ext4_as_tmpfs");
    for (what, name) in [
        ("program", "program"),
        ("no x bit", "data"),
        ("directory", "closed"),
        ("link to itself", "loop"),
        ("nothing there", "missing"),
        ("file as directory", "program/file"),
        ("empty file", "empty"),
        ("ELF interpreter without x bit", "dynamic"),
        ("interpreter of a script without x bit", "script"),
        ("open for writing", "busy"),
        ("mount with noexec", "noexec/program"),
    ] {
        same(system, &mut claim, what, |place| {
            Exec::path(format!("/tmp/{place}/{name}"))
        })?;
    }
    same(system, &mut claim, "closed directory, by a user", |place| {
        Ok(Exec::path(format!("/tmp/{place}/closed/program"))?.as_user())
    })?;
    same(
        system,
        &mut claim,
        "file capability outside of the bounding set",
        |place| {
            let exec = Exec::path(format!("/tmp/{place}/capable"))?;
            Ok(exec.before(|| {
                sys::prctl(nix::libc::PR_CAPBSET_DROP, NET_RAW)?;
                Ok(())
            }))
        },
    )?;
    for (what, name) in [
        ("set-user-ID", "suid"),
        ("set-user-ID, nosuid", "nosuid/suid"),
    ] {
        let mut ids = Vec::new();
        for place in PLACES {
            let exec = Exec::path(format!("/tmp/{place}/{name}"))?;
            let exec = exec.reports(&["uids"])?.as_user();
            let seen = system.look(&format!("{what}, {place}"), &exec)?;
            ids.push(seen.found("uids")?.to_owned());
        }
        claim.stated(what, &ids[0], &ids[1]);
    }
    drop(writers);
    system.verdict(&claim)
}

/// Makes the files, and returns the one that is open for writing.
fn prepare(system: &mut System, place: &str) -> anyhow::Result<File> {
    let program = Elf::new().build();
    let name = |file: &str| format!("{place}/{file}");
    for (file, mode) in [
        ("program", 0o755),
        ("data", 0o644),
        ("closed/program", 0o755),
        ("busy", 0o755),
        ("capable", 0o755),
    ] {
        system.file(&name(file), &program, mode)?;
    }
    system.file(&name("empty"), &[], 0o755)?;
    system.set_mode(&name("closed"), 0o700)?;
    system.link("loop", &name("loop"))?;
    let dynamic = Elf::new()
        .interpreter(&format!("/tmp/{place}/data"))
        .build();
    system.file(&name("dynamic"), &dynamic, 0o755)?;
    system.script(&name("script"), &format!("#!/tmp/{place}/data\n"))?;
    give_net_raw(&Path::new("/tmp").join(name("capable")))?;
    system.ours_with_mode(&name("suid"), 0o4755)?;
    for (mounted, flag) in [
        ("noexec", MsFlags::MS_NOEXEC),
        ("nosuid", MsFlags::MS_NOSUID),
    ] {
        let directory = system.directory(&name(mounted))?;
        system.bind(Path::new("/tmp").join(place), &directory)?;
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flag;
        mount(None::<&str>, &directory, None::<&str>, flags, None::<&str>)?;
    }
    let busy = Path::new("/tmp").join(name("busy"));
    Ok(File::options().write(true).open(busy)?)
}

/// Starts the same file on both, and states that it ends in the same way.
fn same(
    system: &mut System,
    claim: &mut Evidence,
    what: &str,
    exec: impl Fn(&str) -> anyhow::Result<Exec>,
) -> anyhow::Result<()> {
    let on_memory = system.look(&format!("{what}, {}", PLACES[0]), &exec(PLACES[0])?)?;
    let on_disk = system.look(&format!("{what}, {}", PLACES[1]), &exec(PLACES[1])?)?;
    claim.stated(what, on_memory.how, on_disk.how);
    Ok(())
}
