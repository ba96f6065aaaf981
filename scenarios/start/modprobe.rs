//! The kernel starts a program by itself and waits for it: modprobe.
//!
//! A process asks for a socket of a family that no module provides yet. The kernel starts the program that
//! `kernel.modprobe` names, through a worker, and the process waits (`__request_module` in kernel/kmod.c, later
//! kernel/module/kmod.c; `UMH_WAIT_PROC`).
//!
//! Until its own point of no return the helper has no exe link and has a worker's comm, as in
//! `start/core_pattern_kworker`. Its parent is the worker, which waits for it (a helper whose end nobody waits for has
//! kthreadd as its parent). Neither its parent nor its arguments, which name only the family, lead to the process that
//! caused it.
//!
//! See socket(2), Documentation/admin-guide/sysctl/kernel.rst, `modprobe`.

use crate::scenario::{Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "modprobe started by the kernel for an address family",
    needs: &[needs::MODULES, needs::KERNEL_HELPERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.sysctl("kernel/modprobe", "/usr/bin/true")?;
    // Number 44 is XDP's, 45 MCTP's; 43 (SMC) is a module of Debian's kernels up to 6.17, loaded nowhere here, and missing from 6.18 on.
    let exec = Exec::by("socket", "AF_SMC", |_| sys::socket(43))?;
    system.observe(&exec)?;
    Ok(())
}
