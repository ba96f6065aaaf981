//! envp is an array of pointers to strings; the array ends with NULL and each string with a NUL.
//!
//! The kernel treats it as it treats argv (`contract/param_argv`), except that an empty environment stays empty. The exec itself
//! (`copy_strings`) does not look into the strings: they need no `=`. TOMOYO looks into them where:
//! - a rule names `exec.envp`; it passes over a string without `=` (`tomoyo_scan_bprm`);
//! - a profile has a mode for `CONFIG::misc::env`; it takes all of a string without `=` for a name, which it may refuse
//!   (`tomoyo_environ`).
//!
//! Finding: from 6.8 on the kernel opens the file, and asks the listeners about it, before it looks at array and strings, as in
//! `start/fail_too_long`.

use anyhow::Context as _;

use crate::scenario::{Elf, Evidence, Exec, Scenario, System, held};
use crate::subject::say;
use crate::sys::Edge;
use crate::trail::How;

pub const SCENARIO: Scenario = Scenario {
    summary: "envp: NULL is an empty array, no end in memory is EFAULT",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("reporter")?;
    let simple = system.file("program", &Elf::new().build(), 0o755)?;
    let mut claim = Evidence::new("param/envp");
    let exec = Exec::path(program)?.reports(&["environment"])?;
    let few = system.look("five variables", &exec)?;
    claim.stated("number of five variables", "5", few.found("environment")?);
    let more = system.look("one more", &exec.env("MORE", "")?)?;
    claim.stated("number of six variables", "6", more.found("environment")?);

    let cat = "/usr/bin/cat";
    let seen = system.look("three variables, held", &kept(cat)?)?;
    claim.control("three variables, held", "some", seen.found("environ")?)?;
    let seen = system.look("none, held", &kept(cat)?.bare())?;
    claim.stated("no variable", "none", seen.found("environ")?);

    let null = Exec::by("execve", &simple, |args| {
        args.execve_at(|at| at.environment = 0)
    })?;
    let seen = system.look("NULL", &null)?;
    system.fact("envp NULL", seen.how)?;
    let fault = How::Errno("EFAULT".to_owned());
    static STRING: &std::ffi::CStr = c"no variable";
    let endless = Exec::by("execve", &simple, |args| {
        let pointer = STRING.as_ptr().expose_provenance().to_ne_bytes();
        let array = Edge::new(&pointer)?;
        args.execve_at(|at| at.environment = array.address())
    })?;
    let seen = system.look("no NULL where the memory ends", &endless)?;
    claim.stated("array without NULL", &fault, seen.how);
    let endless = Exec::by("execve", &simple, |args| {
        let string = Edge::new(b"V=abc")?;
        let array = [string.address(), 0];
        args.execve_at(|at| at.environment = array.as_ptr().expose_provenance())
    })?;
    let seen = system.look("no NUL where the memory ends", &endless)?;
    claim.stated("string without NUL", &fault, seen.how);
    system.verdict(&claim)
}

/// A start whose parent says, while the program runs, whether it has an environment (proc_pid_environ(5)).
fn kept(path: &str) -> anyhow::Result<Exec> {
    Exec::by("execve", path, |args| {
        let look = |child| {
            let path = format!("/proc/{child}/environ");
            let bytes = std::fs::read(&path).with_context(|| format!("failed to read {path}"))?;
            Ok(if bytes.is_empty() { "none" } else { "some" }.to_owned())
        };
        let told = held(args, || Ok(()), look).unwrap_or_else(|error| format!("{error:#}"));
        // Where this fails, nothing was said, and the scenario notices.
        let _ = say("environ", told);
        Ok(())
    })
}
