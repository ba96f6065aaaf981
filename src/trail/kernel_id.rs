//! The id of a kernel: its series, ordered as releases are.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kernel series such as `5.10` or `7.3`; `5.10` comes before `6.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(into = "String", try_from = "String")]
pub struct KernelId {
    major: u32,
    minor: u32,
}

impl KernelId {
    /// The series of a release such as `6.12.107+deb13-cloud-amd64`.
    #[must_use]
    pub fn of_release(release: &str) -> Option<KernelId> {
        let mut numbers = release.split(|character: char| !character.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(KernelId { major, minor })
    }
}

impl Ord for KernelId {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor).cmp(&(other.major, other.minor))
    }
}

impl PartialOrd for KernelId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for KernelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.major, self.minor))
    }
}

impl FromStr for KernelId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = KernelId::of_release(text).filter(|id| id.to_string() == text);
        id.ok_or_else(|| {
            format!("\"{text}\" is not a kernel series, expected one such as \"6.12\"")
        })
    }
}

impl From<KernelId> for String {
    fn from(id: KernelId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for KernelId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::KernelId;

    fn id(text: &str) -> KernelId {
        text.parse().unwrap()
    }

    #[test]
    fn series_are_ordered_as_numbers_not_as_text() {
        assert!(id("5.10") < id("6.1") && id("6.1") < id("6.12"));
    }

    #[test]
    fn a_release_has_a_series() {
        assert_eq!(
            KernelId::of_release("6.12.107+deb13-cloud-amd64"),
            Some(id("6.12"))
        );
        assert_eq!(KernelId::of_release("7.3-rc1"), Some(id("7.3")));
    }

    #[test]
    fn a_whole_release_is_no_id() {
        assert!("6.12.1".parse::<KernelId>().is_err());
    }

    #[test]
    fn what_is_no_number_is_no_id() {
        assert!("six".parse::<KernelId>().is_err());
    }
}
