//! Before the point of no return the kernel first checks the format and the ELF interpreter, then computes the new capabilities
//! from the file's and the caller's.
//!
//! `load_elf_binary` (fs/binfmt_elf.c) opens and reads the interpreter before it calls `begin_new_exec`, in which
//! `bprm_creds_from_file` computes the new ids and capabilities ([c:creds-once]).

use crate::scenario::{Obstacle, Scenario, System, come_first, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: format and interpreter",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let claims = [
        ("order/format", Obstacle::Format),
        ("order/interpreter", Obstacle::Interpreter),
        ("order/interpreter_format", Obstacle::InterpreterFormat),
    ];
    come_first(system, &claims, Obstacle::pairs)
}
