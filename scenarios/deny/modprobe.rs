//! What a refusal does to a modprobe that the kernel starts.
//!
//! The process that asked for the socket is told EAFNOSUPPORT in every case, as if there were no
//! such module: the refusal of the helper is nobody's error.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See `start/modprobe`.

use crate::scenario::{Exec, Scenario, Stage, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of modprobe refused",
    needs: &[needs::MODULES, needs::KERNEL_HELPERS],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.sysctl("kernel/modprobe", "/usr/bin/true")?;
    stage.refuse_each(&Exec::by("socket", "AF_SMC", |_| sys::socket(43))?)?;
    Ok(())
}
