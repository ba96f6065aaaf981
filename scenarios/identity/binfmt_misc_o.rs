//! What an interpreter is told by binfmt_misc with the flag `O`.
//!
//! `AT_EXECFD` is the descriptor of the file, open for reading. Without `O` there is no such entry, unless another flag implies
//! it (`C`; `T` on 7.3) or a BPF program chooses interpreter and flags (7.3, `entry_invocation_flags` in fs/binfmt_misc.c).
//!
//! See Documentation/admin-guide/binfmt-misc.rst, getauxval(3).

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc, flag O: AT_EXECFD is the file, open for reading",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:O", program.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    let exec = Exec::path(file)?.argv(&["mine", "one"])?;
    system.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
