//! The audit subsystem: a record of each execve and execveat when the call ends, from the log
//! ([`super::log`]).

use anyhow::{Context as _, anyhow};

use super::log::Log;
use super::{Kind, Observer, Watch, broken};
use crate::event::{self, Report, calls};
use crate::need::{Host, Need};
use crate::stages;
use crate::trail::LabKind;
use crate::wire::Failure;

/// Audited, a process passes one stage more, which the tracer of stages leaves out.
pub const KIND: Kind = Kind {
    name: "audit",
    needs: &[
        Need::vm("a virtual machine: audit rules are the whole machine's"),
        Need {
            what: "auditing of system calls (CONFIG_AUDITSYSCALL)",
            host: Host::Config("CONFIG_AUDITSYSCALL"),
            probe: |_| Log::is_there(),
        },
    ],
    wants: &[],
    takes: None,
    make: || Box::new(Audit::default()),
};

/// One reader for the whole boot.
#[derive(Debug, Default)]
struct Audit(Option<Log>);

impl Audit {
    fn log(&mut self) -> Result<&mut Log, Failure> {
        let log = self.0.as_mut().context("auditing was not set up");
        log.map_err(broken)
    }
}

impl Observer for Audit {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        let log = Log::open().and_then(|log| log.record_execs().map(|()| log));
        self.0 = Some(log.map_err(broken)?);
        Ok(())
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        watch.added.push(stages::AUDIT);
        // What was recorded before is nobody's.
        let before = self.log()?.until_now(watch.deadline);
        before.map(drop).map_err(broken)
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let (records, lost) = self.log()?.until_now(watch.deadline).map_err(broken)?;
        let records: Vec<_> = records
            .iter()
            .map(|(kind, text)| (*kind, text.as_str()))
            .collect();
        let raw = calls(&records).map_err(|what| broken(anyhow!("a record is {what}")))?;
        let report = Report {
            events: event::place(&watch.run, raw),
            ..Report::default()
        };
        super::Statement::told(&report, lost)
    }

    fn abandon(&mut self) {}
}
