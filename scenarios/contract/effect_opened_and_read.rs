//! The kernel opens the executable, its loader and its interpreter. The trail shows which files, also for calls that fail.
//!
//! `do_open_execat` (fs/exec.c) opens the executable, and here the first event of a start is of that open. It checks the file's
//! mode for execute permission, not for read permission. A program that its user may not read by its mode runs all the same, and
//! the kernel reads it (`kernel_read` in `prepare_binprm`). A script that its user may not read starts too, but an interpreter
//! with the user's rights cannot open it for reading.
//!
//! One file shows that the content is read. With a program in it, the file starts. Written anew with other content, but the same
//! name, mode and inode, it fails with ENOEXEC.
//!
//! Some calls that fail have opened the file before: where nobody knows its format, or its interpreter may not be executed.
//! Others never do: where the file itself may not be executed (EACCES of `may_open` in fs/namei.c) the call fails here before the
//! event, as it does where a path leads nowhere.
//!
//! See execve(2) and fanotify(7).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use nix::unistd::{Uid, setuid};

use crate::scenario::{Elf, Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "the executable is opened and read",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("effect/opened_and_read");
    let both = |path: &str| format!("execute {path}, open {path}");
    let opened = |events: &[String], path: &str| {
        let of = events
            .iter()
            .filter(|event| event.ends_with(&format!(" {path}")));
        of.cloned().collect::<Vec<_>>().join(", ")
    };
    let unreadable = system.file("unreadable", &Elf::new().build(), 0o111)?;
    let script = system.script("script.sh", "#!/usr/bin/true\n")?;
    let hidden = system.script("hidden.sh", "#!/usr/bin/true\n")?;
    system.set_mode("hidden.sh", 0o111)?;
    let nobody = |exec: Exec| exec.before(|| Ok(setuid(Uid::from_raw(65534))?));
    let starts = [
        ("a program", Exec::path("/usr/bin/true")?, "/usr/bin/true"),
        ("a script", Exec::path(&script)?, "/tmp/script.sh"),
        (
            "not readable for its user",
            nobody(Exec::path(unreadable)?),
            "/tmp/unreadable",
        ),
        (
            "a script, not readable for its user",
            nobody(Exec::path(hidden)?),
            "/tmp/hidden.sh",
        ),
    ];
    for (what, exec, path) in starts {
        let seen = system.look(what, &exec)?;
        claim.control(what, "exit 0", &seen.how)?;
        claim.stated(what, both(path), opened(&seen.events, path));
    }
    // One file with one name, mode and inode: its content decides, so the kernel reads it.
    let good = Elf::new().build();
    let before = inode(&system.file("content", &good, 0o755)?)?;
    let seen = system.look("of a known format", &Exec::path("/tmp/content")?)?;
    claim.control("of a known format", "exit 0", &seen.how)?;
    let file = system.file("content", b"\x01\x02\x03\x04", 0o755)?;
    claim.control(
        "the inode of that file, written anew",
        before,
        inode(&file)?,
    )?;
    let what = "the same file, of an unknown format";
    let seen = system.look(what, &Exec::path(file)?)?;
    let events = opened(&seen.events, "/tmp/content");
    claim.stated(what, both("/tmp/content"), events);
    claim.stated(&format!("{what}, its end"), "errno ENOEXEC", &seen.how);
    system.file("content", &good, 0o755)?;
    let what = "the same file, of a known format again";
    let seen = system.look(what, &Exec::path("/tmp/content")?)?;
    claim.control(what, "exit 0", &seen.how)?;
    let plain = system.file("plain", &Elf::new().build(), 0o644)?;
    for (what, path) in [("not executable", plain), ("missing", "/tmp/none".into())] {
        let seen = system.look(what, &Exec::path(path)?)?;
        claim.control(what, 0, seen.events.len())?;
    }
    system.verdict(&claim)
}

fn inode(path: &Path) -> anyhow::Result<u64> {
    let found = fs::metadata(path).with_context(|| format!("failed to look at {}", path.display()));
    Ok(found?.ino())
}
