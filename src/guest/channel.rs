//! The record channel: the second serial port, raw, or a pipe; and the end of the lab.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};
use nix::unistd::dup2_stdout;

use crate::arch;
use crate::trail::LabKind;
use crate::wire::Link;

/// Opens the port so that every byte goes through as it is.
pub fn open_port(port: &str) -> Result<OwnedFd> {
    let fd = open_terminal(port)?;
    let mut settings = tcgetattr(&fd).with_context(|| format!("failed to read {port}'s modes"))?;
    cfmakeraw(&mut settings);
    tcsetattr(&fd, SetArg::TCSANOW, &settings)
        .with_context(|| format!("failed to set {port} to raw mode"))?;
    Ok(fd)
}

/// Opens the record channel.
pub fn open(lab: LabKind) -> Result<Link> {
    match lab {
        LabKind::Vm => open_port(arch::RECORDS).map(Link::new),
        LabKind::Native => take_stdout().map(Link::new),
    }
}

/// Takes standard output, which is the host's pipe, away from everybody who would inherit it.
fn take_stdout() -> Result<OwnedFd> {
    let stdout = std::io::stdout();
    let channel = stdout.as_fd().try_clone_to_owned();
    let channel = channel.context("failed to take the record channel")?;
    let null = nix::fcntl::open(
        "/dev/null",
        OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .context("failed to open /dev/null")?;
    dup2_stdout(&null).context("failed to leave standard output")?;
    Ok(channel)
}

/// Waits until everything is out.
pub fn drain(link: &Link) {
    // A channel that cannot be drained is noticed on the host, which misses the last message.
    let _ = tcdrain(link.as_fd());
}

/// Ends the lab: the machine, and QEMU with it (`-no-reboot`); in a pid namespace the end of PID 1
/// is the end of everything.
pub fn end(lab: LabKind) {
    if lab == LabKind::Native {
        return;
    }
    // Returns only when it failed, and then PID 1 ends and the kernel panics: an end as well.
    let _ = reboot(RebootMode::RB_AUTOBOOT);
}

/// Opens a port as a terminal for a person: lines are edited, signals come from its keys.
pub fn open_terminal(port: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    nix::fcntl::open(port, flags, Mode::empty()).with_context(|| format!("failed to open {port}"))
}
