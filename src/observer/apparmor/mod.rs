//! AppArmor in complain mode: a profile that allows nothing, and refuses little (`start/memfd`).
//!
//! The profile is loaded once a boot, compiled already (`profiles` beside this has its text); the child
//! takes it on, and each exec from there gets a profile of its own below it, which allows nothing either. What
//! would be refused is a record in the audit log ([`super::log`]), without a place among the steps. It has a pass
//! of its own, because it asks at each access to a file.

mod profile;

use anyhow::{Context as _, anyhow};

use super::log::Log;
use super::{Kind, Observer, WATCHED, Watch, broken};
use crate::event::{self, Report, complaints};
use crate::need::{Host, Need};
use crate::trail::LabKind;
use crate::wire::{Failure, Submit};

pub use profile::{COMPLAINS, Profile, REFUSES, take_on};

/// The module is there and takes profiles.
pub const APPARMOR: Need = Need {
    what: "AppArmor (CONFIG_SECURITY_APPARMOR)",
    host: Host::Config("CONFIG_SECURITY_APPARMOR"),
    probe: |_| profile::is_enabled(),
};

/// One profile a boot.
pub const KIND: Kind = Kind {
    name: "apparmor",
    needs: &[
        Need::vm("a virtual machine: profiles are the whole machine's"),
        APPARMOR,
        Need {
            what: "auditing of system calls (CONFIG_AUDITSYSCALL)",
            host: Host::Config("CONFIG_AUDITSYSCALL"),
            probe: |_| Log::is_there(),
        },
    ],
    wants: &[],
    takes: Some(WATCHED),
    make: || Box::new(AppArmor::default()),
};

/// One reader of the log for the whole boot.
#[derive(Debug, Default)]
struct AppArmor(Option<Log>);

impl AppArmor {
    fn log(&mut self) -> Result<&mut Log, Failure> {
        let log = self.0.as_mut().context("the profile was not loaded");
        log.map_err(broken)
    }
}

impl Observer for AppArmor {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        COMPLAINS.load().map_err(broken)?;
        self.0 = Some(Log::open().map_err(broken)?);
        Ok(())
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        // What was recorded before is nobody's.
        let before = self.log()?.until_now(watch.deadline);
        before.map_err(broken)?;
        watch
            .submits
            .push(Submit::Profile(COMPLAINS.name.to_owned()));
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let (records, lost) = self.log()?.until_now(watch.deadline).map_err(broken)?;
        let records = records.iter().map(|(kind, text)| (*kind, text.as_str()));
        let raw = complaints(records).map_err(|what| broken(anyhow!("a record is {what}")))?;
        let report = Report {
            events: event::place(&watch.run, raw),
            ..Report::default()
        };
        super::Statement::told(&report, lost)
    }

    fn abandon(&mut self) {}
}
