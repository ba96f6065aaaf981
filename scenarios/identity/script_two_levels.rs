//! What the last interpreter is told of nested scripts.
//!
//! Each level puts its interpreter and its argument in front; `AT_EXECFN` and comm are those of the
//! outermost script.
//!
//! See `start/script_two_levels` for the steps.

use crate::scenario::{Exec, Role, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told of a script whose interpreter is a script",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let program = stage.ours("interpreter")?;
    let inner = stage.script("inner", &format!("#!{} -i\n", program.display()))?;
    let outer = stage.script("outer", &format!("#!{} -o\n", inner.display()))?;
    stage.observe(&Exec::path(outer)?.arg("one")?.role(Role::Report)?)?;
    Ok(())
}
