//! An exec of a program whose file ends after its program headers.
//!
//! The headers are whole, and of what it only maps, as here, the kernel does not ask whether the file holds it: the exec succeeds.
//! The program is started and dies at its first instruction, which is not there (the rest of the file's last page is zeros; a page beyond
//! it would be SIGBUS). That is a fault of user space; in `start/fail_address` the kernel kills the process in the call. Both
//! end with a signal; `in execve` tells them apart, and in the stages the return with 0.
//!
//! See elf(5).

use crate::scenario::{Elf, Exec, Flaw, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program that ends after its headers",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.file("cut", &Elf::new().flaw(Flaw::Truncated).build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
