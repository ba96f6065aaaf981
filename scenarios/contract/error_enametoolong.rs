//! ENAMETOOLONG: filename, or one of the strings in argv or envp, is too long.
//!
//! The claim is true of filename (`getname` for the whole, for a component the lookup of most file systems; vfat, procfs and
//! sysfs say ENOENT). The kernel opens no file for a name that is too long. A string of argv or envp that is too long is
//! E2BIG, as all of them together are (`copy_strings` in fs/exec.c, `valid_arg_len`).
//!
//! Finding: from 6.8 on the kernel opens the file, and asks the listeners about it, before it looks at the strings, as in
//! `start/fail_too_long`.
//!
//! See execve(2), ENAMETOOLONG and E2BIG, which has both right, except that it names a path that is too long under both.

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENAMETOOLONG: filename or a string is too long",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().build();
    let exec = Exec::path(system.file("program", &program, 0o755)?)?;
    let component = "c".repeat(255);
    system.file(&component, &program, 0o755)?;
    system.script("script", &format!("#!{component}c\n"))?;
    let dynamic = Elf::new()
        .interpreter(&format!("/tmp/{component}c"))
        .build();
    system.file("dynamic", &dynamic, 0o755)?;
    let path = |length: usize| format!("{}tmp/program", "/".repeat(length - 11));
    // The name is left out of the trail's text.
    let named = |what: &'static str, path: String| {
        let path = std::ffi::CString::new(path)?;
        Exec::by("execve", what, move |args| {
            args.execve_at(|at| at.path = path.as_ptr().expose_provenance())
        })
    };
    let mut claim = ErrnoClaim::new(system, "error/ENAMETOOLONG", Errno::ENAMETOOLONG);
    claim.starts(
        "filename of 4095 bytes",
        &named("////...tmp/program", path(4095))?,
    )?;
    claim.stated(
        "filename of 4096 bytes",
        &named("////...tmp/program", path(4096))?,
    )?;
    let short = named("/tmp/ccc...", format!("/tmp/{component}"))?;
    claim.starts("component of 255 bytes", &short)?;
    let long = named("/tmp/ccc...", format!("/tmp/{component}c"))?;
    claim.stated("component of 256 bytes", &long)?;
    let text = "x".repeat(1 << 17);
    claim.stated("string of argv of 128 KiB", &exec.clone().arg(&text)?)?;
    claim.stated("string of envp of 128 KiB", &exec.clone().env("V", &text)?)?;
    claim.other(
        "component of an ELF interpreter",
        &Exec::path("/tmp/dynamic")?,
    )?;
    claim.other("interpreter of a script", &Exec::path("/tmp/script")?)?;
    claim.verdict()
}
