//! Which entries binfmt_misc accepts, and what an entry matches before it is enabled.
//!
//! 7.3 brings a flag, a type and a limit:
//! - An entry with the flag `D` is made disabled: it takes no file until somebody writes 1 to the entry (here the exec fails
//!   with ENOEXEC). Whoever looks for new formats has to look at these writes as well as at registrations.
//! - An entry of type `B` names a handler in BPF. Here its registration fails with EINVAL on 7.3 too, as that of a type that
//!   no kernel knows does (by source: Debian builds 7.3 without `CONFIG_BINFMT_MISC_BPF`).
//! - `user.max_binfmt_misc_interpreters` limits how many interpreters each user of a namespace may hold open (flag `F`, or
//!   bound to an entry of type `B`). One more fails with ENOSPC.
//!
//! Up to 7.2 this flag and this type are unknown (EINVAL), and there is no such limit.
//!
//! Finding: the interpreter's path may be relative. The kernel looks it up from the working directory of whoever executes a
//! file of that format (`open_exec`); with the flag `F`, of whoever registers the entry. So whoever may choose the directory
//! chooses the program, up to 7.2 also where the interpreter gets the file's rights (flag `C`). 7.3 refuses a relative path
//! with `C` or `L`, unless the interpreter is held open (`create_entry` in fs/binfmt_misc.c).
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use std::fs;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::unistd::chdir;

use crate::scenario::{Elf, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "which entries binfmt_misc takes, and when they match",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
const LIMIT: &str = "user/max_binfmt_misc_interpreters";

fn run(system: &mut System) -> Result<()> {
    system.file("good", &Elf::new().build(), 0o755)?;
    system.file("later", b"EXETRAIL-LATER\n", 0o755)?;
    // Has it mounted.
    system.format("other", "M::EXETRAIL-OTHER::/tmp/good:")?;
    let later = Exec::path("/tmp/later")?;
    let taken = register("M::EXETRAIL-LATER::/tmp/good:D")?;
    system.fact("an entry with the flag D", &taken)?;
    if taken == "taken" {
        let how = system.attempt(&later)?;
        system.fact("with that entry", format!("{}: {how}", state()?))?;
        write("1")?;
        let how = system.attempt(&later)?;
        system.fact("when 1 was written to it", format!("{}: {how}", state()?))?;
        write("-1")?;
    }
    // The second one no kernel knows.
    for kind in ["B", "Z"] {
        let taken = register(&format!("{kind}::::nobody:"))?;
        system.fact(&format!("an entry of type {kind}"), &taken)?;
    }
    system.file("near", b"EXETRAIL-NEAR\n", 0o755)?;
    for flags in ["", "C"] {
        let taken = register(&format!("M::EXETRAIL-NEAR::tmp/good:{flags}"))?;
        let what = format!("an interpreter by a relative path, with the flags '{flags}'");
        system.fact(&what, &taken)?;
        if taken != "taken" {
            continue;
        }
        for directory in ["/", "/usr"] {
            let exec = Exec::path("/tmp/near")?;
            let how = system.attempt(&exec.before(move || Ok(chdir(directory)?)))?;
            system.fact(&format!("{what}, executed from {directory}"), how)?;
        }
        write("-1")?;
    }
    held_open(system)
}

/// How many interpreters may be held open.
fn held_open(system: &mut System) -> Result<()> {
    let what = "an interpreter that is held open";
    let limit = fs::exists(format!("/proc/sys/{LIMIT}")).context("failed to look for a limit")?;
    if !limit {
        let taken = register("M::EXETRAIL-HELD::/tmp/good:F")?;
        return system.fact(&format!("{what}; there is no limit"), &taken);
    }
    system.sysctl(LIMIT, "0")?;
    let taken = register("M::EXETRAIL-HELD::/tmp/good:F")?;
    system.fact(&format!("{what}, with a limit of none"), &taken)?;
    system.sysctl(LIMIT, "1")?;
    let taken = register("M::EXETRAIL-HELD::/tmp/good:F")?;
    system.fact(&format!("{what}, with a limit of one"), &taken)?;
    let taken = register_as("second", "M::EXETRAIL-MORE::/tmp/good:F")?;
    system.fact(&format!("{what}, one more"), &taken)
}

/// Registers the entry `probe`, and says what came of it.
fn register(rule: &str) -> Result<String> {
    register_as("probe", rule)
}

fn register_as(name: &str, rule: &str) -> Result<String> {
    match fs::write(format!("{FORMATS}/register"), format!(":{name}:{rule}")) {
        Ok(()) => Ok("taken".to_owned()),
        Err(error) => {
            let errno = error.raw_os_error().context("failed to register")?;
            Ok(format!("{:?}", Errno::from_raw(errno)))
        }
    }
}

fn write(what: &str) -> Result<()> {
    fs::write(format!("{FORMATS}/probe"), what).context("failed to write to the entry")
}

fn state() -> Result<String> {
    let text =
        fs::read_to_string(format!("{FORMATS}/probe")).context("failed to read the entry")?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
