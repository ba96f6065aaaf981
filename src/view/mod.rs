//! The views of a scenario: what one way of watching an exec reported, from the guest's message to
//! the page.
//!
//! A [`View`] is what is done with one of them: how its body is read and written,
//! to whom it applies, what a loss means, how two of them compare, how it is explained and shown.
//! [`VIEWS`] is the list; whoever handles views loops over it. A [`Record`] is one
//! scenario on one kernel: a [`ViewSeen`] for each view, with its outcome.
//!
//! A new view is one file here with one line in [`VIEWS`], beside its observer
//! ([`crate::observer`]).

mod body;
mod judged;
mod kept;
mod kind;
mod lists;
mod name;
mod observed;
mod old;
mod paint;
mod record;
pub mod reported;
mod rows;
#[cfg(test)]
mod schema;
pub mod stages;
pub mod trail;

pub use body::Body;
pub use judged::{Compared, Judged};
pub use kind::{AnyView, Identity, Length, Mark, Marked, Turn, View};
pub use name::ViewName;
pub use observed::{Observed, observed};
pub use paint::{Colour, Paint};
pub use record::{Record, SCHEMA, ViewSeen};
pub use rows::{Row, label, rows};

use reported::{
    Agent, AppArmor, Audit, EbpfHelpers, EbpfLsm, EbpfStructs, ExecForkChdir, FanotifyNotify, Ima,
    Kprobes, LdPreload, ProcConnector, ProcPoll, PtraceSeccomp, Reported, TetragonHook,
    Tracepoints,
};

/// Every view, in the order in which they are shown; the first is what all others are placed in.
pub static VIEWS: &[&dyn AnyView] = &[
    &trail::Steps,
    &stages::Stages,
    &Reported::<FanotifyNotify>::new(),
    &Reported::<Tracepoints>::new(),
    &Reported::<Kprobes>::new(),
    &Reported::<EbpfStructs>::new(),
    &Reported::<EbpfHelpers>::new(),
    &Reported::<EbpfLsm>::new(),
    &Reported::<ExecForkChdir>::new(),
    &Reported::<TetragonHook>::new(),
    &Reported::<ProcConnector>::new(),
    &Reported::<ProcPoll>::new(),
    &Reported::<Audit>::new(),
    &Reported::<Ima>::new(),
    &Reported::<Agent>::new(),
    &Reported::<PtraceSeccomp>::new(),
    &Reported::<LdPreload>::new(),
    &Reported::<AppArmor>::new(),
];

/// The view that every scenario has: what the permission monitor held, step by step.
pub const TRAIL: ViewName = <trail::Steps as View>::NAME;
/// What a program of a user's reports.
pub const AGENT: ViewName = <Reported<Agent> as View>::NAME;
/// Where inside the kernel each step falls.
pub const STAGES: ViewName = <stages::Stages as View>::NAME;

#[cfg(test)]
pub(crate) mod tests {
    use super::trail::Steps;
    use super::{Body, Judged, Record, TRAIL, ViewSeen};
    use crate::trail::{KernelInfo, LabKind, Outcome, Trail, parse};

    /// A trail that says nothing.
    pub fn trail() -> Trail {
        parse("start p1 by launcher: execve /a\nend p1: exit 0\n").unwrap()
    }

    /// A record of the view trail; what gave none has the reason "because".
    pub fn record(scenario: &str, kernel: &str, outcome: Outcome) -> Record {
        let none = matches!(outcome, Outcome::Unsupported | Outcome::Broken);
        Record {
            scenario: scenario.into(),
            kernel: KernelInfo::of(kernel, &format!("{kernel}.1"), LabKind::Vm),
            seen: vec![ViewSeen {
                view: TRAIL,
                outcome,
                reason: none.then(|| "because".into()),
                body: (!none).then(|| Body::new::<Steps>(trail())),
                judged: (!none).then(Judged::default),
            }],
            model: None,
            output: Vec::new(),
        }
    }
}
