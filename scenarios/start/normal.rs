//! The everyday case: bash forks, and its child becomes `/usr/bin/ls`.
//!
//! The kernel opens the program (`do_open_execat` in fs/exec.c) and then its ELF interpreter (`load_elf_binary` in
//! fs/binfmt_elf.c) while the process is still bash. It asks for each of these opens twice, as `FAN_OPEN_EXEC_PERM` and
//! then as `FAN_OPEN_PERM`. (`do_dentry_open` in fs/open.c asks: through `security_file_open` and `fsnotify_perm`,
//! later through `fsnotify_open_perm` and `fsnotify_open_perm_and_set_mode`.)
//!
//! Then comes the point of no return. Everything after it is opened in user space under the new exe, by the ELF
//! interpreter and then by the program.
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
