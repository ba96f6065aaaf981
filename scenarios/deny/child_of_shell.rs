//! What a refusal does to a program that a shell starts.
//!
//! The shell's child, here bash's, is refused and says so with 126 (zsh's with 127, as it knows EACCES and ENOEXEC alone), in words for a
//! person; the shell itself goes on.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! The shell's own start is refused as well, in the cases right after that.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program that a shell starts refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let bash = Exec::path("/usr/bin/bash")?.arg("-c")?;
    system.refuse_each(&bash.arg("/usr/bin/busybox true; exit $?")?)?;
    Ok(())
}
