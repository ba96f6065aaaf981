//! A program loads a library with dlopen(3), long after it has started.
//!
//! bash does it for `enable -f`. It opens the cache once more, then the library and what the library needs, in the same
//! form as at the start: none of these steps by itself says that the program was running already. (The library holds no
//! builtin, so that bash goes on without one.)
//!
//! See dlopen(3), bash(1) `enable`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "library loaded long after the start",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let bash = Exec::path("/usr/bin/bash")?.arg("-c")?;
    system.observe(&bash.arg("enable -f libaudit.so.1 none; :")?)?;
    Ok(())
}
