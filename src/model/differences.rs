//! Where the kernels differ: data, one entry each. `docs/findings.md` tells what follows from it.

use std::fmt;

/// Something that kernels do since a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What those kernels do, in words.
    pub what: &'static str,
    /// First mainline release, and the stable releases that it was carried back to.
    pub since: &'static [&'static str],
    /// First mainline release that no longer does it.
    pub until: Option<&'static str>,
    /// The change.
    pub source: &'static str,
}

/// The program is opened before arguments are counted and copied.
pub const OPENS_FIRST: Difference = Difference {
    what: "the program is opened before arguments are counted and copied",
    since: &["6.8"],
    until: None,
    source: "978ffcbf00d8 (execve: open the executable file before doing anything else)",
};

/// A program by descriptor has the file's name as comm, not the descriptor's number.
pub const COMM_OF_FILE: Difference = Difference {
    what: "comm of a program by descriptor is the name of the file that is executed",
    since: &["6.14", "6.12.14", "6.1.129"],
    until: None,
    source: "543841d18060 (exec: fix up /proc/pid/comm in the execveat(AT_EMPTY_PATH) case)",
};

/// modprobe is asked about unknown formats.
pub const ASKS_MODPROBE: Difference = Difference {
    what: "modprobe is asked about a format that nobody knows",
    since: &["2.0"],
    until: Some("6.14"),
    source: "fa1bdca98d74 (exec: remove legacy custom binfmt modules autoloading)",
};

/// `AT_EXECVE_CHECK` is known.
pub const EXECVE_CHECK: Difference = Difference {
    what: "AT_EXECVE_CHECK opens and checks the program and does not start it",
    since: &["6.14"],
    until: None,
    source: "a5874fde3c08 (exec: Add a new AT_EXECVE_CHECK flag to execveat(2))",
};

/// Too many processes are told before a name that cannot be read.
pub const LIMIT_BEFORE_NAME: Difference = Difference {
    what: "too many processes are told before a path that is too long or empty",
    since: &["7.0"],
    until: None,
    source: "bb850584aaa2 (simplify the callers of alloc_bprm())",
};

/// The file of a layer is opened with events of its own.
pub const LAYERS_HAVE_EVENTS: Difference = Difference {
    what: "the open of an overlay's file in its layer has events",
    since: &["6.5"],
    until: None,
    source: "bc2473c90fca (ovl: enable fsnotify events on underlying real files)",
};

/// The listener's own open of an overlay's file waits for the listener.
pub const LISTENER_WAITS_FOR_ITSELF: Difference = Difference {
    what: "a listener of an overlay and its layer hangs in read(2)",
    since: &["6.14"],
    until: Some("7.3"),
    source: "dentry_open_nonotify, whose f_mode the overlay does not pass on",
};

/// All of them.
pub const ALL: [Difference; 7] = [
    OPENS_FIRST,
    COMM_OF_FILE,
    ASKS_MODPROBE,
    EXECVE_CHECK,
    LIMIT_BEFORE_NAME,
    LAYERS_HAVE_EVENTS,
    LISTENER_WAITS_FOR_ITSELF,
];

/// A kernel's full release, such as `6.12.107+deb13-cloud-amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    release: [u32; 3],
}

impl Kernel {
    /// Reads a release; its part behind the three numbers does not matter.
    #[must_use]
    pub fn of(release: &str) -> Option<Kernel> {
        let digits = release.split(|character: char| !character.is_ascii_digit());
        let mut numbers = digits.map_while(|number| number.parse().ok());
        Some(Kernel {
            release: [
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
    pub fn of_uname(release: &str, version: &str) -> Option<Kernel> {
        let packaged = version.split_once("Debian ").map(|(_, package)| package);
        packaged
            .and_then(Kernel::of)
            .or_else(|| Kernel::of(release))
    }

    /// Whether this kernel does it.
    #[must_use]
    pub fn has(&self, difference: &Difference) -> bool {
        let mut releases = difference.since.iter().filter_map(|text| Kernel::of(text));
        let since = releases
            .next()
            .is_some_and(|main| self.release >= main.release)
            || releases.any(|stable| {
                self.release[..2] == stable.release[..2] && self.release >= stable.release
            });
        let until = difference.until.and_then(Kernel::of);
        since && until.is_none_or(|until| self.release < until.release)
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.release;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(release: &str, difference: &Difference) -> bool {
        Kernel::of(release).unwrap().has(difference)
    }

    #[test]
    fn a_mainline_release_and_all_behind_it_have_a_change() {
        assert!(has("6.14.0-rc1", &COMM_OF_FILE) && has("7.3.4+deb13", &COMM_OF_FILE));
        assert!(!has("6.13.12", &COMM_OF_FILE));
    }

    #[test]
    fn a_stable_release_that_was_given_a_change_has_it_from_then_on() {
        assert!(has("6.1.176-1", &COMM_OF_FILE) && !has("6.1.128", &COMM_OF_FILE));
    }

    #[test]
    fn a_change_carried_back_to_one_series_is_not_in_the_next() {
        assert!(!has("6.2.16", &COMM_OF_FILE) && !has("5.10.251", &COMM_OF_FILE));
    }

    #[test]
    fn a_packaged_kernel_is_what_its_version_says() {
        let kernel = Kernel::of_uname("6.1.0-50-amd64", "#1 SMP Debian 6.1.176-1 (2026-10-04)");
        assert_eq!(kernel.unwrap().to_string(), "6.1.176");
    }

    #[test]
    fn what_was_taken_out_is_gone() {
        assert!(has("6.12.107", &ASKS_MODPROBE) && !has("6.16.12", &ASKS_MODPROBE));
    }

    #[test]
    fn every_difference_names_its_releases() {
        let releases = ALL
            .iter()
            .flat_map(|found| found.since.iter().chain(&found.until));
        for release in releases {
            assert!(Kernel::of(release).is_some(), "{release}");
        }
    }
}
