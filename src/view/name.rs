//! The name of a view: its directory below a scenario's snapshots, and what `--view` takes.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AnyView, VIEWS};

/// The name of a view that this program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ViewName(&'static str);

impl ViewName {
    /// Names a view; it has to be in [`VIEWS`].
    #[must_use]
    pub const fn new(name: &'static str) -> ViewName {
        ViewName(name)
    }

    /// The name as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The view of that name; none for a name that [`ViewName::new`] made up.
    #[must_use]
    pub fn view(self) -> Option<&'static dyn AnyView> {
        VIEWS.iter().copied().find(|view| view.name() == self)
    }
}

impl FromStr for ViewName {
    type Err = String;

    fn from_str(word: &str) -> Result<ViewName, String> {
        let names = VIEWS.iter().map(|view| view.name());
        names.clone().find(|name| name.0 == word).ok_or_else(|| {
            let known: Vec<_> = names.map(ViewName::as_str).collect();
            format!(
                "this exetrail has no view \"{word}\", it has {}",
                known.join(", ")
            )
        })
    }
}

impl Serialize for ViewName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for ViewName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ViewName, D::Error> {
        let word = String::deserialize(from)?;
        word.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for ViewName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl AsRef<Path> for ViewName {
    fn as_ref(&self) -> &Path {
        Path::new(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{STAGES, VIEWS};
    use super::ViewName;

    #[test]
    fn every_view_is_found_by_its_name() {
        for view in VIEWS {
            assert_eq!(view.name().as_str().parse(), Ok(view.name()));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_there_are() {
        let error = "stagse".parse::<ViewName>().unwrap_err();
        assert!(error.contains("trail, stages"), "{error}");
    }

    #[test]
    fn a_name_leads_to_its_view() {
        assert_eq!(STAGES.view().map(|view| view.name()), Some(STAGES));
    }
}
