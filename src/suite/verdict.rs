//! What a guest says of one view, as the host takes it: seen, or why not.
//!
//! Needs are judged on both sides. When guest and host find the same ones unmet, something is
//! unsupported; when they disagree one of them is wrong, and it is broken.

use crate::need::{KernelFacts, Need, Want, asked};
use crate::trail::Outcome;
use crate::view::ViewSeen;
use crate::wire::{Failure, Lost};

/// Holds the guest's word against what the host knows of the kernel.
///
/// # Errors
///
/// The outcome and the reason when nothing may be taken for seen.
pub fn verdict<T>(
    result: Result<T, Failure>,
    needs: &[Need],
    facts: &KernelFacts<'_>,
) -> Result<T, (Outcome, String)> {
    let unmet = unmet(needs, facts);
    match result {
        Ok(seen) if unmet.is_empty() => Ok(seen),
        Ok(_) => Err((
            Outcome::Broken,
            format!(
                "by its release or configuration this kernel lacks {}, but it was seen all the same",
                unmet.join(", ")
            ),
        )),
        // No configuration tells who else is there.
        Err(Failure::Taken(reason)) => Err((Outcome::Unsupported, reason)),
        Err(Failure::Broken(reason) | Failure::Unfinished { reason, .. }) => {
            Err((Outcome::Broken, reason))
        }
        Err(Failure::Unsupported(missing)) => {
            let what = missing.join(", ");
            // Without a configuration, and of a setting, the guest's own word has to do.
            let is_open = |what: &&String| {
                let mut needs = needs.iter();
                needs.any(|need| need.what == **what && need.on_host(facts).is_none())
            };
            let known: Vec<_> = missing.iter().filter(|what| !is_open(what)).collect();
            match known == unmet {
                true => {
                    let of_need = |need: &&Need| missing.iter().any(|what| what == need.what);
                    let unmet = needs.iter().filter(of_need);
                    let modules = unmet.filter_map(|need| need.host.missing_module(facts));
                    let reason = [format!("needs {what}")].into_iter().chain(modules);
                    let reason = reason.collect::<Vec<_>>().join("; ");
                    Err((Outcome::Unsupported, reason))
                }
                false => Err((
                    Outcome::Broken,
                    format!(
                        "the guest finds no {what}, but by its release or configuration this kernel has it"
                    ),
                )),
            }
        }
    }
}

/// What was not accepted so is no news where the observer may have missed something of it.
#[must_use]
pub fn unless_left_out(seen: ViewSeen, lost: Lost) -> ViewSeen {
    let counts = matches!(seen.outcome, Outcome::Changed | Outcome::New);
    if lost.left_out == 0 || !counts {
        return seen;
    }
    let reason = format!(
        "the kernel left {} calls of the observer out, of this process or of others, and the report is not an accepted one",
        lost.left_out
    );
    ViewSeen::nothing(seen.view, Outcome::Broken, reason)
}

/// Holds what a view says that it did without against what the host knows of the kernel.
///
/// # Errors
///
/// Broken: one of the two is wrong.
pub fn agree(
    lacks: &[String],
    wants: &[Want],
    facts: &KernelFacts<'_>,
) -> Result<(), (Outcome, String)> {
    for want in wants {
        let lacked = lacks.iter().any(|name| name == want.name);
        let what = want.need.what;
        let reason = match (want.need.on_host(facts), lacked) {
            (Some(true), true) => {
                format!(
                    "the guest finds no {what}, but by its release or configuration this kernel has it"
                )
            }
            (Some(false), false) => format!(
                "by its release or configuration this kernel lacks {what}, but it was seen all the same"
            ),
            _ => continue,
        };
        return Err((Outcome::Broken, reason));
    }
    Ok(())
}

