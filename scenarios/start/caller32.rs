//! A 32-bit call of execve, number 11 of `int $0x80`, starts a 64-bit program.
//!
//! The kernel opens the same files as for a 64-bit call. Tools that watch system calls are another matter: on all
//! kernels the tracepoint `sys_enter_execve` leaves out every call of the 32-bit table, and `sys_exit_execve` every
//! return of it (`trace_get_syscall_nr` in kernel/trace/trace_syscalls.c, `arch_trace_is_compat_syscall`). The stages
//! show the entry by its function, `__ia32_compat_sys_execve`.
//!
//! The number at the return is that of the program that was started:
//!
//! - A 64-bit program returns from number 59 (`set_personality_64bit`), and `sys_exit_execve` fires.
//! - A 32-bit program, and a caller whose call failed, return from number 11: of the tracepoints only
//!   `raw_syscalls:sys_exit` tells of that.
//!
//! The other way round is `start/bits32`: a 64-bit call whose return is one of the 32-bit table.
//!
//! See [c:syscall-conventions].

use crate::scenario::{Elf, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "32-bit call of execve that starts a 64-bit program",
    needs: &[needs::BITS_32],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.file("wide", &Elf::new().read_only().build(), 0o755)?;
    let exec = Exec::by("execve by int 0x80", program, |args| args.execve_narrow())?;
    system.observe(&exec.itself())?;
    Ok(())
}
