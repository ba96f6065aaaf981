//! What the options `--view` and `--observe` take, and what of the records they let through.

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::scenario::Registered;
use crate::view::{Name, Record, Seen, TRAIL, VIEWS};

/// Reads the name of a view; help lists them all.
pub fn names() -> impl TypedValueParser<Value = Name> {
    let values = VIEWS
        .iter()
        .map(|view| PossibleValue::new(view.name().as_str()).help(view.about()));
    PossibleValuesParser::new(values).try_map(|word| word.parse())
}

/// The views whose observers are armed: all, or those of `--observe` beside the trail.
#[must_use]
pub fn observed(words: &[Name]) -> Vec<Name> {
    let all = VIEWS.iter().map(|view| view.name());
    all.filter(|name| words.is_empty() || *name == TRAIL || words.contains(name))
        .collect()
}

/// Refuses a view that is to be shown and cannot be seen.
///
/// # Errors
///
/// It is not observed, or none of the scenarios has it.
pub fn check(shown: &[Name], observed: &[Name], scenarios: &[&Registered]) -> Result<()> {
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

/// A note on each view that applies to some of these scenarios and was not observed.
#[must_use]
pub fn left_out(observed: &[Name], scenarios: &[&Registered]) -> Vec<String> {
    let left = VIEWS.iter().filter(|view| {
        !observed.contains(&view.name()) && scenarios.iter().any(|one| view.applies(one))
    });
    left.map(|view| format!("{} was not observed and is not judged", view.name()))
        .collect()
}

/// A record with the views that are to be shown alone; all for none. Where one of them could not be
/// seen, the trail tells why.
#[must_use]
pub fn only(record: &Record, shown: &[Name]) -> Record {
    let wanted = |seen: &&Seen| shown.is_empty() || shown.contains(&seen.view);
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
        assert_eq!(observed(&[]).len(), VIEWS.len());
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
        let notes = left_out(&[TRAIL], &scenarios);
        assert_eq!(notes, ["stages was not observed and is not judged"]);
    }

    #[test]
    fn one_view_alone_hides_the_trail_but_not_that_it_broke() {
        let broken = record("start/a", "6.1", Outcome::Broken);
        assert_eq!(only(&broken, &[STAGES]).seen[0].outcome, Outcome::Broken);
        let same = record("start/a", "6.1", Outcome::Same);
        assert!(only(&same, &[STAGES]).seen.is_empty());
    }
}
