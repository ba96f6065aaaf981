//! `exetrail --help`: the commands by what one wants, and the exit statuses.

use std::fmt::Write as _;

use clap::Command;

/// What one wants, and the commands for it.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Ask about a program of your own", &["try", "hooks"]),
    (
        "Run scenarios on kernels",
        &["run", "check", "bisect-step", "model"],
    ),
    (
        "Read what is known",
        &[
            "list",
            "diff",
            "history",
            "explain",
            "contract",
            "observers",
            "report",
        ],
    ),
    ("Watch the running system", &["monitor"]),
    ("Kernels", &["kernels", "boot", "fetch"]),
];

const STATUS: &str = "\
Exit status:
  0    all is the same, seen, or unsupported for a reason
  1    something changed, or is new
  2    something is broken or was required and not run, or the call was wrong
  130  interrupted; what was seen until then is shown
  some commands have others, such as try, boot and hooks: see their --help";

/// A command whose help lists the commands by group.
pub fn grouped(command: Command) -> Command {
    let mut text = String::new();
    for (heading, names) in GROUPS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{heading}:");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {name:<12} {about}");
        }
        text.push('\n');
    }
    command
        .help_template("{about}\n\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}")
        .after_help(text + STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_a_terminal_of_80_columns() {
        let command = grouped(<super::super::Cli as clap::CommandFactory>::command());
        let help = command.get_after_help().unwrap().to_string();
        let wide: Vec<_> = help.lines().filter(|line| line.len() > 80).collect();
        assert!(help.lines().count() > 25 && wide.is_empty(), "{wide:?}");
    }

    #[test]
    fn every_command_stands_in_one_group() {
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| *names).collect();
        let command = <super::super::Cli as clap::CommandFactory>::command();
        let mut all: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        grouped.sort();
        all.sort_unstable();
        assert_eq!(grouped.into_iter().copied().collect::<Vec<_>>(), all);
    }
}
