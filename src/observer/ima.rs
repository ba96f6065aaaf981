//! IMA: the kernel's list of the contents that were executed (security/integrity/ima).
//!
//! A policy is written once a boot, and what is in the list already is not added again
//! (`ima_lookup_digest_entry` in ima_queue.c): what it says of an exec depends on everything that was
//! executed before. So each scenario has a boot of its own, with a policy that is written when the watch
//! begins. An entry has neither a process nor a time; entries stand in the order in which they were made.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result, anyhow};
use sha2::{Digest as _, Sha256};

use super::{BOOT, Kind, Observer, Statement, Watch, broken, securityfs};
use crate::event::{Report, measured};
use crate::need::{Host, Need};
use crate::trail::LabKind;
use crate::wire::{Failure, Lost};

/// One policy a boot.
pub const KIND: Kind = Kind {
    name: "ima",
    needs: &[
        Need::vm("a virtual machine: a policy is the whole machine's, until it is booted again"),
        Need {
            what: "IMA (CONFIG_IMA)",
            host: Host::Config("CONFIG_IMA"),
            probe: |_| list().is_ok(),
        },
    ],
    wants: &[],
    takes: Some(BOOT),
    make: || Box::new(Ima::default()),
};

/// Whatever passes `security_bprm_check`; an entry has digest and path, and no signature.
const POLICY: &str = "measure func=BPRM_CHECK template=ima-ng\n";

/// How many bytes the list had before the watch.
#[derive(Debug, Default)]
struct Ima(usize);

impl Observer for Ima {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        Ok(())
    }

    fn arm(&mut self, _: &mut Watch) -> Result<(), Failure> {
        let place = securityfs::mounted().map_err(broken)?.join("ima/policy");
        let written = fs::write(&place, POLICY);
        written
            .with_context(|| format!("failed to write {}", place.display()))
            .map_err(broken)?;
        self.0 = list().map_err(broken)?.len();
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<Statement>, Failure> {
        let list = list().map_err(broken)?;
        let new = list.get(self.0..);
        let new = new.ok_or_else(|| broken(anyhow!("the list is shorter than it was")))?;
        let events = measured(&watch.run, new, &content)
            .map_err(|what| broken(anyhow!("an entry is {what}")))?;
        let report = Report {
            events,
            ..Report::default()
        };
        Statement::told(&report, Lost::default())
    }

    fn abandon(&mut self) {}
}

/// The list, as numbers and lengths.
fn list() -> Result<Vec<u8>> {
    let place = securityfs::mounted()?.join("ima/binary_runtime_measurements");
    fs::read(&place).with_context(|| format!("failed to read {}", place.display()))
}

/// The digest of the file that has this path now; none where there is no such file.
fn content(path: &[u8]) -> Option<String> {
    use std::fmt::Write as _;
    let path = OsStr::from_bytes(path);
    let mut digest = String::from("sha256:");
    for byte in Sha256::digest(fs::read(path).ok()?) {
        // Writing to a String cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    Some(digest)
}
