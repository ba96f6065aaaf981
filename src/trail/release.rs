//! A kernel's full release, and whether a change is in it, backports included.

use std::fmt;

/// Whether a text can be what uname(2) says: printable ASCII, in less than 65 bytes, and no path.
#[must_use]
pub fn is_release(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// A kernel's full release, such as `6.12.107+deb13-cloud-amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    numbers: [u32; 3],
}

impl Release {
    /// Reads a release; what follows the three numbers does not matter.
    #[must_use]
    pub fn of(release: &str) -> Option<Release> {
        let digits = release.split(|character: char| !character.is_ascii_digit());
        let mut numbers = digits.map_while(|number| number.parse().ok());
        Some(Release {
            numbers: [
                numbers.next()?,
                numbers.next()?,
                numbers.next().unwrap_or(0),
            ],
        })
    }

    /// The running kernel, from what uname(2) says.
    ///
    /// Debian's release is that of its interface (`6.1.0-50-cloud-amd64`) and the version tells what
    /// it is: `#1 SMP Debian 6.1.176-1 (2026-10-04)`.
    #[must_use]
    pub fn of_uname(release: &str, version: &str) -> Option<Release> {
        let packaged = version.split_once("Debian ").map(|(_, package)| package);
        packaged
            .and_then(Release::of)
            .or_else(|| Release::of(release))
    }

    /// Whether it has a change that came with these releases: the mainline one (`6.14`) first, then
    /// those of stable series that it was backported to (`6.12.15`).
    #[must_use]
    pub fn has(&self, since: &[&str]) -> bool {
        let mut releases = since.iter().filter_map(|text| Release::of(text));
        releases.next().is_some_and(|main| !self.is_before(main))
            || releases
                .any(|stable| self.numbers[..2] == stable.numbers[..2] && !self.is_before(stable))
    }

    /// Whether it came before another one.
    #[must_use]
    pub fn is_before(&self, other: Release) -> bool {
        self.numbers < other.numbers
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Release, is_release};

    const SINCE: &[&str] = &["6.14", "6.12.15", "6.1.129"];

    fn has(release: &str) -> bool {
        Release::of(release).unwrap().has(SINCE)
    }

    #[test]
    fn a_mainline_release_and_all_after_it_have_a_change() {
        assert!(has("6.14.0-rc1") && has("6.14") && has("7.3.4+deb13"));
        assert!(!has("6.13.12"));
    }

    #[test]
    fn a_stable_release_has_a_backport_from_its_own_number_on() {
        assert!(has("6.12.15") && has("6.1.129") && has("6.1.176-1"));
        assert!(!has("6.12.14") && !has("6.1.128"));
    }

    #[test]
    fn a_backport_to_one_series_is_not_in_the_next() {
        assert!(!has("6.2.200") && !has("6.13.200") && !has("5.10.251"));
    }

    #[test]
    fn nothing_has_a_change_that_no_release_has() {
        assert!(!Release::of("7.3").unwrap().has(&[]));
    }

    #[test]
    fn a_packaged_kernel_is_what_its_version_says() {
        let version = "#1 SMP Debian 6.1.176-1 (2026-10-04)";
        let release = Release::of_uname("6.1.0-50-amd64", version).unwrap();
        assert_eq!(release.to_string(), "6.1.176");
        let own = Release::of_uname("7.3.4", "#1 SMP").unwrap();
        assert_eq!(own.to_string(), "7.3.4");
    }

    #[test]
    fn what_is_no_release_is_none() {
        assert_eq!(Release::of("six"), None);
        assert_eq!(Release::of("6"), None);
    }

    #[test]
    fn a_release_is_one_short_word_and_no_path() {
        assert!(is_release("6.12.107+deb13-cloud-amd64"));
        for text in [
            "",
            "6.1 x",
            "6.1\n",
            "6.1/../x",
            "6.1\u{e9}",
            &"6".repeat(65),
        ] {
            assert!(!is_release(text), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let of = |text| Release::of(text).unwrap();
        assert!(of("6.9").is_before(of("6.12")) && !of("6.12").is_before(of("6.12")));
    }
}
