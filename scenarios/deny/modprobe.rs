//! What a refusal does to a modprobe that the kernel starts.
//!
//! The process that asked for the socket is told EAFNOSUPPORT in every case, as if there were no
//! such module: the refusal of the helper is nobody's error. That errno alone would prove nothing,
//! because no module is loaded here when all is allowed either; so the helper, a script, leaves a file,
//! and the fact says whether that is there. (Where the shell's own open of the script is refused the exec succeeds and there
//! is none. Where the open of that file is refused it is there all the same: `O_CREAT`
//! makes it before the event, `path_openat` in fs/namei.c.)
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See `start/modprobe`.

use std::path::Path;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of modprobe refused",
    needs: &[needs::MODULES, needs::KERNEL_HELPERS],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let helper = system.script("modprobe", "#!/usr/bin/busybox sh\n: >/tmp/asked\n")?;
    system.sysctl("kernel/modprobe", &helper.to_string_lossy())?;
    let asked = Path::new("/tmp/asked");
    let exec = Exec::by("socket", "AF_SMC", |_| sys::socket(43))?;
    system.look_at_each_refusal(&exec, |system, case, _| {
        let ran = if asked.exists() { "yes" } else { "no" };
        // Where it did not run there is none.
        let _ = std::fs::remove_file(asked);
        system.fact(case, format!("helper ran {ran}"))
    })
}
