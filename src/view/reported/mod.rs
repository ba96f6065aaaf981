//! The views of the other ways of watching: each reports events ([`crate::event`]), so that a file
//! here says its name, what it is and to whom it applies, and no more.

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

use super::{View, ViewName};
use crate::diff::Side;
use crate::event::{self, Report};
use crate::scenario::Registered;
use crate::trail::Trail;

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
