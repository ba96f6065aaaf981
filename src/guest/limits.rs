//! What of a lab could change what programs do, and is the same on every kernel.

use std::path::Path;

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::wait::waitpid;

use crate::files;
use crate::proc;
use crate::sys::{self, ForkResult};
use crate::trail::LabKind;

/// The kernel's usermode helper that loads modules.
const MODPROBE: &str = "/proc/sys/kernel/modprobe";

/// Sets limits of resources, and in a machine that nobody is asked for modules.
///
/// # Errors
///
/// The kernel refuses one of them.
pub fn set(lab: LabKind) -> Result<()> {
    let limits = [
        (Resource::RLIMIT_NOFILE, 1024, 4096),
        (Resource::RLIMIT_STACK, 8 << 20, u64::MAX),
        (Resource::RLIMIT_CORE, 0, u64::MAX),
    ];
    for (resource, soft, hard) in limits {
        setrlimit(resource, soft, hard).with_context(|| format!("failed to set {resource:?}"))?;
    }
    match lab {
        // Older kernels ask modprobe about formats that they do not know: a start of its own.
        // Of nothing at all nothing would be written.
        LabKind::Vm => match files::set(Path::new(MODPROBE), "\n") {
            // A kernel without modules asks nobody.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            set => set.with_context(|| format!("failed to write {MODPROBE}")),
        },
        // The setting is everybody's, and the helper would not be seen: it is outside.
        LabKind::Native => Ok(()),
    }
}

/// In a machine process 2 is kthreadd, and its number means that; in a pid namespace it is the
/// first child, which must be none of the scenarios'.
///
/// # Errors
///
/// What fork(2) or waitpid(2) say.
pub fn use_up_two() -> nix::Result<()> {
    match sys::fork()? {
        ForkResult::Child => sys::exit_now(0),
        ForkResult::Parent { child } => waitpid(child, None).map(drop),
    }
}

/// Where process ids wrap around.
///
/// # Errors
///
/// It cannot be read.
pub fn pid_max() -> Result<i32> {
    let text = proc::text("/proc/sys/kernel/pid_max").context("failed to read pid_max")?;
    text.trim().parse().context("failed to read pid_max")
}