/// The needs that are not met as far as the host can tell, in words.
fn unmet<'a>(needs: &'a [Need], facts: &KernelFacts<'_>) -> Vec<&'a str> {
    let unmet = asked(needs, facts.lab).filter(|need| need.on_host(facts) == Some(false));
    unmet.map(|need| need.what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::need::Host;
    use crate::trail::LabKind;
    use crate::view::TRAIL;

    fn left_out(outcome: Outcome, left_out: u64) -> Outcome {
        let seen = ViewSeen::nothing(TRAIL, outcome, "");
        let lost = Lost {
            left_out,
            ..Lost::default()
        };
        unless_left_out(seen, lost).outcome
    }

    #[test]
    fn a_change_is_none_where_a_call_was_left_out() {
        assert_eq!(left_out(Outcome::Changed, 1), Outcome::Broken);
        assert_eq!(left_out(Outcome::New, 1), Outcome::Broken);
    }

    #[test]
    fn a_change_is_one_where_every_call_was_made() {
        assert_eq!(left_out(Outcome::Changed, 0), Outcome::Changed);
    }

    #[test]
    fn what_is_as_accepted_lacks_nothing() {
        assert_eq!(left_out(Outcome::Same, 3), Outcome::Same);
    }

    const NEEDS: &[Need] = &[
        Need {
            what: "a virtual machine",
            host: Host::Vm,
            probe: |_| true,
        },
        Need {
            what: "A (CONFIG_A)",
            host: Host::Config("CONFIG_A"),
            probe: |_| true,
        },
    ];
    const SET: &[Need] = &[
        NEEDS[1],
        Need {
            what: "A, as it is set",
            host: Host::Both(&NEEDS[1].host, &Host::Setting),
            probe: |_| true,
        },
    ];

    fn of(
        lab: LabKind,
        config: Option<&str>,
        result: Result<(), Failure>,
    ) -> Result<(), (Outcome, String)> {
        of_needs(NEEDS, lab, config, result)
    }

    fn of_needs(
        needs: &[Need],
        lab: LabKind,
        config: Option<&str>,
        result: Result<(), Failure>,
    ) -> Result<(), (Outcome, String)> {
        let facts = KernelFacts {
            release: "6.12.1",
            config,
            modules: &[],
            lab,
            capabilities: 0,
        };
        verdict(result, needs, &facts)
    }

    fn missing(what: &str) -> Result<(), Failure> {
        Err(Failure::Unsupported(vec![what.to_owned()]))
    }

    #[test]
    fn what_both_sides_find_missing_is_unsupported() {
        let (outcome, reason) = of(LabKind::Vm, Some(""), missing(NEEDS[1].what)).unwrap_err();
        assert_eq!(outcome, Outcome::Unsupported);
        assert!(reason.contains("CONFIG_A"), "{reason}");
    }

    #[test]
    fn what_is_set_the_guest_says_alone_where_the_kernel_has_it() {
        let of = |config, missing: &[&Need]| {
            let missing = missing.iter().map(|need| need.what.to_owned());
            let result = Err(Failure::Unsupported(missing.collect()));
            of_needs(SET, LabKind::Vm, Some(config), result)
                .unwrap_err()
                .0
        };
        let [kernel, setting] = SET else {
            unreachable!()
        };
        assert_eq!(of("CONFIG_A=y\n", &[setting]), Outcome::Unsupported);
        assert_eq!(of("", &[kernel, setting]), Outcome::Unsupported);
        assert_eq!(of("CONFIG_A=y\n", &[kernel, setting]), Outcome::Broken);
        assert_eq!(of("", &[kernel]), Outcome::Broken);
    }

    #[test]
    fn a_module_that_is_not_there_is_said() {
        let missing = missing(NEEDS[1].what);
        let (_, reason) = of(LabKind::Vm, Some("CONFIG_A=m\n"), missing).unwrap_err();
        assert!(
            reason.starts_with("needs A (CONFIG_A); CONFIG_A is a module"),
            "{reason}"
        );
    }

    #[test]
    fn what_should_be_there_and_is_not_is_our_fault() {
        let result = of(LabKind::Vm, Some("CONFIG_A=y\n"), missing(NEEDS[1].what));
        assert_eq!(result.unwrap_err().0, Outcome::Broken);
    }

    #[test]
    fn what_should_not_be_there_and_was_seen_is_our_fault() {
        assert_eq!(
            of(LabKind::Vm, Some(""), Ok(())).unwrap_err().0,
            Outcome::Broken
        );
    }

    #[test]
    fn without_a_configuration_the_guests_word_has_to_do() {
        let result = of(LabKind::Vm, None, missing(NEEDS[1].what));
        assert_eq!(result.unwrap_err().0, Outcome::Unsupported);
        assert_eq!(of(LabKind::Vm, None, Ok(())), Ok(()));
    }

    #[test]
    fn what_a_view_does_without_is_what_the_configuration_lacks() {
        let agree = |config, lacks: &[&str]| {
            let lacks: Vec<_> = lacks.iter().map(|name| (*name).to_owned()).collect();
            let need = NEEDS[1];
            let facts = KernelFacts {
                release: "6.12.1",
                config,
                modules: &[],
                lab: LabKind::Vm,
                capabilities: 0,
            };
            super::agree(&lacks, &[Want { name: "f", need }], &facts).is_ok()
        };
        assert!(agree(Some("CONFIG_A=y\n"), &[]) && agree(Some(""), &["f"]));
        assert!(!agree(Some("CONFIG_A=y\n"), &["f"]) && !agree(Some(""), &[]));
        assert!(agree(None, &[]) && agree(None, &["f"]));
    }

    #[test]
    fn the_native_lab_is_asked_for_the_machine_alone() {
        let (outcome, reason) = of(LabKind::Native, Some(""), missing(NEEDS[0].what)).unwrap_err();
        assert_eq!(outcome, Outcome::Unsupported);
        assert_eq!(reason, "needs a virtual machine");
    }

    #[test]
    fn who_else_is_there_is_no_contradiction_to_the_configuration() {
        let taken = Err(Failure::Taken("another tracer is active".to_owned()));
        let result = of(LabKind::Vm, Some("CONFIG_A=y\n"), taken);
        assert_eq!(result.unwrap_err().0, Outcome::Unsupported);
    }
}
