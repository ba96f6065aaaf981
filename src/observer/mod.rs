//! Ways of watching an exec, a file or directory each; [`OBSERVERS`] is the list.
//!
//! An observer is set up once a boot, armed before a program is executed and disarmed when the
//! launcher's tree is gone. What it saw is the body of the view of its name ([`crate::view`]), which
//! the host alone understands and judges. Observers are armed in the order of the list and disarmed
//! in the opposite one: the last, fanotify, holds the process at each event and calls the hooks that
//! the others gave it; being disarmed first, it tells them which processes there were. What fails in
//! one of the others costs its own view and never the trail. No observer uses another.

mod agent;
pub mod apparmor;
mod audit;
mod connector;
mod ebpf;
mod ended;
pub mod fanotify;
mod ima;
mod kprobes;
mod log;
mod look;
mod notes;
mod poll;
mod preload;
mod ptrace;
mod securityfs;
pub mod stages;
mod tracefs;
mod tracepoints;

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::need::{Need, Want};
use crate::trail::{LabKind, Mask, Run};
use crate::wire::{Failure, GuestPlan, Lost, Policy, Submit};

/// Every observer, in the order in which they are armed.
pub static OBSERVERS: &[Kind] = &[
    agent::KIND,
    stages::KIND,
    tracepoints::KIND,
    kprobes::KIND,
    ebpf::structs::KIND,
    ebpf::helpers::KIND,
    ebpf::lsm::KIND,
    ebpf::chdir::KIND,
    ebpf::tetragon::KIND,
    connector::KIND,
    poll::KIND,
    audit::KIND,
    ima::KIND,
    ptrace::KIND,
    preload::KIND,
    apparmor::KIND,
    fanotify::NOTIFY,
    fanotify::KIND,
];

/// What an observer takes that changes what it watches: the processes themselves. It has a pass of its own,
/// beside the trail alone, and what differs in that trail is its footprint.
pub const WATCHED: &str = "the watched processes";

/// What an observer takes that can be asked once a boot: each scenario has a boot of its own for it.
pub const BOOT: &str = "a boot for each scenario";

/// What is known of an observer before there is one.
#[derive(Debug)]
pub struct Kind {
    /// Its name, and that of its view.
    pub name: &'static str,
    /// What it needs from kernel and lab; judged on both sides.
    pub needs: &'static [Need],
    /// What it does without where it is not there; its view says so, and both sides are held together.
    pub wants: &'static [Want],
    /// What of a boot it takes for itself alone; no two observers of one boot take the same.
    pub takes: Option<&'static str>,
    /// Makes one, which does nothing yet.
    pub make: fn() -> Box<dyn Observer>,
}

impl Kind {
    /// The observer of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Kind> {
        OBSERVERS.iter().find(|kind| kind.name == name)
    }

    /// Whether it changes what it watches, so that scenarios are started once more for it.
    #[must_use]
    pub fn intrudes(&self) -> bool {
        self.takes == Some(WATCHED)
    }

    /// Whether it can be asked once a boot.
    #[must_use]
    pub fn is_asked_once(&self) -> bool {
        self.takes == Some(BOOT)
    }

    /// Whether scenarios are started once more for it, with the trail alone beside it.
    #[must_use]
    pub fn has_own_pass(&self) -> bool {
        self.intrudes() || self.is_asked_once()
    }
}

/// One way of watching.
pub trait Observer {
    /// Hears what the guest is to do, once, before the first scenario.
    fn plan(&mut self, _: &GuestPlan) {}

    /// Prepares what all execs of this boot share; called before the first one that it watches.
    ///
    /// Nobody takes it away: it goes with the boot.
    ///
    /// # Errors
    ///
    /// Why it sees nothing in this boot.
    fn set_up(&mut self, lab: LabKind) -> Result<(), Failure>;

    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// Why it does not see this exec.
    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure>;

    /// Ends the watch and says what was seen; nothing where that is the run itself.
    ///
    /// # Errors
    ///
    /// Why nothing can be said.
    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<Statement>, Failure>;

    /// Ends a watch of which nobody wants to hear.
    fn abandon(&mut self);

    /// A scenario is over: no process of the observer's lives longer.
    fn end_scenario(&mut self) {}

    /// The process below which everybody is spared when a scenario is over.
    fn spares(&self) -> Option<i32> {
        None
    }
}

/// What one observer has to say of one exec.
#[derive(Debug)]
pub struct Statement {
    /// The body of its view.
    pub body: Value,
    /// What it knows to have missed.
    pub lost: Lost,
}

impl Statement {
    /// A report of what happened, beside what is known to be missing.
    ///
    /// # Errors
    ///
    /// None that such values have.
    pub fn of(body: &crate::event::Report, lost: Lost) -> Result<Statement> {
        let body = serde_json::to_value(body).context("failed to write a report")?;
        Ok(Statement { body, lost })
    }

    /// The same, as the end of a watch has it.
    ///
    /// # Errors
    ///
    /// As [`Statement::of`].
    pub fn told(body: &crate::event::Report, lost: Lost) -> Result<Option<Statement>, Failure> {
        Statement::of(body, lost).map(Some).map_err(broken)
    }
}

