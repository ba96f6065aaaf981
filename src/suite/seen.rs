//! What becomes of what a guest says of a scenario: judged view by view, and joined with what other passes saw.

use std::collections::BTreeMap;

use super::guest::Guest;
use super::judge::judge_body;
use super::pass::Pass;
use super::verdict::{agree, unless_left_out, verdict};
use crate::need::Want;
use crate::observer::Kind;
use crate::scenario::{KernelFacts, Need, Registered, own_capabilities};
use crate::trail::{Outcome, Trail};
use crate::view::trail::Steps;
use crate::view::{AGENT, Body, Record, TRAIL, ViewName, ViewSeen};
use crate::wire::{Failure, Lost, Sent};

impl Guest<'_> {
    /// Judges what the observers say; without a trail the others have nothing to be placed in.
    pub(super) fn judge(
        &self,
        registered: &'static Registered,
        pass: &Pass<'_>,
        sent: Vec<Sent>,
    ) -> Vec<ViewSeen> {
        let mut sent: BTreeMap<_, _> = sent
            .into_iter()
            .map(|one| (one.view.clone(), one))
            .collect();
        let mut take = |name: ViewName| {
            sent.remove(name.as_str()).unwrap_or_else(|| Sent {
                view: name.to_string(),
                result: Err(Failure::Broken("the guest says nothing of it".to_owned())),
                lost: Lost::default(),
            })
        };
        let nothing = Trail::default();
        let needs = registered.scenario.needs;
        let first = self.one(registered, TRAIL, needs, take(TRAIL), &nothing);
        let body = first.body.clone();
        let mut seen = vec![first];
        if let Some(trail) = body.as_ref().and_then(Body::get::<Steps>) {
            for name in pass.further(registered) {
                let needs = Kind::find(name.as_str()).map_or(&[] as &[Need], |kind| kind.needs);
                seen.push(self.one(registered, name, needs, take(name), trail));
            }
        }
        seen
    }

    /// Judges what one observer says.
    fn one(
        &self,
        registered: &Registered,
        name: ViewName,
        needs: &[Need],
        sent: Sent,
        trail: &Trail,
    ) -> ViewSeen {
        let modules: Vec<_> = self.target.modules.keys().map(String::as_str).collect();
        if let Err(Failure::Unfinished { reason, seen }) = sent.result {
            let body = name.view().and_then(|view| view.unpack(seen, trail).ok());
            return ViewSeen {
                body,
                ..ViewSeen::nothing(name, Outcome::Broken, reason)
            };
        }
        let body = match verdict(sent.result, needs, &self.facts(&modules)) {
            Ok(body) => body,
            Err((outcome, reason)) => return ViewSeen::nothing(name, outcome, reason),
        };
        let Some(view) = name.view() else {
            return ViewSeen::nothing(name, Outcome::Broken, "there is no such view");
        };
        if let Some((outcome, reason)) = view.judge(sent.lost) {
            return ViewSeen::nothing(name, outcome, reason);
        }
        match view.unpack(body, trail) {
            Ok(body) => {
                let wants = Kind::find(name.as_str()).map_or(&[] as &[Want], |kind| kind.wants);
                if let Err((outcome, reason)) =
                    agree(view.lacks(&body), wants, &self.facts(&modules))
                {
                    return ViewSeen::nothing(name, outcome, reason);
                }
                unless_left_out(self.compared(registered.name, name, body), sent.lost)
            }
            Err(reason) => ViewSeen::nothing(name, Outcome::Broken, reason),
        }
    }

    /// Compares what was seen with what is accepted. Beside an agent of a user's only its own report is held to that.
    fn compared(&self, scenario: &str, name: ViewName, body: Body) -> ViewSeen {
        let judged = |store, body| {
            let own = (store, &self.suite.lineage);
            judge_body(own, &self.target.id, (scenario, name), body)
        };
        match &self.suite.brought {
            None => judged(&self.suite.store, body),
            Some(_) if name != AGENT => judged(&self.suite.store, body).beside_agent(),
            Some(brought) => match &brought.store {
                Some(store) => judged(store, body),
                None => ViewSeen::taken(name, body),
            },
        }
    }

    /// Adds what a further pass saw of a scenario to its record.
    pub(super) fn join(
        &self,
        known: &mut Record,
        other: &Record,
        (pass, scenario): (&Pass<'_>, &Registered),
    ) {
        let views = pass.further(scenario);
        match pass.intrudes() {
            true => self.join_changed(known, other, &views),
            false => join(known, other, &views),
        }
    }

    /// Adds what the view of an observer saw that changes what it watches, with its footprint: how the trail of
    /// its pass differs from the one that is known.
    fn join_changed(&self, known: &mut Record, other: &Record, views: &[ViewName]) {
        // Where the record has no trail, it says why already.
        let Some(without) = known.trail().cloned() else {
            return;
        };
        for name in views {
            let seen = match (other.trail(), other.of(*name), name.view()) {
                (Some(with), Some(seen), Some(view)) => match &seen.body {
                    Some(body) => {
                        let body = view.beside(body, &without, with);
                        self.compared(&known.scenario, *name, body)
                    }
                    None => seen.clone(),
                },
                _ => no_trail(other, *name),
            };
            known.seen.push(seen);
        }
    }

    /// What is known of the kernel before it is booted.
    pub(super) fn facts<'b>(&'b self, modules: &'b [&'b str]) -> KernelFacts<'b> {
        KernelFacts {
            release: &self.target.upstream,
            config: self.target.config.as_deref(),
            modules,
            lab: self.target.lab(),
            capabilities: own_capabilities(),
        }
    }

    /// A record of what was seen of a scenario here.
    pub(super) fn record(&self, registered: &Registered, seen: Vec<ViewSeen>) -> Record {
        Record {
            scenario: registered.name.to_owned(),
            kernel: self.target.info(),
            seen,
            model: None,
            output: Vec::new(),
        }
    }
}

