//! A listener denies (`FAN_DENY`) each event of a modprobe that the kernel starts, in turn, one case per event. The first
//! case denies nothing.
//!
//! The process that asked for the socket gets EAFNOSUPPORT in every case, as if there were no such module: nobody gets the
//! error of the denied helper. That errno alone would prove nothing, because no module is loaded when the listener allows
//! everything either. So the helper, a script, leaves a file, and the fact says whether that file is there:
//! - Where the listener denies the shell's own open of the script, the exec succeeds and there is no file.
//! - Where it denies the open of the file that the helper leaves, that file is there all the same: `O_CREAT` makes it before
//!   the event (`path_openat` in fs/namei.c).
//!
//! See `start/modprobe`.

use std::path::Path;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of modprobe",
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
        // There is none where the helper did not run.
        let _ = std::fs::remove_file(asked);
        system.fact(case, format!("helper ran {ran}"))
    })
}
