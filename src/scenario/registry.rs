//! Every scenario, found by `build.rs`; and which of them a user means.

use std::sync::OnceLock;

use anyhow::{Result, bail};
use globset::GlobBuilder;

use super::Scenario;
use crate::case::Case;

include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// A scenario with its name and its documentation.
#[derive(Debug)]
pub struct Registered {
    /// `family/name`, its path below `scenarios/`.
    pub name: &'static str,
    /// The `//!` lines at its head; `citation` puts what they cite into words.
    pub docs: &'static str,
    /// What it is.
    pub scenario: &'static Scenario,
    /// What is played, where it is data of a user's suite and no code of ours.
    pub case: Option<&'static Case>,
}

/// Families whose scenarios make one start each.
const WATCHED: [&str; 3] = ["container", LIES, "start"];
/// The family of those in which the watched process lies about itself.
pub const LIES: &str = "lies";

impl Registered {
    /// The scenario with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Registered> {
        all().find(|registered| registered.name == name)
    }

    /// Whether it is about how one program is executed, so that there is a story to tell.
    #[must_use]
    pub fn is_start(&self) -> bool {
        // A view of stages takes one exec.
        self.case.is_some_and(|case| case.deny.is_none())
            || self.case.is_none() && WATCHED.contains(&self.family())
    }

    /// The directory that it is in.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// The scenarios of a user's suite, which stand in the place of ours for the whole process.
static INSTEAD: OnceLock<Vec<&'static Registered>> = OnceLock::new();

/// Has these stand in the place of our own scenarios, once a process.
///
/// # Errors
///
/// Others do already.
pub fn use_instead(own: Vec<&'static Registered>) -> Result<()> {
    let set = INSTEAD.set(own);
    set.map_err(|_| anyhow::anyhow!("a suite was chosen already"))
}

/// Every scenario of this process.
fn all() -> impl Iterator<Item = &'static Registered> {
    let instead = INSTEAD.get();
    let ours = SCENARIOS.iter().filter(move |_| instead.is_none());
    instead.into_iter().flatten().copied().chain(ours)
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
        selected.extend(all().filter(|registered| {
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
        selected.extend(all());
    }
    if selected.is_empty() {
        bail!("the suite has no case: cases/NAME.toml is one (docs/suites.md)");
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
    if all().any(|found| begins(found.name)) {
        return format!("; did you mean '{word}*'?");
    }
    if all().any(|found| begins(short(found.name))) {
        return format!("; did you mean '*/{word}*'?");
    }
    let names = close(word, all().map(|found| found.name));
    match names.is_empty() {
        true => "; `exetrail list` shows them all".to_owned(),
        false => format!("; did you mean {}?", names.join(" or ")),
    }
}

/// The names that a misspelt word may mean, whole or by what follows their slash; three at most.
#[must_use]
pub fn close<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let short = |name: &'a str| name.rsplit('/').next().unwrap_or(name);
    let ratio =
        |name: &str| similar::TextDiff::from_chars(word.to_lowercase().as_str(), name).ratio();
    let likeness = |name: &'a str| f32::max(ratio(name), ratio(short(name)));
    let all = names.map(|name| (likeness(name), name));
    let mut close: Vec<_> = all.filter(|(likeness, _)| *likeness > 0.6).collect();
    close.sort_by(|one, other| other.0.total_cmp(&one.0));
    // One that is hit nearly exactly is offered alone.
    let best = close.first().map_or(0.0, |(likeness, _)| *likeness);
    close.retain(|(likeness, _)| *likeness > best - 0.1);
    close.iter().take(OFFERED).map(|(_, name)| *name).collect()
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

    /// Names of scenarios in a text, between backquotes: `start/shebang`, also with a view.
    fn named(text: &str) -> Vec<&str> {
        let families: Vec<_> = SCENARIOS.iter().map(Registered::family).collect();
        let quoted = text.split('`').skip(1).step_by(2);
        let names = quoted.filter_map(|quoted| quoted.split("::").next());
        let is_name = |name: &&str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_/".contains(&byte);
            let (family, scenario) = name.split_once('/').unwrap_or_default();
            families.contains(&family) && !scenario.is_empty() && name.bytes().all(plain)
        };
        names.filter(is_name).collect()
    }

    #[test]
    fn scenarios_that_heads_and_pages_name_are_there() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let pages = [
            "findings",
            "deciders",
            "model",
            "stages",
            "monitor",
            "trail-format",
        ];
        let pages = pages.map(|page| std::fs::read_to_string(root.join(format!("docs/{page}.md"))));
        let texts = SCENARIOS.iter().map(|one| one.docs.to_owned());
        let texts: Vec<_> = texts.chain(pages.map(Result::unwrap)).collect();
        let unknown = |name: &&str| Registered::find(name).is_none();
        let missing: Vec<_> = texts
            .iter()
            .flat_map(|text| named(text))
            .filter(unknown)
            .collect();
        assert_eq!(missing, [""; 0]);
        assert_eq!(
            named("x `start/x::stages` y `start/` `start/*`"),
            ["start/x"]
        );
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
