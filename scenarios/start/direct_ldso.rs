//! The ELF interpreter is run by hand, with the program as its argument.
//!
//! The kernel executes the interpreter and nothing else: exe is the interpreter's path to the end. The interpreter
//! opens the program in user space, with an `open` and no `execute`. A policy that looks at executions alone has the
//! program among the arguments at most.
//!
//! See [c:ld-so-by-hand].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ld.so run by hand with ls as its argument",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let loader = Exec::path("/lib64/ld-linux-x86-64.so.2")?.arg("/usr/bin/ls")?;
    system.observe(&loader)?;
    Ok(())
}
