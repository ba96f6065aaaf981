//! `exetrail --help`: the commands by what one wants, and the exit statuses.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, Command, value_parser};

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

/// Commands that read no scenarios, or those of our own alone: `--suite` is refused there, and their help does not list it.
pub const WITHOUT_SUITE: [&str; 8] = [
    "boot",
    "contract",
    "fetch",
    "hooks",
    "kernels",
    "model",
    "monitor",
    "observers",
];

const STATUS: &str = "\
Exit status:
  0    all is the same, seen, or unsupported for a reason
  1    something changed, or is new
  2    something is broken or was required and not run, or the call was wrong
  130  interrupted; what was seen until then is shown
  who stops reading the output (`| head`) changes nothing of it
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
    // One that is there already is not replaced by the global one.
    let hidden = || {
        let option = Arg::new("suite").long("suite").value_name("DIR");
        option.value_parser(value_parser!(PathBuf)).hide(true)
    };
    let hide = |command: Command, name: &str| command.mut_subcommand(name, |own| own.arg(hidden()));
    WITHOUT_SUITE
        .into_iter()
        .fold(command, hide)
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
    fn suite_is_listed_where_it_is_taken() {
        let mut command = grouped(<super::super::Cli as clap::CommandFactory>::command());
        command.build();
        let mut listed = Vec::new();
        for own in command.get_subcommands() {
            let mut own = own.clone();
            if own.render_long_help().to_string().contains("--suite") {
                listed.push(own.get_name().to_owned());
            }
        }
        let taken = |name: &&str| !WITHOUT_SUITE.contains(name) && *name != "help";
        let all = command.get_subcommands().map(Command::get_name);
        assert_eq!(listed, all.filter(taken).collect::<Vec<_>>());
        let call = ["exetrail", "boot", "--suite", "a", "6.12"];
        let matches = command.try_get_matches_from(call).unwrap();
        assert!(matches.contains_id("suite") && matches.get_one::<PathBuf>("suite").is_some());
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
