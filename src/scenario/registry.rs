//! Every scenario, found by `build.rs`; and which of them a user means.

use anyhow::{Result, bail};
use globset::GlobBuilder;

use super::Scenario;

include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// A scenario with its name and its documentation.
#[derive(Debug)]
pub struct Registered {
    /// `family/name`, its path below `scenarios/`.
    pub name: &'static str,
    /// The `//!` lines at its head.
    pub docs: &'static str,
    /// What it is.
    pub scenario: &'static Scenario,
}

impl Registered {
    /// The scenario with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Registered> {
        SCENARIOS.iter().find(|registered| registered.name == name)
    }

    /// The directory that it is in.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// The scenarios that names, families or globs mean, in the order of their names; all for none.
///
/// # Errors
///
/// A word that means no scenario, with those that look like it.
pub fn select(words: &[String]) -> Result<Vec<&'static Registered>> {
    let mut selected = Vec::new();
    for word in words {
        let matcher = GlobBuilder::new(word)
            .literal_separator(false)
            .build()?
            .compile_matcher();
        let before = selected.len();
        selected.extend(SCENARIOS.iter().filter(|registered| {
            let short = registered.name.rsplit('/').next();
            matcher.is_match(registered.name)
                || short == Some(word.as_str())
                || registered.family() == word.trim_end_matches('/')
        }));
        if selected.len() == before {
            bail!("there is no scenario \"{word}\"{}", hint(word));
        }
    }
    if words.is_empty() {
        selected.extend(SCENARIOS);
    }
    selected.sort_by_key(|registered| registered.name);
    selected.dedup_by_key(|registered| registered.name);
    Ok(selected)
}

/// How many names are offered for one that is not there.
const OFFERED: usize = 3;

fn hint(word: &str) -> String {
    let begins = |name: &str| name.starts_with(word);
    let short = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    if SCENARIOS.iter().any(|found| begins(found.name)) {
        return format!("; did you mean '{word}*'?");
    }
    if SCENARIOS.iter().any(|found| begins(short(found.name))) {
        return format!("; did you mean '*/{word}*'?");
    }
    let ratio =
        |name: &str| similar::TextDiff::from_chars(word.to_lowercase().as_str(), name).ratio();
    let likeness = |name| f32::max(ratio(name), ratio(short(name)));
    let all = SCENARIOS
        .iter()
        .map(|found| (likeness(found.name), found.name));
    let mut close: Vec<_> = all.filter(|(likeness, _)| *likeness > 0.6).collect();
    close.sort_by(|one, other| other.0.total_cmp(&one.0));
    // One that is hit nearly exactly is offered alone.
    let best = close.first().map_or(0.0, |(likeness, _)| *likeness);
    close.retain(|(likeness, _)| *likeness > best - 0.1);
    let names: Vec<_> = close.iter().take(OFFERED).map(|(_, name)| *name).collect();
    match names.is_empty() {
        true => "; `exetrail list` shows them all".to_owned(),
        false => format!("; did you mean {}?", names.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Vec<&'static str> {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        select(&words)
            .unwrap()
            .iter()
            .map(|registered| registered.name)
            .collect()
    }

    #[test]
    fn the_pages_say_how_many_scenarios_there_are() {
        let pages = [
            include_str!("../../README.md"),
            include_str!("../../docs/model.md"),
        ];
        let said = [
            format!(" {} scenarios on eleven kernels", SCENARIOS.len()),
            format!("| scenarios | all {} ", SCENARIOS.len()),
        ];
        for (page, said) in pages.iter().zip(&said) {
            assert!(page.contains(said.as_str()), "{said}");
        }
    }

    #[test]
    fn no_word_means_all() {
        assert_eq!(names(&[]).len(), SCENARIOS.len());
    }

    #[test]
    fn a_scenario_is_meant_by_its_name_with_or_without_its_family() {
        assert_eq!(names(&["start/shebang"]), names(&["shebang"]));
    }

    #[test]
    fn a_family_means_all_of_it() {
        assert!(names(&["start"]).len() >= 6);
    }

    #[test]
    fn a_glob_means_what_fits() {
        assert!(names(&["start/*exec*"]).contains(&"start/fexecve"));
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_right_one() {
        let error = select(&["shebng".into()]).unwrap_err().to_string();
        assert!(error.contains("did you mean start/shebang?"), "{error}");
    }

    #[test]
    fn a_name_cut_short_is_answered_with_its_glob() {
        let error = select(&["contract/unsaid".into()]).unwrap_err().to_string();
        assert!(
            error.contains("did you mean 'contract/unsaid*'?"),
            "{error}"
        );
    }

    #[test]
    fn no_more_than_three_names_are_offered() {
        let error = select(&["contract/unsayd".into()]).unwrap_err().to_string();
        assert_eq!(error.matches("contract/").count(), 1 + OFFERED, "{error}");
    }
}
