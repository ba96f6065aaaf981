//! The record channel: the second serial port, raw; and the end of the machine.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};

use crate::wire::Link;

const PORT: &str = "/dev/ttyS1";

/// Opens the port so that every byte goes through as it is.
fn open_port(port: &str) -> Result<OwnedFd> {
    let fd = open_terminal(port)?;
    let mut settings = tcgetattr(&fd).with_context(|| format!("failed to read {port}'s modes"))?;
    cfmakeraw(&mut settings);
    tcsetattr(&fd, SetArg::TCSANOW, &settings)
        .with_context(|| format!("failed to set {port} to raw mode"))?;
    Ok(fd)
}

/// Opens the record channel.
pub fn open() -> Result<Link> {
    open_port(PORT).map(Link::new)
}

/// Waits until everything is out.
pub fn drain(link: &Link) {
    // A channel that cannot be drained is noticed on the host, which misses the last message.
    let _ = tcdrain(link.as_fd());
}

/// Ends the machine; QEMU ends with it (`-no-reboot`).
pub fn power_off() {
    // Returns only when it failed, and then PID 1 ends and the kernel panics: an end as well.
    let _ = reboot(RebootMode::RB_AUTOBOOT);
}

/// Opens a port as a terminal for a person: lines are edited, signals come from its keys.
pub fn open_terminal(port: &str) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    nix::fcntl::open(port, flags, Mode::empty()).with_context(|| format!("failed to open {port}"))
}
