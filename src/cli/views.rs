//! What the options `--view` and `--observe` take, and what of the records they let through.

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::diff::all;
use crate::scenario::Registered;
use crate::suite::{ALL, Asked, asked_by_environment, observed};
use crate::trail::Outcome;
use crate::view::{AnyView, Colour, Paint, Record, VIEWS, ViewName, ViewSeen};

/// Reads the name of a view; help lists them all.
pub fn names() -> impl TypedValueParser<Value = ViewName> {
    let values = VIEWS
        .iter()
        .map(|view| PossibleValue::new(view.name().as_str()).help(view.about()));
    PossibleValuesParser::new(values).try_map(|word| word.parse())
}

/// Reads the name of a view, or the word for all.
pub fn asked() -> impl TypedValueParser<Value = Asked> {
    let values = VIEWS
        .iter()
        .map(|view| PossibleValue::new(view.name().as_str()).help(view.about()));
    let all = PossibleValue::new(ALL).help("every one of them");
    PossibleValuesParser::new(values.chain([all])).try_map(|word| word.parse())
}

/// The views whose observers are armed: those that these words ask for, else the environment.
///
/// # Errors
///
/// The environment asks for a view that there is not.
pub fn armed(words: &[Asked]) -> Result<Vec<ViewName>> {
    Ok(match words {
        [] => observed(&asked_by_environment()?),
        words => observed(words),
    })
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
            let why = scenarios.first().map(|scenario| lacks(view, scenario));
            bail!(
                "none of these scenarios has the view {name}: {}",
                why.unwrap_or_default()
            );
        }
    }
    Ok(())
}

/// Why a scenario does not have a view.
#[must_use]
pub fn lacks(view: &dyn AnyView, scenario: &Registered) -> String {
    match scenario.case.is_some_and(|case| case.deny.is_some()) {
        true => format!(
            "a case that denies something (`deny`) has no {}: each is of one exec",
            view.name()
        ),
        false => format!("only {} have {}", view.whom(), view.name()),
    }
}

/// A note on the views that apply to some of these scenarios and were not observed.
#[must_use]
pub fn left_out(observed: &[ViewName], scenarios: &[&Registered]) -> Option<String> {
    let left = VIEWS.iter().filter(|view| {
        !observed.contains(&view.name()) && scenarios.iter().any(|one| view.applies(one))
    });
    let left: Vec<_> = left.map(|view| view.name().as_str()).collect();
    (!left.is_empty()).then(|| {
        let names = few(&left);
        format!("not observed and not judged (--observe all): {names}")
    })
}

/// Names in a line: the first three, and how many others there are.
#[must_use]
pub fn few(names: &[&str]) -> String {
    match names.split_at_checked(3) {
        Some((first, others @ [_, _, ..])) => {
            format!("{} and {} others", first.join(", "), others.len())
        }
        _ => all(names),
    }
}

/// A copy of a record with only these views; none means all. Where one of them could not be seen, the trail tells why.
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

/// What is not as accepted, broken or new, and stands in none of the views that are shown; none where everything does.
#[must_use]
pub fn hidden(records: &[Record], shown: &[ViewName]) -> Option<String> {
    let mut hidden: Vec<((Outcome, ViewName), Vec<String>)> = Vec::new();
    for record in records {
        let seen = record.seen.iter();
        let calls = |seen: &&ViewSeen| seen.outcome.badness() > Outcome::Unsupported.badness();
        for seen in seen
            .filter(calls)
            .filter(|seen| !shown.contains(&seen.view))
        {
            let place = format!("{} on {}", record.scenario, record.kernel.label());
            let what = (seen.outcome, seen.view);
            match hidden.iter_mut().find(|(known, _)| *known == what) {
                Some((_, places)) => places.push(place),
                None => hidden.push((what, vec![place])),
            }
        }
    }
    let parts = hidden.iter().map(|((outcome, view), places)| {
        let places: Vec<_> = places.iter().map(String::as_str).collect();
        format!("{view} is {outcome}: {}", few(&places))
    });
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty() && !shown.is_empty()).then(|| {
        let parts = parts.join("; ");
        format!("not shown (--view), and counted in the exit status: {parts}")
    })
}