/// One watch, as the observers share it.
pub struct Watch {
    /// Paths on the file systems that are watched.
    pub paths: Vec<PathBuf>,
    /// What is done with events.
    pub policy: Option<Policy>,
    /// When everything has to be over.
    pub deadline: Instant,
    /// Called for each event while the process is held; whoever holds takes them.
    pub hooks: Vec<HeldHook>,
    /// What the child does to itself before it makes the call.
    pub submits: Vec<Submit>,
    /// The process that holds the others, once there is one.
    pub holder: Option<i32>,
    /// Below this process everybody is an observer's: what they open is answered and not told.
    pub quiet: Option<i32>,
    /// How often that happened; whoever holds says it.
    pub quiet_opens: u64,
    /// Stages that the kernel passes because an observer is armed: they are ours, not the exec's.
    pub added: Vec<&'static str>,
    /// A usermode helper of the kernel without whose end the watch is not over.
    pub helper: Option<String>,
    /// What the launcher knows of the exec; whoever holds adds events and processes.
    pub run: Run,
    /// Hooks that failed, with the reason; they were not called again.
    pub failed: Vec<(String, String)>,
}

impl Watch {
    /// A watch of the file systems of these paths that nobody is asked for anything yet.
    #[must_use]
    pub fn of(paths: Vec<PathBuf>, policy: Option<Policy>, deadline: Instant) -> Watch {
        Watch {
            paths,
            policy,
            deadline,
            hooks: Vec::new(),
            submits: Vec::new(),
            holder: None,
            quiet: None,
            quiet_opens: 0,
            added: Vec::new(),
            helper: None,
            run: Run::default(),
            failed: Vec::new(),
        }
    }
}

/// What an observer does while a process is held.
pub struct HeldHook {
    /// The observer's name.
    pub observer: &'static str,
    /// What is called.
    pub call: Box<dyn OnHeld>,
}

/// An event that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// Its number since the watch began, counted from 1.
    pub number: usize,
    /// The process that waits, by its thread group's id.
    pub pid: i32,
    /// What is asked.
    pub mask: Mask,
    /// What is being opened.
    pub file: BorrowedFd<'a>,
}

/// A look of an observer at a process that is held.
///
/// It runs in the process that holds, which was forked after [`Observer::arm`]: what it finds comes
/// back through a descriptor that both have. Whatever it opens on a watched file system waits for
/// ever.
pub trait OnHeld {
    /// An event waits for its answer.
    ///
    /// # Errors
    ///
    /// The observer is not to be trusted for this exec; it is not called again.
    fn held(&mut self, event: Held<'_>) -> Result<()>;
}

/// Our own failure, as observers tell it.
#[must_use]
pub fn broken(error: anyhow::Error) -> Failure {
    Failure::Broken(format!("{error:#}"))
}

/// The boots in which these observers fit: each with as many as do not want the same for themselves, and then
/// one for each that has a pass of its own.
#[must_use]
pub fn boots<'a>(observers: &[&'a Kind]) -> Vec<Vec<&'a Kind>> {
    let (alone, others): (Vec<&Kind>, Vec<&Kind>) =
        observers.iter().partition(|kind| kind.has_own_pass());
    let mut boots: Vec<Vec<&Kind>> = vec![Vec::new()];
    for kind in others {
        let fits = |boot: &&mut Vec<&Kind>| {
            kind.takes.is_none() || boot.iter().all(|other| other.takes != kind.takes)
        };
        match boots.iter_mut().find(fits) {
            Some(boot) => boot.push(kind),
            None => boots.push(vec![kind]),
        }
    }
    boots.extend(alone.into_iter().map(|kind| vec![kind]));
    boots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &'static str, takes: Option<&'static str>) -> Kind {
        Kind {
            name,
            needs: &[],
            wants: &[],
            takes,
            make: stages::KIND.make,
        }
    }

    fn names(kinds: &[Kind]) -> Vec<Vec<&'static str>> {
        let kinds: Vec<_> = kinds.iter().collect();
        let boots = boots(&kinds);
        let names = |boot: &Vec<&Kind>| boot.iter().map(|kind| kind.name).collect();
        boots.iter().map(names).collect()
    }

    #[test]
    fn observers_that_take_nothing_share_a_boot() {
        assert_eq!(names(&[kind("a", None), kind("b", None)]), [["a", "b"]]);
    }

    #[test]
    fn two_that_take_the_same_have_a_boot_each() {
        let kinds = [
            kind("a", Some("audit")),
            kind("b", Some("audit")),
            kind("c", Some("ima")),
        ];
        assert_eq!(names(&kinds), [vec!["a", "c"], vec!["b"]]);
    }

    #[test]
    fn one_that_has_a_pass_of_its_own_comes_last_and_alone() {
        for takes in [WATCHED, BOOT] {
            let kinds = [kind("a", Some(takes)), kind("b", None)];
            assert_eq!(names(&kinds), [["b"], ["a"]]);
        }
    }
}
