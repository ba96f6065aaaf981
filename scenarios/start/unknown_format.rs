//! A file of a format that the kernel does not know.
//!
//! Every kernel returns ENOEXEC after it has opened the file.
//!
//! Finding: when the first four bytes are not all printable, an older kernel asks modprobe for a module `binfmt-0403`
//! (from bytes 2 and 3 of the file) before it gives up (`search_binary_handler` in fs/exec.c). Any user can have the
//! kernel start a program as root, with a file of a few bytes. Commit [c:no-binfmt-modprobe] ended it. The fact is of
//! an ordinary user, nobody watching: `kernel.modprobe` then names a script that makes a file, and the owner of that
//! file says as whom the script ran.
//!
//! See execve(2), ENOEXEC.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::Context as _;

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "file of a format that the kernel does not know",
    needs: &[needs::MODULES, needs::KERNEL_HELPERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.sysctl("kernel/modprobe", "/usr/bin/true")?;
    let file = system.file("unknown", &[1, 2, 3, 4, 5], 0o755)?;
    system.observe(&Exec::path(&file)?)?;
    let helper = system.script("modprobe", "#!/usr/bin/busybox sh\n: >/tmp/made\n")?;
    system.sysctl("kernel/modprobe", &helper.to_string_lossy())?;
    let how = system.attempt(&Exec::path(file)?.as_user())?;
    // The kernel waits for modprobe to end before the call returns.
    let made = match fs::metadata("/tmp/made") {
        Ok(made) => format!("a file of user {}", made.uid()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no file".to_owned(),
        Err(error) => return Err(error).context("failed to look at /tmp/made"),
    };
    system.fact(
        "by an ordinary user",
        format!("{how}, and modprobe made {made}"),
    )
}
