//! Judges the second view: what was seen inside the kernel, or why nothing was.

use super::Target;
use super::judge::{Judged, judge_text};
use crate::baseline::{Lineage, Store, View};
use crate::observer::stages::{BUSY, NEEDS};
use crate::scenario::KernelFacts;
use crate::stages;
use crate::trail::{Inside, KernelId, Outcome, Trail};
use crate::wire::Failure;

/// Judges what a guest says of the inside of its kernel; the trail's outcome is another matter.
#[must_use]
pub fn judge_inside(
    (store, lineage): (&Store, &Lineage),
    (target, facts): (&Target, &KernelFacts<'_>),
    scenario: &str,
    trail: &Trail,
    seen: Result<Inside, Failure>,
) -> (Inside, Option<Judged>) {
    let without = |outcome, reason| Inside {
        stages_outcome: Some(outcome),
        stages_reason: Some(reason),
        ..Inside::default()
    };
    match seen {
        Ok(inside) => again((store, lineage), &target.id, scenario, trail, inside),
        Err(Failure::Broken(reason)) => (without(Outcome::Broken, reason), None),
        Err(Failure::Unsupported(missing)) => {
            let unmet = NEEDS
                .iter()
                .filter(|need| need.on_host(facts) == Some(false));
            let unmet: Vec<_> = unmet.map(|need| need.what.to_owned()).collect();
            // Who else traces is nothing that a configuration tells.
            let busy = missing.iter().all(|reason| reason.starts_with(BUSY));
            if busy {
                return (without(Outcome::Unsupported, missing.join(", ")), None);
            }
            let known = target.config.is_some() || facts.lab == crate::trail::Lab::Native;
            if known && missing != unmet {
                let reason = format!(
                    "the guest finds no {}, but by its configuration this kernel has it",
                    missing.join(", ")
                );
                return (without(Outcome::Broken, reason), None);
            }
            let reason = format!("needs {}", missing.join(", "));
            (without(Outcome::Unsupported, reason), None)
        }
    }
}

/// Judges a story by the baseline; also one of a kept record.
#[must_use]
pub fn again(
    (store, lineage): (&Store, &Lineage),
    id: &KernelId,
    scenario: &str,
    trail: &Trail,
    inside: Inside,
) -> (Inside, Option<Judged>) {
    let text = stages::text(trail, &inside);
    let judged = judge_text((store, lineage), id, (scenario, View::Stages), &text);
    let inside = Inside {
        stages_outcome: Some(judged.outcome),
        stages_reason: judged.reason.clone(),
        ..inside
    };
    (inside, Some(judged))
}
