//! Judges the second view: what was seen inside the kernel, or why nothing was.

use super::Target;
use super::judge::{Judged, judge_text};
use crate::baseline::{Lineage, Store, View};
use crate::observer::stages::{BUSY, NEEDS};
use crate::scenario::{Host, KernelFacts, Need};
use crate::stages::{self, Packed};
use crate::trail::{Inside, KernelId, Lab, Outcome, Trail};
use crate::wire::Failure;

/// Judges what a guest says of the inside of its kernel; the trail's outcome is another matter.
#[must_use]
pub fn judge_inside(
    (store, lineage): (&Store, &Lineage),
    (target, facts): (&Target, &KernelFacts<'_>),
    scenario: &str,
    trail: &Trail,
    seen: Result<Packed, Failure>,
) -> (Inside, Option<Judged>) {
    let without = |outcome, reason| Inside {
        stages_outcome: Some(outcome),
        stages_reason: Some(reason),
        ..Inside::default()
    };
    match seen {
        Ok(packed) => match packed.unpack(trail) {
            Some(inside) => again((store, lineage), &target.id, scenario, trail, inside),
            None => {
                let reason = "the guest's stages are not those of its trail".to_owned();
                (without(Outcome::Broken, reason), None)
            }
        },
        Err(Failure::Broken(reason)) => (without(Outcome::Broken, reason), None),
        Err(Failure::Unsupported(missing)) => {
            // The native lab is not asked about a tracer that is not ours.
            let asked = |need: &&Need| facts.lab == Lab::Vm || matches!(need.host, Host::Vm);
            let needs = NEEDS.iter().filter(asked);
            let unmet = needs.filter(|need| need.on_host(facts) == Some(false));
            let unmet: Vec<_> = unmet.map(|need| need.what.to_owned()).collect();
            // Who else traces is nothing that a configuration tells.
            let busy = missing.iter().all(|reason| reason.starts_with(BUSY));
            if busy {
                return (without(Outcome::Unsupported, missing.join(", ")), None);
            }
            let known = target.config.is_some() || facts.lab == Lab::Native;
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

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "CONFIG_FTRACE_SYSCALLS=y\nCONFIG_KPROBE_EVENTS=y\n";

    /// What becomes of a guest's word on a kernel with this configuration.
    fn judged(lab: Lab, config: Option<&str>, missing: &str) -> (Option<Outcome>, String) {
        let target = Target {
            id: "6.12".parse().unwrap(),
            release: "6.12.1".into(),
            upstream: "6.12.1".into(),
            kernel: None,
            modules: std::collections::BTreeMap::new(),
            config: config.map(ToOwned::to_owned),
            note: None,
        };
        let facts = KernelFacts {
            release: "6.12.1",
            config,
            lab,
            capabilities: 0,
        };
        let own = (&Store::Embedded, &Lineage::new([]));
        let seen = Err(Failure::Unsupported(vec![missing.to_owned()]));
        let trail = Trail::default();
        let (inside, _) = judge_inside(own, (&target, &facts), "start/a", &trail, seen);
        let reason = inside.stages_reason.unwrap_or_default();
        (inside.stages_outcome, reason)
    }

    #[test]
    fn a_kernel_without_the_function_tracer_has_no_such_view() {
        let (outcome, reason) = judged(Lab::Vm, Some(CONFIG), NEEDS[1].what);
        assert_eq!(outcome, Some(Outcome::Unsupported));
        assert!(reason.contains("CONFIG_FUNCTION_TRACER"), "{reason}");
    }

    #[test]
    fn a_tracer_that_should_be_there_and_is_not_is_our_fault() {
        let config = format!("{CONFIG}CONFIG_FUNCTION_TRACER=y\n");
        let (outcome, _) = judged(Lab::Vm, Some(&config), NEEDS[1].what);
        assert_eq!(outcome, Some(Outcome::Broken));
    }

    #[test]
    fn without_a_configuration_the_guests_word_has_to_do() {
        let (outcome, _) = judged(Lab::Vm, None, NEEDS[1].what);
        assert_eq!(outcome, Some(Outcome::Unsupported));
    }

    #[test]
    fn the_native_lab_leaves_the_tracer_alone() {
        let (outcome, reason) = judged(Lab::Native, Some(""), NEEDS[0].what);
        assert_eq!(outcome, Some(Outcome::Unsupported));
        assert!(reason.contains("not ours"), "{reason}");
    }

    #[test]
    fn another_tracer_is_no_contradiction_to_the_configuration() {
        let (outcome, _) = judged(Lab::Vm, Some(""), &format!("{BUSY}: function"));
        assert_eq!(outcome, Some(Outcome::Unsupported));
    }
}
