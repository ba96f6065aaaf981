//! A listener denies (`FAN_DENY`) each event of a script in turn, one case per event. The first case denies nothing.
//!
//! Where the listener denies the script, its interpreter or the ELF interpreter to the kernel, the caller gets EPERM. The
//! last event comes from user space: the interpreter opens the script to read it. Where the listener denies that, bash says
//! that it may not read the file and exits with 126.
//!
//! A policy that denies only the script's `execute` does not stop `bash script`: the last case shows that this start has no
//! such event for the script.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a script",
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
