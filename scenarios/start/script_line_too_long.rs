//! A script whose interpreter's name does not fit into the 256 bytes that the kernel reads.
//!
//! A name that is cut could be that of another program. The kernel therefore refuses the file with ENOEXEC, after it
//! has opened the script itself (`load_script` in fs/binfmt_script.c, [c:script-not-cut]; [c:script-256] raised what is
//! read from 128 to 256 bytes). After this ENOEXEC bash would run the file by itself; see `start/script_no_shebang`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script whose interpreter's name is longer than 256 bytes",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let line = format!("#!/{}usr/bin/true\n", "./".repeat(140));
    let script = system.script("long.sh", &line)?;
    system.observe(&Exec::path(script)?)?;
    Ok(())
}
