//! E2BIG: argv and envp together are too large.
//!
//! All strings together, with the pointers to them, may take a quarter of the soft limit of the stack, 2 MiB here. They may take
//! 6 MiB at most, and more than a quarter of a small limit (`bprm_stack_limits` in fs/exec.c; `contract/limit_total`). One string
//! that is too long gives the same errno, for which the claim names another (`contract/error_enametoolong`).
//!
//! Finding: from 6.8 on the kernel opens the file, and asks the listeners about it, before that check, as in
//! `start/fail_too_long`.
//!
//! See [c:execve-limits].

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "E2BIG: argv and envp are too large",
    run,
    ..Scenario::DEFAULT
};

/// Strings of 100 kB: 20 of them are below 2 MiB, 21 above.
fn strings(exec: &Exec, arguments: usize, variables: usize) -> anyhow::Result<Exec> {
    let text = "x".repeat(100_000);
    let exec = (0..arguments).try_fold(exec.clone(), |exec, _| exec.arg(&text))?;
    (0..variables).try_fold(exec, |exec, _| exec.env("V", &text))
}

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path(system.file("program", &Elf::new().build(), 0o755)?)?;
    let mut claim = ErrnoClaim::new(system, "error/E2BIG", Errno::E2BIG);
    claim.starts("2.0 MB of argv", &strings(&exec, 20, 0)?)?;
    claim.stated("2.1 MB of argv", &strings(&exec, 21, 0)?)?;
    claim.stated("2.1 MB of envp", &strings(&exec, 0, 21)?)?;
    claim.stated(
        "1.1 MB of argv and 1.0 MB of envp",
        &strings(&exec, 11, 10)?,
    )?;
    let many = (0..240_000).try_fold(exec.clone(), |exec, _| exec.arg(""))?;
    claim.stated("240000 empty arguments, whose pointers count", &many)?;
    let small = strings(&exec, 2, 0)?.before(|| {
        setrlimit(Resource::RLIMIT_STACK, 4096, 4096)?;
        Ok(())
    });
    claim.stated("200 kB with a stack of 4096 bytes", &small)?;
    claim.other(
        "one argument of 128 KiB",
        &exec.clone().arg(&"x".repeat(1 << 17))?,
    )?;
    let variable = exec.clone().env("V", &"x".repeat(1 << 17))?;
    claim.other("one variable of 128 KiB", &variable)?;
    claim.verdict()
}
