//! The longest string of argv or envp: 131071 bytes and its NUL, `MAX_ARG_STRLEN` (32 pages).
//!
//! The scenario observes the last argument that passes and the first that fails, not the search for them.
//!
//! Finding: from 6.8 on the kernel opens the file, and asks the listeners about it, before it checks the length, as in
//! `start/fail_too_long`.
//!
//! See [c:execve-limits]; `valid_arg_len` in fs/exec.c.

use crate::scenario::{Elf, Evidence, Exec, Scenario, Search, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "the longest string of argv or envp is 131071 bytes and its NUL",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path(system.file("program", &Elf::new().build(), 0o755)?)?;
    let mut claim = Evidence::new("limit/argument");
    let argument = |length| exec.clone().arg(&"x".repeat(length));
    // "V=" belongs to the string.
    let variable = |length: usize| exec.clone().env("V", &"x".repeat(length - 2));
    let search = Search {
        least: 3,
        expected: 131_071,
        greatest: 1 << 20,
    };
    let longest = system.last_that_starts(search, |_, length| argument(length))?;
    claim.stated("longest argument with its NUL", 131_072, longest + 1);
    system.look(&format!("argument of {longest} bytes"), &argument(longest)?)?;
    let more = longest + 1;
    system.look(&format!("argument of {more} bytes"), &argument(more)?)?;
    system.fact("longest argument", format!("{longest} bytes"))?;
    let longest = system.last_that_starts(search, |_, length| variable(length))?;
    claim.stated("longest variable with its NUL", 131_072, longest + 1);
    system.fact("longest variable", format!("{longest} bytes"))?;
    system.verdict(&claim)
}
