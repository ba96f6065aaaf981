//! A system call's specification as data: groups of claims, each with its source.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// The specifications that this program knows.
const FILES: [(&str, &str); 4] = [
    (
        "scenarios/contract/execve.toml",
        include_str!("../../scenarios/contract/execve.toml"),
    ),
    (
        "scenarios/contract/execveat.toml",
        include_str!("../../scenarios/contract/execveat.toml"),
    ),
    (
        "scenarios/contract/walkthrough.toml",
        include_str!("../../scenarios/contract/walkthrough.toml"),
    ),
    (
        "scenarios/contract/control.toml",
        include_str!("../../scenarios/contract/control.toml"),
    ),
];

/// What is claimed of one system call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// The call.
    pub call: String,
    /// Title of its table.
    pub title: String,
    /// What it answers.
    pub about: String,
    /// Whether its table is shown; the claims that test the machinery are not.
    #[serde(default = "yes")]
    pub published: bool,
    /// Its groups, in the order in which they are shown.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// Its claims.
    #[serde(rename = "claim")]
    pub claims: Vec<Claim>,
}

/// Claims that belong together: the first part of their ids.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Such as `error`.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// What is checked, in one or two sentences.
    pub about: String,
}

/// One claim.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// `group/name`.
    pub id: String,
    /// What is claimed, in our own words.
    pub text: String,
    /// Who claims it.
    #[serde(default = "specification")]
    pub source: String,
    /// What kind of claim it is.
    #[serde(default)]
    pub status: Status,
}

/// Where a claim stands in the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The specification says it.
    #[default]
    Stated,
    /// Its readers asked about it.
    Asked,
    /// The specification says nothing about it.
    Silent,
}

fn yes() -> bool {
    true
}

fn specification() -> String {
    "specification".to_owned()
}

/// All specifications.
///
/// # Errors
///
/// A file that is wrong, with its name.
pub fn specifications() -> Result<Vec<Specification>> {
    let read = |(name, text): &(&str, &str)| {
        Specification::parse(text).with_context(|| format!("failed to read {name}"))
    };
    FILES.iter().map(read).collect()
}

impl Specification {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// A claim without a group, or an id that is there twice.
    pub fn parse(text: &str) -> Result<Specification> {
        let all: Specification = toml::from_str(text)?;
        for (number, claim) in all.claims.iter().enumerate() {
            let id = &claim.id;
            let group = id.split_once('/').map(|(group, _)| group);
            let known = all.groups.iter().any(|own| Some(own.id.as_str()) == group);
            ensure!(known, "claim {id} belongs to no group");
            let twice = all.claims[..number].iter().any(|other| other.id == *id);
            ensure!(!twice, "claim {id} is there twice");
        }
        Ok(all)
    }

    /// The claims of a group.
    pub fn of(&self, group: &Group) -> impl Iterator<Item = &Claim> {
        let own = move |claim: &&Claim| {
            claim.id.split_once('/').map(|(own, _)| own) == Some(group.id.as_str())
        };
        self.claims.iter().filter(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "call = \"x\"\ntitle = \"X\"\nabout = \"Z\"\n\
        [[group]]\nid = \"a\"\ntitle = \"A\"\nabout = \"B\"\n\
        [[claim]]\nid = \"a/b\"\ntext = \"T\"\nsource = \"S\"\nstatus = \"stated\"\n";

    #[test]
    fn the_specifications_are_sound_and_share_no_id() {
        let all = specifications().unwrap();
        let mut ids: Vec<_> = all.iter().flat_map(|one| &one.claims).collect();
        ids.sort_by_key(|claim| &claim.id);
        assert!(ids.windows(2).all(|pair| pair[0].id != pair[1].id));
        assert!(ids.len() > 50);
    }

    #[test]
    fn a_claim_without_a_group_is_refused() {
        let error = Specification::parse(&GOOD.replace("a/b", "c/b")).unwrap_err();
        assert_eq!(error.to_string(), "claim c/b belongs to no group");
    }

    #[test]
    fn a_claim_that_is_there_twice_is_refused() {
        let claim = &GOOD[GOOD.find("[[claim]]").unwrap()..];
        let error = Specification::parse(&format!("{GOOD}{claim}")).unwrap_err();
        assert_eq!(error.to_string(), "claim a/b is there twice");
    }
}
