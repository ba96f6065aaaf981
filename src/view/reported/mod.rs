//! The views of the other ways of watching: each reports events ([`crate::event`]), so that a file
//! here says little more than its name, what it is and to whom it applies.

mod agent;
mod apparmor;
mod audit;
mod connector;
mod differ;
mod ebpf;
mod ima;
mod kprobes;
mod notify;
mod poll;
mod preload;
mod ptrace;
mod tracepoints;

use std::fmt::Debug;
use std::marker::PhantomData;

use anyhow::Result;
use serde_json::Value;

use super::{View, ViewName};
use crate::diff::Side;
use crate::event::{self, Report};
use crate::scenario::Registered;
use crate::trail::{LONGEST, Trail};

pub use agent::Agent;
pub use apparmor::AppArmor;
pub use audit::Audit;
pub use connector::ProcConnector;
pub use ebpf::{EbpfHelpers, EbpfLsm, EbpfStructs, ExecForkChdir, TetragonHook};
pub use ima::Ima;
pub use kprobes::Kprobes;
pub use notify::FanotifyNotify;
pub use poll::ProcPoll;
pub use preload::LdPreload;
pub use ptrace::PtraceSeccomp;
pub use tracepoints::Tracepoints;

/// One way of watching.
pub trait Way: Debug + Send + Sync + 'static {
    /// See [`View::NAME`].
    const NAME: ViewName;
    /// See [`View::ABOUT`].
    const ABOUT: &'static str;
    /// See [`View::WHOM`].
    const WHOM: &'static str = "scenarios of the families start, container and lies";

    /// Whether it is asked about a scenario that starts a program.
    fn is_of(_: &Registered) -> bool {
        true
    }

    /// Whether this process has it: one that is a user's has to be brought.
    fn is_there() -> bool {
        true
    }
}

/// The view of one way of watching.
#[derive(Debug)]
pub struct Reported<W>(PhantomData<W>);

impl<W> Reported<W> {
    /// The view.
    #[must_use]
    pub const fn new() -> Reported<W> {
        Reported(PhantomData)
    }
}

impl<W> Default for Reported<W> {
    fn default() -> Reported<W> {
        Reported::new()
    }
}

impl<W: Way> View for Reported<W> {
    type Body = Report;

    const NAME: ViewName = W::NAME;
    const ABOUT: &'static str = W::ABOUT;
    const WHOM: &'static str = W::WHOM;

    fn applies(scenario: &Registered) -> bool {
        W::is_there() && scenario.is_start() && W::is_of(scenario)
    }

    fn read(kept: Value, _: &Trail) -> Result<Report, String> {
        whole(serde_json::from_value(kept).map_err(|error| error.to_string())?)
    }

    fn text(body: &Report) -> String {
        event::text(body)
    }

    fn parse(text: &str) -> Result<Report> {
        Ok(event::parse(text)?)
    }

    fn words(old: (&Side, &Report), new: (&Side, &Report)) -> Vec<String> {
        differ::words(old, new)
    }

    fn beside(body: &Report, without: &Trail, with: &Trail) -> Report {
        event::beside(body, without, with)
    }

    fn report(body: &Report) -> Option<Report> {
        Some(body.clone())
    }

    #[cfg(test)]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Report>()
    }
}

/// Refuses a report that its text does not tell: what is shown and compared is the text.
fn whole(report: Report) -> Result<Report, String> {
    let footprint = report.footprint.as_ref().map_or(0, Vec::len);
    let length = report.events.len() + footprint;
    if length > LONGEST {
        return Err(format!(
            "it has {length} lines, more than the limit of {LONGEST}"
        ));
    }
    let read = event::parse(&event::text(&report));
    let read = read.map_err(|error| format!("its text does not read back: {error}"))?;
    // The one thing that no text has.
    let cost = report.cost.clone();
    match (Report { cost, ..read }) == report {
        true => Ok(report),
        false => Err("its text reads back as another one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "event=exec    pid=p1 after=4 : EXEC path=/a argv=\"a b\"\n\
                        footprint:\n\
                        - perm=open    pid=p1\n";

    type Seen = Reported<Audit>;

    /// Reads a report of which something was changed.
    fn read(change: impl Fn(&mut Value)) -> Result<Report, String> {
        let mut body = Seen::write(&Seen::parse(TEXT).unwrap());
        change(&mut body);
        Seen::read(body, &Trail::default())
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        assert_eq!(read(|_| {}), Ok(Seen::parse(TEXT).unwrap()));
    }

    #[test]
    fn what_it_costs_is_in_no_text() {
        let cost = json!({"rounds": [], "opens": 3, "late": false});
        assert!(read(|body| body["cost"] = cost.clone()).is_ok());
    }

    #[test]
    fn a_source_of_several_words_is_refused() {
        let error = read(|body| body["events"][0]["source"] = "EXEC path=/b".into());
        assert_eq!(error, Err("its text reads back as another one".to_owned()));
    }

    #[test]
    fn a_footprint_of_other_lines_is_refused() {
        let error = read(|body| body["footprint"][0] = "deaf: no".into());
        assert!(error.is_err());
    }

    #[test]
    fn a_report_without_end_is_refused() {
        let error = read(|body| {
            let event = body["events"][0].clone();
            body["events"] = vec![event; LONGEST].into();
        });
        assert!(error.unwrap_err().contains("more than the limit"));
    }
}