/// Adds what these views of a further pass saw to a record; the trail has to be the one that is known.
fn join(known: &mut Record, other: &Record, views: &[ViewName]) {
    let trail = |record: &Record| record.of(TRAIL).and_then(ViewSeen::text);
    // Where the record has no trail, it says why already.
    let Some(text) = trail(known) else { return };
    for view in views {
        known.seen.push(match (trail(other), other.of(*view)) {
            (Some(other), Some(seen)) if other == text => seen.clone(),
            (Some(_), _) => {
                let reason = "the trail of its boot is another one";
                ViewSeen::nothing(*view, Outcome::Broken, reason)
            }
            (None, _) => no_trail(other, *view),
        });
    }
}

/// A view in whose boot the scenario gave no trail.
fn no_trail(other: &Record, view: ViewName) -> ViewSeen {
    let seen = other.of(TRAIL);
    let reason = seen.and_then(|seen| seen.reason.as_deref());
    let reason = format!("in its boot: {}", reason.unwrap_or("there was no trail"));
    ViewSeen::nothing(view, Outcome::Broken, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::record;
    use crate::view::{STAGES, View as _};

    /// What becomes of a view whose pass gave this outcome of the trail.
    fn joined(outcome: Outcome, change: impl Fn(&mut Record)) -> ViewSeen {
        let mut known = record("start/a", "6.1", Outcome::Same);
        let mut other = record("start/a", "6.1", outcome);
        let own = ViewSeen::nothing(STAGES, Outcome::Unsupported, "because");
        other.seen.push(own);
        change(&mut other);
        join(&mut known, &other, &[STAGES]);
        assert_eq!(known.seen.len(), 2);
        known.of(STAGES).unwrap().clone()
    }

    #[test]
    fn a_further_pass_adds_its_views() {
        let seen = joined(Outcome::Same, |_| {});
        assert_eq!(seen.outcome, Outcome::Unsupported);
    }

    #[test]
    fn a_view_beside_another_trail_is_broken() {
        let seen = joined(Outcome::Same, |other| {
            let text = "start p1 by launcher: execve /b\nend p1: exit 0\n";
            other.seen[0].body = Steps::parse(text).ok().map(Body::new::<Steps>);
        });
        assert_eq!(seen.outcome, Outcome::Broken);
    }

    #[test]
    fn a_view_whose_boot_broke_says_so() {
        let seen = joined(Outcome::Broken, |other| other.seen.truncate(1));
        assert_eq!(seen.outcome, Outcome::Broken);
        assert_eq!(seen.reason.as_deref(), Some("in its boot: because"));
    }
}