/// A comparison as text for the terminal: its first line stands out, and the lines of the diff that stands
/// behind so many spaces have their colours.
#[must_use]
pub fn painted(text: &str, indent: usize, colour: Colour) -> String {
    if colour == Colour::No {
        return text.to_owned();
    }
    let paint = Paint::new(colour);
    let line = |(number, line): (usize, &str)| match line.split_at_checked(indent) {
        _ if number == 0 => paint.heading.apply_to(line).to_string(),
        Some((space, rest)) if space.trim().is_empty() && rest.starts_with(['+', '-', '@']) => {
            let name = rest.starts_with("+++ ") || rest.starts_with("--- ");
            let rest = match name {
                true => paint.quiet.apply_to(rest).to_string(),
                false => paint.diff_line(rest),
            };
            format!("{space}{rest}")
        }
        _ => line.to_owned(),
    };
    let lines = text.lines().enumerate().map(line);
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::select;
    use crate::view::tests::record;
    use crate::view::{STAGES, TRAIL};

    #[test]
    fn a_view_that_none_of_the_scenarios_has_is_refused() {
        let scenarios = select(&["deny/musl".to_owned()]).unwrap();
        let error = check(&[STAGES], &[TRAIL, STAGES], &scenarios).unwrap_err();
        assert!(
            error.to_string().contains("of the families start"),
            "{error}"
        );
    }

    #[test]
    fn a_case_that_denies_has_no_stages_for_that_reason() {
        let mut case = crate::cases::of(0);
        case.deny = Some(crate::case::Deny::Each);
        let scenario = crate::own::register("a", case).unwrap();
        let error = check(&[STAGES], &[TRAIL, STAGES], &[scenario]).unwrap_err();
        assert!(error.to_string().contains("a case that denies"), "{error}");
    }

    #[test]
    fn a_view_that_is_not_observed_is_refused() {
        let scenarios = select(&["start/normal".to_owned()]).unwrap();
        assert!(check(&[STAGES], &[TRAIL], &scenarios).is_err());
        assert!(check(&[STAGES], &[TRAIL, STAGES], &scenarios).is_ok());
    }

    #[test]
    fn a_comparison_has_colours_in_its_diff_alone() {
        let text = "a\n  - words\n    --- 6.1\n    -x\n     x\n";
        assert_eq!(painted(text, 4, Colour::No), text);
        let coloured = painted(text, 4, Colour::Yes);
        let codes: Vec<_> = coloured.lines().map(|line| line.contains('\x1b')).collect();
        assert_eq!(codes, [true, false, true, true, false]);
        assert!(coloured.contains("\x1b[31m-x"), "{coloured:?}");
    }

    #[test]
    fn a_view_that_is_left_out_is_said() {
        let scenarios = select(&["start/normal".to_owned()]).unwrap();
        let note = left_out(&[TRAIL], &scenarios).unwrap();
        assert!(
            note.starts_with("not observed and not judged (--observe all): stages, "),
            "{note}"
        );
        assert!(note.ends_with(" others"), "{note}");
        let all: Vec<_> = VIEWS.iter().map(|view| view.name()).collect();
        assert_eq!(left_out(&all, &scenarios), None);
    }

    #[test]
    fn of_many_names_three_are_told() {
        assert_eq!(few(&["a", "b", "c", "d"]), "a, b, c and d");
        assert_eq!(few(&["a", "b", "c", "d", "e"]), "a, b, c and 2 others");
    }

    #[test]
    fn what_is_changed_and_not_shown_is_named() {
        let mut changed = record("start/a", "6.1", Outcome::Same);
        let stages = ViewSeen::nothing(STAGES, Outcome::Changed, "because");
        changed.seen.push(stages);
        let text = hidden(&[changed.clone()], &[TRAIL]).unwrap();
        assert!(
            text.ends_with("stages is changed: start/a on 6.1"),
            "{text}"
        );
        assert_eq!(hidden(&[changed.clone()], &[STAGES]), None);
        assert_eq!(hidden(&[changed], &[]), None);
    }

    #[test]
    fn one_view_alone_hides_the_trail_but_not_that_it_broke() {
        let broken = record("start/a", "6.1", Outcome::Broken);
        assert_eq!(only(&broken, &[STAGES]).seen[0].outcome, Outcome::Broken);
        let same = record("start/a", "6.1", Outcome::Same);
        assert!(only(&same, &[STAGES]).seen.is_empty());
    }
}
