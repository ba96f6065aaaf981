//! The everyday case: bash forks, and its child becomes `/usr/bin/ls`.
//!
//! The kernel opens the program and then its ELF interpreter while the process is still bash
//! (`do_open_execat` and `load_elf_binary` in fs/exec.c and fs/binfmt_elf.c). Each of these opens is
//! asked for twice, as `FAN_OPEN_EXEC_PERM` and then as `FAN_OPEN_PERM` (asked for by `do_dentry_open`
//! in fs/open.c: `fsnotify_perm` by way of `security_file_open`, later `fsnotify_open_perm` and
//! `fsnotify_open_perm_and_set_mode`).
//! Then comes the point of no return, and everything after it is opened in user space, by the ELF interpreter and then by the
//! program, under the new exe.
//!
//! `:` after the command keeps bash from running it in its own process.
//!
//! See execve(2), fanotify(7), ld.so(8).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "bash starts /usr/bin/ls",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let bash = Exec::path("/usr/bin/bash")?
        .arg("-c")?
        .arg("/usr/bin/ls; :")?;
    system.observe(&bash)?;
    Ok(())
}
