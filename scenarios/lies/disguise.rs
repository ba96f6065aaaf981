//! A program that, once executed, takes exe link, comm and arguments of another:
//!
//! - prctl(2) `PR_SET_MM_EXE_FILE` changes exe when nothing is mapped any more by the old file's path. The program replaces each
//!   mapping by a copy and runs on in it (`start/set_mm_exe_file` shows the refusal before that).
//! - The kernel reads the arguments from the process's own memory, from one address to another or to a NUL (`get_mm_cmdline` in
//!   fs/proc/base.c says when). `PR_SET_MM_ARG_START` and `_END` choose the two addresses.
//! - comm is free text (`PR_SET_NAME`).
//!
//! These options of `PR_SET_MM` need CAP_SYS_RESOURCE. For the arguments there are two more ways, which need no capability:
//! `PR_SET_MM_MAP`, and overwriting them in place. Nor is exe safe from a program without privilege: `lies/disguise_unprivileged`
//! takes it in a user namespace.
//!
//! Finding: an observer that looks into `/proc` afterwards finds the other program in all three places. So does a permission
//! monitor that looks at who opens a file. What was told at the exec stays true: path and file of the event, and what the kernel
//! told at its tracepoints.
//!
//! See prctl(2), proc_pid_exe(5), proc_pid_cmdline(5), proc_pid_comm(5).

use nix::fcntl::OFlag;

use crate::scenario::{DISGUISE_FD, Exec, OPENED, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a program takes exe, comm and arguments of another",
    needs: &[needs::SYS_RESOURCE],
    unpredicted: Some("a program takes another's exe and comm"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("disguised")?;
    let opened = OPENED.trim_start_matches("/tmp/");
    system.file(opened, b"", 0o644)?;
    let exec = Exec::path(program)?.role(Role::Disguise)?;
    system.observe(&exec.opened(DISGUISE_FD as i32, "/usr/bin/true", OFlag::O_RDONLY))?;
    Ok(())
}
