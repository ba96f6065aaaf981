//! A pass over the scenarios: one boot after the other with the same observers.

use crate::observer::{BOOT, Kind};
use crate::scenario::Registered;
use crate::view::{TRAIL, VIEWS, ViewName};
use crate::wire::{Ask, Written};

/// How many boots a pass has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boots {
    /// Scenarios share one, as long as it lives.
    Shared,
    /// Each scenario has its own.
    OneEach,
}

/// The observers of one pass over the scenarios.
pub(super) struct Pass<'a> {
    /// Their kinds.
    pub observers: &'a [&'static Kind],
    /// Its number and how many there are, with what does not share a boot; none for one alone.
    part: Option<String>,
}

impl<'a> Pass<'a> {
    /// The pass of this number, of so many.
    pub fn new(
        observers: &'a [&'static Kind],
        (number, all): (usize, usize),
        boots: Boots,
    ) -> Pass<'a> {
        let part = format!("boot {number} of {all}{}", own(observers, boots));
        Pass {
            observers,
            part: (all > 1).then_some(part),
        }
    }

    /// What is said of a boot for this group of its scenarios.
    pub fn told(&self, group: Option<&str>) -> Option<String> {
        let words = self.part.as_deref().into_iter().chain(group);
        let words: Vec<_> = words.collect();
        (!words.is_empty()).then(|| words.join(": "))
    }

    /// Whether its observer changes what it watches; such a one is alone.
    pub fn intrudes(&self) -> bool {
        self.observers.iter().any(|kind| kind.intrudes())
    }

    /// The views of this pass, beside the trail, that apply to a scenario.
    pub fn further(&self, scenario: &Registered) -> Vec<ViewName> {
        let views = VIEWS.iter().filter(|view| {
            let mut kinds = self.observers.iter();
            let armed = kinds.any(|kind| kind.name == view.name().as_str());
            armed && view.name() != TRAIL && view.applies(scenario)
        });
        views.map(|view| view.name()).collect()
    }

    /// What a guest is asked for of a scenario.
    pub fn ask(&self, scenario: &Registered) -> Ask {
        let names = std::iter::once(TRAIL).chain(self.further(scenario));
        Ask {
            scenario: scenario.name.to_owned(),
            observe: names.map(|name| name.to_string()).collect(),
            case: scenario.case.cloned().map(Box::new),
            output: Written::Dropped,
        }
    }
}

/// What the observers of a boot have for themselves, in words that follow its number.
fn own(observers: &[&Kind], boots: Boots) -> String {
    if let Some(kind) = observers.iter().find(|kind| kind.intrudes()) {
        return format!(", for {}, which changes what it watches", kind.name);
    }
    if let Some(kind) = observers.iter().find(|kind| kind.is_asked_once()) {
        let with = match boots {
            Boots::OneEach => format!(", with {BOOT}"),
            Boots::Shared => String::new(),
        };
        return format!(", for {}{with}", kind.name);
    }
    let taken: Vec<_> = observers.iter().filter_map(|kind| kind.takes).collect();
    match taken.is_empty() {
        true => String::new(),
        false => format!(", with {} for itself", taken.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_says_why_it_is_not_shared() {
        let kind = |name| Kind::find(name).unwrap();
        assert_eq!(own(&[kind("trail")], Boots::Shared), "");
        let text = ", for ptrace-seccomp, which changes what it watches";
        assert_eq!(own(&[kind("ptrace-seccomp")], Boots::Shared), text);
        assert_eq!(
            own(&[kind("ima")], Boots::OneEach),
            ", for ima, with a boot for each scenario"
        );
        assert_eq!(own(&[kind("ima")], Boots::Shared), ", for ima");
    }
}
