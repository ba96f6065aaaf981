//! What a refusal does to a script.
//!
//! Script, interpreter and ELF interpreter are refused with EPERM to the caller. The last event, in
//! which the interpreter opens the script to read it, comes from user space: bash says that it may
//! not read the file and exits with 126.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! A policy that refuses only the script's `execute` does not stop `bash script`, which has no such event for
//! the script, as the last case shows.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a script refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("hello.sh", "#!/usr/bin/bash\n:\n")?;
    system.refuse_each(&Exec::path(&script)?)?;
    let bash = Exec::path("/usr/bin/bash")?.arg(&script.to_string_lossy())?;
    system.case("bash with the script as its argument", &bash)?;
    Ok(())
}
