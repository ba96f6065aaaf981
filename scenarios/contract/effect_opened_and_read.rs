//! The executable is opened, as are its loader and its interpreter; which files, the trail says here, also for calls that fail.
//!
//! `do_open_execat` (fs/exec.c) opens it, and the first event of a start is of that open here. Its mode is asked
//! for execution and not for reading: a program that its user may not read by its mode runs all the same, and the
//! kernel reads it (`kernel_read` in `prepare_binprm`); a script starts too, but an
//! interpreter with the user's rights cannot open it for reading.
//!
//! Of the calls that fail, some have opened the file before (a format that nobody knows, an interpreter that may not be executed), and some
//! never do: where the file itself may not be executed (EACCES of `may_open` in fs/namei.c) the call fails here before the event, as it
//! does where a path leads nowhere.
//!
//! See execve(2) and fanotify(7).

use nix::unistd::{Uid, setuid};

use crate::scenario::{Evidence, Exec, Scenario, System};

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
    let unreadable = system.file("unreadable", &crate::scenario::Elf::new().build(), 0o111)?;
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
    let garbage = system.file("garbage", b"\x01\x02\x03\x04", 0o755)?;
    let seen = system.look("of an unknown format", &Exec::path(garbage)?)?;
    claim.stated(
        "of an unknown format",
        both("/tmp/garbage"),
        opened(&seen.events, "/tmp/garbage"),
    );
    // What it says, not its name or mode, decides.
    let what = "of an unknown format, its end";
    claim.stated(what, "errno ENOEXEC", &seen.how);
    let plain = system.file("plain", &crate::scenario::Elf::new().build(), 0o644)?;
    for (what, path) in [("not executable", plain), ("missing", "/tmp/none".into())] {
        let seen = system.look(what, &Exec::path(path)?)?;
        claim.control(what, 0, seen.events.len())?;
    }
    system.verdict(&claim)
}
