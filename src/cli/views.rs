//! What the options `--view` and `--observe` take, and what of the records they let through.

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::observer::{self, OBSERVERS};
use crate::scenario::Registered;
use crate::view::{Record, TRAIL, VIEWS, ViewName, ViewSeen};

/// Reads the name of a view; help lists them all.
pub fn names() -> impl TypedValueParser<Value = ViewName> {
    let values = VIEWS
        .iter()
        .map(|view| PossibleValue::new(view.name().as_str()).help(view.about()));
    PossibleValuesParser::new(values).try_map(|word| word.parse())
}

/// The views whose observers are armed: those of `--observe` beside the trail, or all that fit into
/// one boot.
#[must_use]
pub fn observed(words: &[ViewName]) -> Vec<ViewName> {
    let kinds: Vec<_> = OBSERVERS.iter().collect();
    let first = observer::boots(&kinds)
        .into_iter()
        .next()
        .unwrap_or_default();
    let fits = |name: ViewName| first.iter().any(|kind| kind.name == name.as_str());
    let wanted = |name: ViewName| match words.is_empty() {
        true => fits(name),
        false => words.contains(&name),
    };
    let all = VIEWS.iter().map(|view| view.name());
    all.filter(|name| *name == TRAIL || wanted(*name)).collect()
}

/// Refuses a view that is to be shown and cannot be seen.
///
/// # Errors
///
/// It is not observed, or none of the scenarios has it.
pub fn check(shown: &[ViewName], observed: &[ViewName], scenarios: &[&Registered]) -> Result<()> {
    for name in shown {
        if !observed.contains(name) {
            bail!("--view {name} shows what is not observed: add {name} to --observe");
        }
        let Some(view) = name.view() else { continue };
        if !scenarios.iter().any(|scenario| view.applies(scenario)) {
            bail!(
                "none of these scenarios has the view {name}: it is of {}",
                view.whom()
            );
        }
    }
    Ok(())
}

/// A note on the views that apply to some of these scenarios and were not observed.
#[must_use]
pub fn left_out(observed: &[ViewName], scenarios: &[&Registered]) -> Option<String> {
    let left = VIEWS.iter().filter(|view| {
        !observed.contains(&view.name()) && scenarios.iter().any(|one| view.applies(one))
    });
    let left: Vec<_> = left.map(|view| view.name().as_str()).collect();
    (!left.is_empty()).then(|| format!("not observed and not judged: {}", left.join(", ")))
}

/// A record with the views that are to be shown alone; all for none. Where one of them could not be
/// seen, the trail tells why.
#[must_use]
pub fn only(record: &Record, shown: &[ViewName]) -> Record {
    let wanted = |seen: &&ViewSeen| shown.is_empty() || shown.contains(&seen.view);
    let mut seen: Vec<_> = record.seen.iter().filter(wanted).cloned().collect();
    if seen.is_empty() {
        let failed = record.seen.iter().filter(|seen| seen.body.is_none());
        seen.extend(failed.cloned());
    }
    Record {
        seen,
        ..record.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::select;
    use crate::trail::Outcome;
    use crate::view::STAGES;
    use crate::view::tests::record;

    #[test]
    fn the_trail_is_always_observed() {
        assert_eq!(observed(&[STAGES]), [TRAIL, STAGES]);
        assert_eq!(observed(&[TRAIL]), [TRAIL]);
    }

    #[test]
    fn what_shares_no_boot_with_the_others_is_observed_on_request() {
        let rest = VIEWS.iter().map(|view| view.name());
        let rest: Vec<_> = rest.filter(|name| !observed(&[]).contains(name)).collect();
        assert_eq!(
            rest.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
            ["audit"]
        );
        assert_eq!(observed(&rest), [TRAIL, rest[0]]);
    }

    #[test]
    fn a_view_that_none_of_the_scenarios_has_is_refused() {
        let scenarios = select(&["deny/musl".to_owned()]).unwrap();
        let error = check(&[STAGES], &[TRAIL, STAGES], &scenarios).unwrap_err();
        assert!(error.to_string().contains("of the family start"), "{error}");
    }

    #[test]
    fn a_view_that_is_not_observed_is_refused() {
        let scenarios = select(&["start/normal".to_owned()]).unwrap();
        assert!(check(&[STAGES], &[TRAIL], &scenarios).is_err());
        assert!(check(&[STAGES], &[TRAIL, STAGES], &scenarios).is_ok());
    }

    #[test]
    fn a_view_that_is_left_out_is_said() {
        let scenarios = select(&["start/normal".to_owned()]).unwrap();
        let note = left_out(&[TRAIL], &scenarios).unwrap();
        assert!(
            note.starts_with("not observed and not judged: stages, "),
            "{note}"
        );
        let all: Vec<_> = VIEWS.iter().map(|view| view.name()).collect();
        assert_eq!(left_out(&all, &scenarios), None);
    }

    #[test]
    fn one_view_alone_hides_the_trail_but_not_that_it_broke() {
        let broken = record("start/a", "6.1", Outcome::Broken);
        assert_eq!(only(&broken, &[STAGES]).seen[0].outcome, Outcome::Broken);
        let same = record("start/a", "6.1", Outcome::Same);
        assert!(only(&same, &[STAGES]).seen.is_empty());
    }
}
