//! The longest string of argv or envp: 131071 bytes and its NUL, `MAX_ARG_STRLEN` (32 pages).
//!
//! The search is not observed; the last that passes and the first that fails are.
//!
//! Finding: from 6.8 on the file is opened, and asked for, before that, as in
//! `start/fail_too_long`.
//!
//! See [c:execve-limits]; `valid_arg_len` in fs/exec.c.

use crate::scenario::{Claim, Elf, Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "longest string of argv or envp",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let exec = Exec::path(stage.file("program", &Elf::new().build(), 0o755)?)?;
    let mut claim = Claim::new("limit/argument");
    let argument = |length| exec.clone().arg(&"x".repeat(length));
    // "V=" belongs to the string.
    let variable = |length: usize| exec.clone().env("V", &"x".repeat(length - 2));
    let longest = stage.last_that_starts((1, 1 << 20), argument)?;
    claim.stated("longest argument with its NUL", 131_072, longest + 1);
    stage.look(&format!("argument of {longest} bytes"), &argument(longest)?)?;
    let more = longest + 1;
    stage.look(&format!("argument of {more} bytes"), &argument(more)?)?;
    stage.fact("longest argument", format!("{longest} bytes"))?;
    let longest = stage.last_that_starts((3, 1 << 20), variable)?;
    claim.stated("longest variable with its NUL", 131_072, longest + 1);
    stage.fact("longest variable", format!("{longest} bytes"))?;
    stage.verdict(&claim)
}
