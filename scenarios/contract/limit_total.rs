//! How much all strings and pointers may take together.
//!
//! `bprm_stack_limits` (fs/exec.c) allows a quarter of the soft limit of the stack, at most 6 MiB (three quarters of `_STK_LIM`)
//! and at least 128 KiB (`ARG_MAX`). It counts the strings with their NULs, a pointer for each argument and variable, and the
//! name of the file, which execve(2) leaves out.
//!
//! The minimum is not always there: the new stack grows while the kernel copies the strings onto it, and may not grow beyond the
//! limit itself (`acct_stack_growth` in mm, called for `get_arg_page`). With a limit below 128 KiB the strings may fill its whole
//! pages, in any case the first, except the eight bytes that stay free at the top. One byte more is E2BIG, and so are strings and
//! pointers of more than 128 KiB.
//!
//! Finding: from 6.8 on the kernel opens the file, and asks the listeners about it, before it checks the size, as in
//! `start/fail_too_long`.
//!
//! See [c:execve-limits].

use anyhow::Result;
use nix::sys::resource::{Resource, setrlimit};

use crate::scenario::{Elf, Evidence, Exec, Scenario, Search, System, needs};
use crate::trail::How;

pub const SCENARIO: Scenario = Scenario {
    summary: "size of all arguments and variables",
    needs: &[needs::EXEC_COUNTER],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

const PATH: &str = "/tmp/program";

/// A start in which everything that is counted takes `total` bytes, under a limit of the stack.
fn exec(stack: u64, total: usize) -> Result<Exec> {
    let mut exec = Exec::path(PATH)?.argv(&[])?.bare();
    // The name of the file comes off first, then each string with its NUL and pointer.
    let mut left = total - (PATH.len() + 1);
    while left > 0 {
        let longest = 100_000 + 9;
        // No rest that is too short for a string of its own.
        let now = match left {
            _ if left <= longest => left,
            _ if left < 2 * longest => left / 2,
            _ => longest,
        };
        exec = exec.arg(&"x".repeat(now - 9))?;
        left -= now;
    }
    Ok(exec.before(move || Ok(setrlimit(Resource::RLIMIT_STACK, stack, u64::MAX)?)))
}

fn run(system: &mut System) -> Result<()> {
    system.file("program", &Elf::new().build(), 0o755)?;
    let kib = 1024;
    // A start with megabytes takes long under emulation, so the search stays near the edge.
    let near = |edge: usize| Search {
        least: edge - 4096,
        expected: edge,
        greatest: edge + 4096,
    };
    let mut quarter = Evidence::new("limit/total");
    let stack = 8192 * kib;
    let edge = system.last_that_starts(near(2 << 20), |_, total| exec(stack, total))?;
    quarter.stated("bytes with a stack of 8 MiB", stack / 4, edge);
    system.fact("most with a stack of 8 MiB", edge)?;
    system.look(&format!("{edge} bytes, 8 MiB"), &exec(stack, edge)?)?;
    let more = edge + 1;
    system.look(&format!("{more} bytes, 8 MiB"), &exec(stack, more)?)?;
    let small = 2048 * kib;
    let edge = system.last_that_starts(near(512 << 10), |_, total| exec(small, total))?;
    quarter.stated("bytes with a stack of 2 MiB", small / 4, edge);
    system.fact("most with a stack of 2 MiB", edge)?;
    system.verdict(&quarter)?;

    let mut most = Evidence::new("limit/total_most");
    let edge = system.last_that_starts(near(6 << 20), |_, total| exec(u64::MAX, total))?;
    most.stated("bytes with a stack without limit", 6144 * kib, edge);
    system.fact("most with a stack without limit", edge)?;
    system.verdict(&most)?;

    let mut least = Evidence::new("limit/total_least");
    for (what, stack, expected) in [
        ("256 KiB", 256 * kib, 128 << 10),
        ("64 KiB", 64 * kib, 64 << 10),
        ("16 KiB", 16 * kib, 16 << 10),
    ] {
        // The program may fail on what is left of such a stack: only E2BIG counts.
        let accepted = |how: &How| *how != How::Errno("E2BIG".to_owned());
        let search = Search {
            least: 100,
            expected,
            greatest: 200_000,
        };
        let edge = system.last_with(search, |_, total| exec(stack, total), accepted)?;
        least.stated(&format!("bytes with a stack of {what}"), 128 * kib, edge);
        system.fact(&format!("most with a stack of {what}"), edge)?;
    }
    system.verdict(&least)
}
