//! The views of the other ways of watching: each reports events ([`crate::event`]), so that a file
//! here says its name, what it is and to whom it applies, and no more.

mod audit;
mod connector;
mod kprobes;
mod notify;
mod poll;
mod tracepoints;

use std::fmt::Debug;
use std::marker::PhantomData;

use anyhow::Result;

use super::{Mark, Name, View};
use crate::event::{self, Report};
use crate::scenario::Registered;

pub use audit::Audit;
pub use connector::ProcConnector;
pub use kprobes::Kprobes;
pub use notify::FanotifyNotify;
pub use poll::ProcPoll;
pub use tracepoints::Tracepoints;

/// One way of watching.
pub trait Way: Debug + Send + Sync + 'static {
    /// See [`View::NAME`].
    const NAME: Name;
    /// See [`View::ABOUT`].
    const ABOUT: &'static str;
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

    const NAME: Name = W::NAME;
    const ABOUT: &'static str = W::ABOUT;
    const WHOM: &'static str = "scenarios of the family start";

    fn applies(scenario: &Registered) -> bool {
        scenario.family() == "start"
    }

    fn text(body: &Report) -> String {
        event::text(body)
    }

    fn parse(text: &str) -> Result<Report> {
        Ok(event::parse(text)?)
    }

    fn report(body: &Report) -> Option<Report> {
        Some(body.clone())
    }

    #[cfg(test)]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Report>()
    }

    fn marks(body: &Report, process: &str) -> Vec<Vec<Mark>> {
        let mut groups: Vec<Vec<Mark>> = Vec::new();
        for event in body.events.iter().filter(|event| event.process == process) {
            let after = event.after.unwrap_or(0);
            groups.resize_with(groups.len().max(after + 1), Vec::new);
            groups[after].push(Mark {
                name: event.source.clone(),
                title: event.to_string(),
                named: event.kind == event::Kind::Exec,
            });
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_behind_the_steps_that_came_before() {
        let text = "event=exec    pid=p1 after=2 : EXEC\n";
        let report = event::parse(text).unwrap();
        let marks = Reported::<ProcConnector>::marks(&report, "p1");
        let counts: Vec<_> = marks.iter().map(Vec::len).collect();
        assert_eq!(counts, [0, 0, 1]);
        assert!(Reported::<ProcConnector>::marks(&report, "p2").is_empty());
    }
}
