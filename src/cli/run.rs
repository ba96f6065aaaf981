//! `exetrail run`: scenarios on kernels against the baselines.

mod plan;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use self::plan::{Plan, Seen};
use super::output::{colour, written};
use super::{INTERRUPTED, agent, pending, views};
use crate::own::chosen;
use crate::report::{Format, FormatName, Said, Show};
use crate::suite::{Asked, Stop};
use crate::trail::{KernelId, Outcome};
use crate::view::{Record, ViewName, rows};

/// Arguments of `exetrail run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios by name, family or glob, such as shebang, start or 'start/*exec*' [default: all]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Kernels: an id such as 6.12, `all`, `native`, or the path of a bzImage, vmlinux, build tree
    /// or Debian package [default: those that the suite names, else all]
    #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
    kernels: Vec<String>,
    /// Where the modules of an image are, such as /lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Show these views alone; all that were observed are judged [default: the trail, and of the
    /// others what is not as accepted]
    #[arg(long, value_name = "VIEW", value_delimiter = ',', value_parser = views::names())]
    view: Vec<ViewName>,
    /// Arm the observers of these views alone; the trail always is [default: trail and stages, or what
    /// EXETRAIL_OBSERVE says]
    #[arg(long, value_name = "VIEW", value_delimiter = ',', value_parser = views::asked())]
    observe: Vec<Asked>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: FormatName,
    /// What the text shows [default: all of one scenario, of several the changes]
    #[arg(long, value_enum, value_name = "WHAT")]
    show: Option<Show>,
    /// Keep the records in this directory, for `check` and `report`
    #[arg(long, value_name = "DIR", conflicts_with = "repeat")]
    records: Option<PathBuf>,
    /// Write what differs or is new as pending snapshots, for cargo insta review
    #[arg(long, conflicts_with = "repeat")]
    pending: bool,
    /// How many guests run side by side [default: as many as there are CPUs]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), allow_negative_numbers = true)]
    jobs: Option<u16>,
    /// Virtual CPUs of each guest
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8), allow_negative_numbers = true)]
    cpus: u32,
    /// Parameters for the kernels, beside our own (kernel-parameters.txt)
    #[arg(
        long,
        value_name = "PARAMETERS",
        default_value = "",
        hide_default_value = true
    )]
    append: String,
    /// Boot every kernel instead of restoring one that was saved where its guest waits
    #[arg(long)]
    cold: bool,
    /// Run everything that many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), allow_negative_numbers = true)]
    repeat: u16,
    /// Add what came of each round to the statistics in this file, and show only scenarios of which
    /// something was not as accepted
    #[arg(long, value_name = "FILE", conflicts_with_all = ["records", "pending"])]
    soak: Option<PathBuf>,
    /// Run the scenarios in an order that is made of this seed, 0 where none is given
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "0", value_parser = seed)]
    shuffle: Option<u64>,
    #[command(flatten)]
    agent: agent::AgentArgs,
}

fn seed(word: &str) -> Result<u64, String> {
    let why = "a seed is a number; a scenario goes before --shuffle";
    word.parse().map_err(|_| why.to_owned())
}

/// A call of `run` without any word of its own.
#[derive(clap::Parser)]
struct Bare {
    #[command(flatten)]
    args: Args,
}

impl Default for Args {
    fn default() -> Args {
        Bare::parse_from(["exetrail"]).args
    }
}

/// Runs, shows, and sums up in the exit status.
pub fn main(args: &Args) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let plan = Plan::of(args, &stop)?;
    let mut format = args.format.make(colour(), args.show, &args.view);
    let seen = plan.rounds(format.as_mut())?;
    let said = plan.said(&seen)?;
    finish(&plan, format.as_mut(), seen, &said)
}

