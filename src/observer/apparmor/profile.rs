//! Profiles that are compiled already, and how a kernel and a process take them (`apparmorfs.c` and
//! `lsm.c` in security/apparmor). Loaded once, one stays for the boot and concerns nobody who does not take it on.

use std::fs;

use anyhow::{Context as _, Result};
use nix::errno::Errno;

use crate::observer::securityfs;

/// A profile.
#[derive(Debug)]
pub struct Profile {
    /// Its name, as the compiled form has it.
    pub name: &'static str,
    policy: &'static [u8],
}

/// Allows nothing, and reports instead of refusing, with exceptions (`start/memfd`).
pub static COMPLAINS: Profile = Profile {
    name: "exetrail",
    policy: include_bytes!("complains.policy"),
};

/// Has no rules: it allows no file, and no exec.
pub static REFUSES: Profile = Profile {
    name: "exetrail-refuses",
    policy: include_bytes!("refuses.policy"),
};

impl Profile {
    /// Gives it to the kernel.
    ///
    /// # Errors
    ///
    /// securityfs cannot be mounted, or the kernel does not take the profile.
    pub fn load(&self) -> Result<()> {
        let place = securityfs::mounted()?.join("apparmor/.replace");
        fs::write(&place, self.policy)
            .with_context(|| format!("failed to write {}", place.display()))
    }
}

/// Takes a loaded profile on, for the calling thread and whatever it executes.
///
/// # Errors
///
/// `ENOENT` for a profile that is not loaded.
pub fn take_on(name: &str) -> nix::Result<()> {
    let place = "/proc/thread-self/attr/current";
    let changed = fs::write(place, format!("changeprofile {name}"));
    changed.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))
}

/// Whether AppArmor is among the modules that this kernel was booted with.
#[must_use]
pub fn is_enabled() -> bool {
    let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    enabled.is_ok_and(|enabled| enabled.trim() == "Y")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiled_profile_has_the_name_by_which_it_is_taken_on() {
        for profile in [&COMPLAINS, &REFUSES] {
            // A string has its length with the zero byte, in two bytes (policy_unpack.c).
            let length = u16::try_from(profile.name.len() + 1).unwrap().to_le_bytes();
            let name = [b"\x05", &length[..], profile.name.as_bytes(), b"\0"].concat();
            let mut found = profile.policy.windows(name.len());
            assert!(found.any(|bytes| bytes == name), "{}", profile.name);
        }
    }
}
