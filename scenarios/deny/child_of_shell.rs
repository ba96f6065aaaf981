//! A listener denies (`FAN_DENY`) each event of a shell, and then of the program that the shell starts, in turn, one case per
//! event. The first case denies nothing.
//!
//! Where the program is denied, the exec of bash's child fails. The child prints a message for people and exits with 126, and
//! the shell itself goes on. (zsh's child exits with 127, because zsh knows EACCES and ENOEXEC alone.)

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a program that a shell starts",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let bash = Exec::path("/usr/bin/bash")?.arg("-c")?;
    system.refuse_each(&bash.arg("/usr/bin/busybox true; exit $?")?)?;
    Ok(())
}
