//! The view `ima`.

use super::Way;
use crate::scenario::Registered;
use crate::view::ViewName;

/// Entries of IMA's list of measurements.
#[derive(Debug)]
pub struct Ima;

/// The scenarios that show what it can say and what not, of [`Ima`]: each of them takes a boot.
const SCENARIOS: [&str; 34] = [
    // A program, and what runs it.
    "start/bits32",
    "start/binfmt_misc",
    "start/binfmt_misc_f",
    "start/direct_ldso",
    "start/normal",
    "start/script_two_levels",
    "start/shebang",
    // The names of a file, and a file without a name.
    "container/own_files",
    "container/shared_files",
    "start/chroot",
    "start/deep_path",
    "start/deleted_while_running",
    "start/detached_file",
    "start/fexecve",
    "start/hard_link",
    "start/memfd",
    "start/mount_namespace",
    "start/overlay_watched",
    "start/relative_path",
    "start/replaced_while_running",
    "start/symlink",
    "lies/disguise",
    "lies/disguise_unprivileged",
    "lies/link",
    "lies/notified",
    "lies/path",
    // The same content again.
    "start/multi_call",
    "start/multi_call_copy",
    "start/multi_call_hard_link",
    "start/short_programs",
    // Whom nobody asks, and who fails.
    "start/core_pattern_pipe",
    "start/modprobe",
    "start/fail_missing",
    "start/fail_script_interpreter_missing",
];

impl Way for Ima {
    const NAME: ViewName = ViewName::new("ima");
    const ABOUT: &'static str = "what IMA measures of the files that are executed";
    const WHOM: &'static str =
        "a few scenarios of the families start, container and lies, each in a boot of its own";

    fn is_of(scenario: &Registered) -> bool {
        scenario.case.is_some() || SCENARIOS.contains(&scenario.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_is_named_is_there() {
        for name in SCENARIOS {
            assert!(
                Registered::find(name).is_some_and(Registered::is_start),
                "{name}"
            );
        }
    }
}
