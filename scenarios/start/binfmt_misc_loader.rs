//! A format of binfmt_misc with the flag `L`: the registered interpreter takes the place of the ELF interpreter that
//! the program names.
//!
//! The trail is otherwise that of the program alone. The kernel opens the interpreter earlier: `load_misc_binary` does
//! so before any other format has looked at the program (as the stages show).
//!
//! See Documentation/admin-guide/binfmt-misc.rst of a kernel that has it (7.3 is the first of the table).

use crate::scenario::{Elf, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc flag L: the entry replaces the ELF interpreter",
    needs: &[
        needs::OWN_SETTINGS,
        needs::BINFMT_MISC,
        needs::BINFMT_MISC_LOADER,
    ],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new()
        .interpreter("/lib64/ld-linux-x86-64.so.2")
        .needs("libc.so.6");
    let file = system.file("data.elf", &program.build(), 0o755)?;
    let loader = system.copy("/lib64/ld-linux-x86-64.so.2", "loader")?;
    system.format("exetrail", &format!("E::elf::{}:L", loader.display()))?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
