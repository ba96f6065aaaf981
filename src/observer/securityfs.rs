//! The file system of the security modules.

use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

/// Where it is, mounted by now.
///
/// # Errors
///
/// What mount(2) says: `ENODEV` without CONFIG_SECURITYFS.
pub fn mounted() -> Result<&'static Path> {
    let place = Path::new("/sys/kernel/security");
    let none = None::<&str>;
    match mount(none, place, Some("securityfs"), MsFlags::empty(), none) {
        Ok(()) | Err(Errno::EBUSY) => Ok(place),
        Err(errno) => {
            Err(errno).with_context(|| format!("failed to mount securityfs on {}", place.display()))
        }
    }
}
