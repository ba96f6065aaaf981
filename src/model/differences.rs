//! Where the kernels differ: data, one entry each. `docs/findings.md` tells what follows from it.

use crate::trail::Release;

/// Something that kernels do since a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What those kernels do, in words.
    pub what: &'static str,
    /// First mainline release, and the stable releases that it was backported to.
    pub since: &'static [&'static str],
    /// First mainline release that no longer does it.
    pub until: Option<&'static str>,
    /// The change.
    pub source: &'static str,
}

macro_rules! differences {
    ($($(#[$doc:meta])* $name:ident $fields:tt)*) => {
        $($(#[$doc])* pub const $name: Difference = differences!(@ $fields);)*

        /// All of them.
        pub const ALL: [Difference; [$(stringify!($name)),*].len()] = [$($name),*];
    };
    (@ { $($field:ident: $value:expr,)* }) => {
        Difference { $($field: $value,)* }
    };
}

differences! {
    /// The program is opened before arguments are counted and copied.
    OPENS_FIRST {
        what: "the program is opened before arguments are counted and copied",
        since: &["6.8"],
        until: None,
        source: "978ffcbf00d8 (execve: open the executable file before doing anything else)",
    }

    /// A program by descriptor has the file's name as comm, not the descriptor's number.
    COMM_OF_FILE {
        what: "comm of a program by descriptor is the name of the file that is executed",
        since: &["6.14", "6.12.14", "6.1.129"],
        until: None,
        source: "543841d18060 (exec: fix up /proc/pid/comm in the execveat(AT_EMPTY_PATH) case)",
    }

    /// modprobe is asked about unknown formats.
    ASKS_MODPROBE {
        what: "modprobe is asked about a format that nobody knows",
        since: &["2.0"],
        until: Some("6.14"),
        source: "fa1bdca98d74 (exec: remove legacy custom binfmt modules autoloading)",
    }

    /// `AT_EXECVE_CHECK` is known.
    EXECVE_CHECK {
        what: "AT_EXECVE_CHECK opens and checks the program and does not start it",
        since: &["6.14"],
        until: None,
        source: "a5874fde3c08 (exec: Add a new AT_EXECVE_CHECK flag to execveat(2))",
    }

    /// Too many processes, and a flag that is not known, are told before a name that cannot be read.
    LIMIT_BEFORE_NAME {
        what: "too many processes, and a flag that is not known, are told before a path that is too long or empty",
        since: &["7.0"],
        until: None,
        source: "bb850584aaa2 (simplify the callers of alloc_bprm())",
    }

    /// Program headers may take more than a page.
    MANY_HEADERS {
        what: "program headers of more than 4096 bytes are read",
        since: &["6.17"],
        until: None,
        source: "8030790477e8 (binfmt_elf: remove the 4k limitation of program header size)",
    }

    /// The file of a layer is opened with events of its own.
    LAYERS_HAVE_EVENTS {
        what: "the open of an overlay's file in its layer has events",
        since: &["6.5"],
        until: None,
        source: "bc2473c90fca (ovl: enable fsnotify events on underlying real files)",
    }

    /// The listener's own open of an overlay's file waits for the listener.
    LISTENER_WAITS_FOR_ITSELF {
        what: "a listener of an overlay and its layer hangs in read(2)",
        since: &["6.14"],
        until: Some("7.3.4"),
        source: "dentry_open_nonotify, whose f_mode the overlay does not pass on",
    }

    /// Descriptors are closed while the process is still the old one.
    CLOSES_EARLY {
        what: "close-on-exec descriptors are closed before the exe link changes",
        since: &["7.3", "6.1.189", "6.12.111", "7.2.7"],
        until: None,
        source: "exec: do_close_on_exec() before taking exec_update_lock",
    }

    /// Whoever reads the exe link of a process waits for an exec of it to be over.
    EXE_LINK_WAITS {
        what: "the exe link is read with exec_update_lock held",
        since: &["7.2", "5.10.261", "6.1.178", "6.12.97", "7.1.13"],
        until: None,
        source: "proc: protect ptrace_may_access() with exec_update_lock (FD links); 7.1.13 has it, and which 7.1.y was the first is not known",
    }

    /// An overlay remembers where it linked a copy.
    COPY_HAS_ITS_PATH {
        what: "a copy in the upper layer is opened by its path there, not by the temporary file's",
        since: &["7.2", "6.1.184", "6.12.101", "7.1.13"],
        until: None,
        source: "fs/overlayfs/copy_up.c: Record the linked dentry -- not the disconnected O_TMPFILE dentry; 6.12.101 had it before 7.2 came; which 7.1.y was the first is not known",
    }
}

impl Difference {
    /// Whether this kernel does it.
    #[must_use]
    pub fn is_in(&self, kernel: Release) -> bool {
        let until = self.until.and_then(Release::of);
        let is_in = kernel.has(self.since) && until.is_none_or(|until| kernel.is_before(until));
        self.asked(is_in);
        is_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(release: &str, difference: &Difference) -> bool {
        difference.is_in(Release::of(release).unwrap())
    }

    #[test]
    fn a_backport_counts() {
        assert!(has("6.1.176-1", &COMM_OF_FILE) && !has("6.1.128", &COMM_OF_FILE));
    }

    #[test]
    fn what_was_taken_out_is_gone() {
        assert!(has("6.12.107", &ASKS_MODPROBE) && !has("6.14", &ASKS_MODPROBE));
    }

    #[test]
    fn every_difference_names_its_releases() {
        let releases = ALL
            .iter()
            .flat_map(|found| found.since.iter().chain(&found.until));
        for release in releases {
            assert!(Release::of(release).is_some(), "{release}");
        }
    }
}
