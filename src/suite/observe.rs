//! Which observers a run arms: the monitor and the tracer, unless somebody asks for others.

use std::str::FromStr;

use anyhow::{Result, anyhow};

use crate::view::{STAGES, TRAIL, VIEWS, ViewName};

/// What is armed where nobody asks: whoever studies another way of watching pays for it.
pub const USUAL: [ViewName; 2] = [TRAIL, STAGES];

/// The word for every view that there is.
pub const ALL: &str = "all";

/// The variable that asks where a command line does not, or cannot.
pub const VARIABLE: &str = "EXETRAIL_OBSERVE";

/// What a word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The observers of all views.
    All,
    /// That of this one.
    View(ViewName),
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(word: &str) -> Result<Asked, String> {
        match word {
            ALL => Ok(Asked::All),
            name => name.parse().map(Asked::View),
        }
    }
}

/// The views whose observers are armed, in the order of [`VIEWS`]; the trail always is.
#[must_use]
pub fn observed(asked: &[Asked]) -> Vec<ViewName> {
    let usual = USUAL.map(Asked::View);
    let asked = if asked.is_empty() { &usual } else { asked };
    let wanted = |name: &ViewName| {
        *name == TRAIL || asked.contains(&Asked::All) || asked.contains(&Asked::View(*name))
    };
    let all = VIEWS.iter().map(|view| view.name());
    all.filter(wanted).collect()
}

/// What the variable asks for; nothing where it is unset or empty.
///
/// # Errors
///
/// A word that names no view.
pub fn asked_by_environment() -> Result<Vec<Asked>> {
    let words = std::env::var(VARIABLE).unwrap_or_default();
    asked_by(&words).map_err(|error| anyhow!("{VARIABLE}: {error}, and {ALL} is every one"))
}

fn asked_by(words: &str) -> Result<Vec<Asked>, String> {
    let words = words.split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::parse)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_asks_monitor_and_tracer_are_armed() {
        assert_eq!(observed(&[]), USUAL);
    }

    #[test]
    fn the_trail_is_always_observed() {
        assert_eq!(observed(&[Asked::View(STAGES)]), [TRAIL, STAGES]);
        assert_eq!(observed(&[Asked::View(TRAIL)]), [TRAIL]);
    }

    #[test]
    fn all_are_all_views() {
        assert_eq!(observed(&[Asked::All]).len(), VIEWS.len());
    }

    #[test]
    fn words_are_parted_by_commas() {
        let asked = asked_by("stages, all").unwrap();
        assert_eq!(asked, [Asked::View(STAGES), Asked::All]);
        assert_eq!(asked_by("").unwrap(), []);
        assert!(asked_by("stagse").unwrap_err().contains("trail, stages"));
    }
}
