//! What is shown. It never decides about what is answered.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use globset::{GlobBuilder, GlobMatcher};

use super::look::{Look, OpenName, Who};

/// Patterns that a line's fields must match to be shown; without any, everything is shown.
///
/// `*` matches `/` as well. What has no exe link matches by its word, such as `kernel-thread`. An exe that is
/// too long, and a path that is too long or cannot be read, match every pattern: it may be what is looked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The root of the only tree that is shown.
    pub tree: Option<i32>,
    exe: Option<GlobMatcher>,
    path: Option<GlobMatcher>,
    below: Option<Vec<u8>>,
}

impl Filter {
    /// Reads the patterns.
    ///
    /// # Errors
    ///
    /// A pattern that is none, with its text.
    pub fn new(tree: Option<i32>, exe: Option<&str>, path: Option<&str>) -> Result<Filter> {
        Ok(Filter {
            tree,
            exe: exe.map(glob).transpose()?,
            path: path.map(glob).transpose()?,
            below: None,
        })
    }

    /// Shows only this place and what is below it.
    #[must_use]
    pub fn below(mut self, place: Option<&Path>) -> Filter {
        self.below = place.map(|place| place.as_os_str().as_bytes().to_vec());
        self
    }

    /// Whether exe and path match; the tree is not asked here.
    #[must_use]
    pub fn shows(&self, look: &Look) -> bool {
        let exe = look.who == Who::TooLong || matches(self.exe.as_ref(), look.who.name());
        let path = match &look.path {
            OpenName::Path(path) => matches(self.path.as_ref(), path) && self.is_below(path),
            OpenName::TooLong | OpenName::Unreadable => true,
        };
        exe && path
    }

    fn is_below(&self, path: &[u8]) -> bool {
        self.below.as_ref().is_none_or(|place| {
            path.strip_prefix(place.as_slice()).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(b"/") || rest == b" (deleted)"
            })
        })
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(false).build();
    let glob = glob.with_context(|| format!("\"{pattern}\" is not a pattern"))?;
    Ok(glob.compile_matcher())
}

fn matches(glob: Option<&GlobMatcher>, bytes: &[u8]) -> bool {
    glob.is_none_or(|glob| glob.is_match(Path::new(OsStr::from_bytes(bytes))))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::trail::Mask;

    fn shows(exe: Option<&str>, path: Option<&str>, who: Who) -> bool {
        let look = Look {
            time: SystemTime::UNIX_EPOCH,
            mask: Mask::OPEN,
            pid: 1,
            tid: None,
            ppid: 0,
            start: 0,
            who,
            comm: Vec::new(),
            path: OpenName::Path(b"/usr/lib/a.so".to_vec()),
        };
        Filter::new(None, exe, path).unwrap().shows(&look)
    }

    fn bash() -> Who {
        Who::Program(b"/usr/bin/bash".to_vec())
    }

    #[test]
    fn without_patterns_everything_is_shown() {
        assert!(shows(None, None, Who::Dead));
    }

    #[test]
    fn both_patterns_must_match() {
        assert!(shows(Some("*/bash"), Some("*.so"), bash()));
        assert!(!shows(Some("*/bash"), Some("*.conf"), bash()));
        assert!(!shows(Some("*/dash"), Some("*.so"), bash()));
    }

    #[test]
    fn a_star_matches_a_slash() {
        assert!(shows(Some("/usr*"), None, bash()));
    }

    #[test]
    fn what_has_no_program_matches_by_its_word() {
        assert!(shows(Some("kernel-thread"), None, Who::KernelThread));
        assert!(!shows(Some("/*"), None, Who::KernelThread));
    }

    fn named(path: OpenName) -> Look {
        Look {
            time: SystemTime::UNIX_EPOCH,
            mask: Mask::OPEN,
            pid: 1,
            tid: None,
            ppid: 0,
            start: 0,
            who: bash(),
            comm: Vec::new(),
            path,
        }
    }

    #[test]
    fn a_path_that_is_too_long_slips_through_no_pattern() {
        let filter = Filter::new(None, None, Some("/etc/*")).unwrap();
        let filter = filter.below(Some(Path::new("/etc")));
        assert!(filter.shows(&named(OpenName::TooLong)));
        assert!(!filter.shows(&named(OpenName::Path(b"/usr/a".to_vec()))));
    }

    #[test]
    fn a_place_is_itself_and_what_is_below_it() {
        let filter = Filter::default().below(Some(Path::new("/mnt/sub")));
        let shows = |path: &[u8]| filter.shows(&named(OpenName::Path(path.to_vec())));
        assert!(shows(b"/mnt/sub") && shows(b"/mnt/sub/a"));
        assert!(!shows(b"/mnt/subway") && !shows(b"/mnt/a"));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Filter::new(None, Some("[a"), None).unwrap_err();
        assert!(format!("{error:#}").contains("[a"));
    }
}
