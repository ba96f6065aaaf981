//! `/proc` alone, as `ps` and every tool reads it that asks again and again.
//!
//! When such a tool comes is random, and so is what it catches. What it would see is not: here it
//! looks at each step of the trail, while the process is held, and once more when the process has
//! ended. Only what differs from the look before is told.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::look::{look, show_cgroups};
use super::notes::Notes;
use super::{Held, HeldHook, Kind, Observer, OnHeld, Watch, broken};
use crate::event::{self, Fields, Raw, Report};
use crate::need::{Need, needs};
use crate::trail::{LabKind, own};
use crate::wire::{Failure, Lost};

/// Armed before the monitor, which looks at each step.
pub const KIND: Kind = Kind {
    name: "proc-poll",
    needs: &[
        Need::vm("a virtual machine: ids and cgroups are the machine's own"),
        needs::CGROUPS,
    ],
    wants: &[],
    takes: None,
    make: || Box::new(Poll::default()),
};

/// A look at a process, and how many steps came before.
#[derive(Debug, Serialize, Deserialize)]
struct Look(usize, i32, Fields);

#[derive(Debug, Default)]
struct Poll {
    notes: Option<Notes>,
}

impl Observer for Poll {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        show_cgroups().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let notes = Notes::new().map_err(broken)?;
        let hook = Again {
            notes: notes.share().map_err(broken)?,
            known: BTreeMap::new(),
        };
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(hook),
        });
        self.notes = Some(notes);
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let Some(notes) = self.notes.take() else {
            return Ok(None);
        };
        let mut looks: Vec<Look> = notes.all().map_err(broken)?;
        let all = watch.run.sightings.len();
        let ended = own(&watch.run).into_iter();
        looks.extend(ended.map(|pid| Look(all, pid, look(pid))));
        let raw = looks.into_iter().map(|Look(after, pid, fields)| Raw {
            kind: match fields.is_empty() {
                true => event::Kind::Gone,
                false => event::Kind::Look,
            },
            source: "/proc".to_owned(),
            tid: pid,
            pid: Some(pid),
            child: None,
            after: Some(after),
            fields,
        });
        let report = Report {
            events: event::place(&watch.run, raw.collect()),
            ..Report::default()
        };
        super::Statement::told(&report, Lost::default())
    }

    fn abandon(&mut self) {
        self.notes = None;
    }
}

/// The hook that the monitor calls.
#[derive(Debug)]
struct Again {
    notes: Notes,
    known: BTreeMap<i32, Fields>,
}

impl OnHeld for Again {
    fn held(&mut self, event: Held<'_>) -> Result<()> {
        let fields = look(event.pid);
        if self.known.get(&event.pid) == Some(&fields) {
            return Ok(());
        }
        self.known.insert(event.pid, fields.clone());
        self.notes.add(&Look(event.number - 1, event.pid, fields))
    }
}