/// Shows what was seen, writes what is pending, and sums up.
fn finish(plan: &Plan<'_>, format: &mut dyn Format, seen: Seen, said: &Said) -> Result<ExitCode> {
    let (args, records) = (plan.args, &seen.records);
    let mut out = std::io::stdout().lock();
    let mut shown_well = Ok(());
    let has_end = has_end(args.format, said);
    if has_end {
        let shown = records
            .iter()
            .map(|record| views::only(record, plan.shown()));
        let ended = format.end(&rows(&shown.collect::<Vec<_>>()), said, &mut out);
        shown_well = written(ended.and_then(|()| out.flush()));
    }
    if args.agent.is_there() && args.format == FormatName::Text {
        let worth = args.agent.judgement(records, &plan.asked_for);
        shown_well = shown_well.and(written(write!(out, "{worth}")));
    }
    seen.failed?;
    if let Some(what) = &said.interrupted {
        // The text says it as well, where it was read just now.
        let is_read = args.format == FormatName::Text && has_end && out.is_terminal();
        if !is_read {
            tell!("interrupted: {what}");
        }
        if args.pending {
            tell!("no snapshot was written");
        }
        return shown_well.map(|()| ExitCode::from(INTERRUPTED));
    }
    // Also where nobody could be shown what was seen.
    if args.pending {
        let own = args.agent.snapshots(&plan.project);
        pending::write(&plan.project, own.as_deref(), records)?;
    }
    shown_well?;
    if let Some(what) = &said.accepted {
        tell!("{what}");
        return Ok(ExitCode::from(if plan.lacks { 2 } else { 0 }));
    }
    Ok(match plan.lacks {
        true => ExitCode::from(2),
        false => status(records),
    })
}

/// Whether the output has an end: who parses it wants a whole document, and of a soak in which all was as accepted the
/// text has nothing to show.
fn has_end(format: FormatName, said: &Said) -> bool {
    said.accepted.is_none() || format != FormatName::Text
}

/// Names the parameters that the user gave where something was not seen, or not as accepted: they may be why (lockdown, audit=0).
fn parameters(given: &str, records: &[Record]) -> Option<String> {
    let calls = |record: &Record| record.outcome().badness() >= Outcome::Unsupported.badness();
    (!given.is_empty() && records.iter().any(calls)).then(|| {
        format!("the kernels had --append '{given}', which may be why something is not as it was")
    })
}

/// What `-k` says; where it says nothing, what a user's suite does, and else `all`.
pub fn own_kernels(words: &[String]) -> Vec<String> {
    let named = chosen().map(|own| {
        let named = own.settings.kernels.iter();
        // As its root, an image is named from where the suite is.
        let place = |word: &String| match own.directory.join(word) {
            path if word.parse::<KernelId>().is_err() && path.exists() => {
                path.display().to_string()
            }
            _ => word.clone(),
        };
        named.map(place).collect::<Vec<_>>()
    });
    meant(words, named.unwrap_or_default())
}

fn meant(words: &[String], named: Vec<String>) -> Vec<String> {
    match (words, named.is_empty()) {
        ([], true) => vec!["all".to_owned()],
        ([], false) => named,
        (words, _) => words.to_vec(),
    }
}

/// The exit status of everything that was seen, shown or not; nothing at all is no success.
pub fn status(records: &[Record]) -> ExitCode {
    let outcomes = records.iter().map(Record::outcome);
    let worst = outcomes.max_by_key(|outcome| outcome.badness());
    match worst {
        None | Some(Outcome::Broken) => ExitCode::from(2),
        Some(Outcome::Changed | Outcome::New) => ExitCode::from(1),
        Some(Outcome::Same | Outcome::Seen | Outcome::Unsupported) => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_a_word_is_one_round_on_one_cpu_as_text() {
        let Args {
            repeat,
            cpus,
            format,
            append,
            ..
        } = Args::default();
        assert_eq!((repeat, cpus, append.as_str()), (1, 1, ""));
        assert_eq!(format, FormatName::Text);
    }

    #[test]
    fn a_soak_in_which_all_is_well_ends_what_is_parsed() {
        let ends = |format, accepted: Option<&str>| {
            let accepted = accepted.map(ToOwned::to_owned);
            let said = Said {
                accepted,
                ..Said::default()
            };
            has_end(format, &said)
        };
        assert!(!ends(FormatName::Text, Some("1 result, all as accepted")));
        assert!(ends(FormatName::Junit, Some("1 result, all as accepted")));
        assert!(ends(FormatName::Text, None));
    }

    #[test]
    fn parameters_are_named_where_something_is_not_as_it_was() {
        use crate::view::tests::record;
        let said = |given, outcome| parameters(given, &[record("start/a", "6.1", outcome)]);
        let text = said("audit=0", Outcome::Broken).unwrap();
        assert!(text.contains("--append 'audit=0'"), "{text}");
        assert_eq!(said("audit=0", Outcome::Same), None);
        assert_eq!(said("", Outcome::Broken), None);
    }

    #[test]
    fn kernels_of_a_suite_are_for_who_names_none() {
        let suite = || vec!["6.12".to_owned()];
        let all = vec!["all".to_owned()];
        assert_eq!(meant(&[], suite()), suite());
        assert_eq!(meant(&all, suite()), all);
        assert_eq!(meant(&[], Vec::new()), all);
    }
}
