//! An exec of a program whose file ends after its program headers.
//!
//! The headers are whole. The kernel does not ask whether the file holds what it only maps, as here: the exec succeeds.
//! The program is started and dies at its first instruction, which is not there (the rest of the file's last page is
//! zeros; a page beyond it would be SIGBUS).
//!
//! That is a fault of user space; in `start/fail_address` the kernel kills the process in the call. Both end with a
//! signal. `in execve` tells them apart in the trail, and the return with 0 in the stages.
//!
//! See elf(5).

use crate::scenario::{Elf, Exec, Flaw, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program that ends after its headers: it starts and dies",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.file("cut", &Elf::new().flaw(Flaw::Truncated).build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
