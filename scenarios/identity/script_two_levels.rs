//! What the last interpreter is told of nested scripts.
//!
//! Each level puts its interpreter and its argument in front. `AT_EXECFN` and comm are those of the outermost script, which is
//! executed by its path.
//!
//! See `start/script_two_levels` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "nested scripts: each level puts interpreter and argument in front",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    let inner = system.script("inner", &format!("#!{} -i\n", program.display()))?;
    let outer = system.script("outer", &format!("#!{} -o\n", inner.display()))?;
    system.observe(&Exec::path(outer)?.arg("one")?.role(Role::Report)?)?;
    Ok(())
}
