//! `exetrail model`: generated starts against the model, as many as one likes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use comfy_table::{Cell, Table, TableStyle};

use super::output::written;
use super::{INTERRUPTED, live, targets};
use crate::cases::kept::Kept;
use crate::model::differences::{self, Difference};
use crate::model::reach::{Reach, Rule};
use crate::project::Project;
use crate::suite::{Cases, Options, ReadyKernel, Stop, Tally};
use crate::{case, cases, files};

/// Options of `exetrail model`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A kernel: an id of the table, native, a path, or all
    #[arg(
        short = 'k',
        long = "kernel",
        value_name = "KERNEL",
        default_value = "all",
        value_delimiter = ','
    )]
    kernels: Vec<String>,
    /// How many cases each kernel plays
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true)]
    cases: u64,
    /// Seed of the first case; the next one has the next number
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Virtual CPUs of a guest
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8), allow_negative_numbers = true)]
    cpus: u32,
    /// How many kernels run side by side
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    jobs: Option<std::num::NonZero<usize>>,
    /// Show the case of the first seed as a case file of a suite (docs/suites.md), and execute nothing
    #[arg(long)]
    show: bool,
    /// Print how often each rule of the model was applied, and how often a kernel was asked that does, or does not do,
    /// what differs between kernels
    #[arg(long)]
    reach: bool,
    /// Write what the model was told and what was seen to DIRECTORY, a file for each kernel, to be judged
    /// again without one; no case is made smaller then
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

/// Plays the cases and says where the model is wrong; status 1 when it is, 2 when a case broke.
pub fn main(args: &Args) -> Result<ExitCode> {
    if args.show {
        let text = case::print(&cases::of(args.seed))?;
        write!(std::io::stdout(), "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let end = args.seed.checked_add(args.cases);
    let end = end.context("--seed and --cases together exceed the largest seed (2^64 - 1)")?;
    let stop = Stop::listen()?;
    if let Some(directory) = &args.keep {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("failed to make the directory {}", directory.display()))?;
    }
    let project = Project::open()?;
    let (targets, missing) = targets::find(&project, &args.kernels, None)?;
    if args.keep.is_some() {
        targets::one_of_a_series(&targets)?;
    }
    let lacks = targets::tell_missing(&project, &missing)?;
    let suite = live::prepare(&project, &targets, &stop)?;
    let mut options = Options {
        cpus: args.cpus,
        ..Options::default()
    };
    options.jobs = args.jobs.map_or(options.jobs, usize::from);
    let played = Cases {
        seeds: args.seed..end,
        keep: args.keep.is_some(),
    };
    let progress = |target: &ReadyKernel, seed: u64| {
        let done = seed + 1 - args.seed;
        if done.is_multiple_of(100) || done == args.cases {
            tell!("{}: {done} of {} cases", target.label(), args.cases);
        }
    };
    let mut tallies = vec![Tally::default(); targets.len()];
    let mut take = |place: usize, tally| tallies[place] = tally;
    suite.play(&targets, &played, &options, &stop, &progress, &mut take);
    let shown = show(args, &targets, &tallies);
    if let Some(directory) = &args.keep {
        for (target, tally) in targets.iter().zip(&tallies) {
            let file = directory.join(format!("{}.xz", target.label()));
            keep(&file, &tally.kept)?;
        }
    }
    shown?;
    if stop.is_asked_for() {
        tell!("interrupted: not all cases were played");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let any = |wrong: fn(&Tally) -> bool| tallies.iter().any(wrong);
    Ok(match () {
        () if lacks || any(|tally| !tally.broken.is_empty()) => ExitCode::from(2),
        () if any(|tally| !tally.disagreed.is_empty()) => ExitCode::from(1),
        () => ExitCode::SUCCESS,
    })
}

/// Shows what came of the cases, kernel by kernel.
fn show(args: &Args, targets: &[ReadyKernel], tallies: &[Tally]) -> Result<()> {
    let mut text = String::new();
    for (target, tally) in targets.iter().zip(tallies) {
        for note in &tally.notes {
            tell!("note: {note}");
        }
        for line in tally.complaints().lines() {
            text += &format!("{}: {line}\n", target.label());
        }
    }
    if args.reach {
        text += &format!("{}\n", reached(tallies));
    }
    text += &format!("{}\n", table(targets, tallies));
    written(std::io::stdout().write_all(text.as_bytes()))
}

/// Keeps what was played; where that is nothing, as of a kernel that did not come up, what was kept before stays.
fn keep(file: &Path, played: &[Kept]) -> Result<()> {
    match played.is_empty() {
        true => Ok(()),
        false => files::replace(file, &cases::kept::packed(played)?),
    }
}

/// Each rule and each difference with how often it was reached on all kernels; those that were not come
/// first.
fn reached(tallies: &[Tally]) -> Table {
    let mut all = Reach::default();
    tallies.iter().for_each(|tally| all.add(&tally.reach));
    let rules = Rule::ALL.iter();
    let mut rows: Vec<_> = rules
        .map(|rule| (all.rule(*rule), rule.id().to_owned(), rule.words()))
        .collect();
    for difference in &differences::ALL {
        let [has, lacks] = [true, false].map(|is_in| all.difference(difference, is_in));
        let [with, without] = kernels(difference);
        rows.push((has, with, difference.what));
        rows.push((lacks, without, difference.what));
    }
    rows.sort_by_key(|(count, ..)| *count != 0);
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_header([
        "how often",
        "rule, or kernels",
        "what it says, or what they do",
    ]);
    for (count, rule, words) in rows {
        table.add_row([count.to_string(), rule, words.to_owned()]);
    }
    table
}

/// The kernels that do what a difference says, and those that do not.
fn kernels(difference: &Difference) -> [String; 2] {
    let (since, backports) = difference.since.split_first().unwrap_or((&"", &[]));
    let backports = match backports {
        [] => String::new(),
        backports => format!(", and {} on", backports.join(", ")),
    };
    let (before, or) = match difference.until {
        None => (String::new(), String::new()),
        Some(until) => (format!(", before {until}"), format!(", or {until} on")),
    };
    [
        format!("do: {since} on{backports}{before}"),
        format!("do not: before {since}{or}"),
    ]
}

fn table(targets: &[ReadyKernel], tallies: &[Tally]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_header([
        "kernel",
        "started",
        "agreed",
        "%",
        "of them afterwards",
        "steps: kernel",
        "loader",
        "own",
        "not predicted",
        "not begun",
        "broken",
    ]);
    for (target, tally) in targets.iter().zip(tallies) {
        let predicted = &tally.predicted;
        table.add_row([
            Cell::new(target.label()),
            Cell::new(tally.started()),
            Cell::new(tally.agreed),
            Cell::new(format!("{:.1}", tally.percent())),
            Cell::new(predicted.afterwards),
            Cell::new(predicted.kernel),
            Cell::new(predicted.loader),
            Cell::new(predicted.own),
            Cell::new(tally.unknown),
            Cell::new(tally.empty),
            Cell::new(tally.broken.len()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_the_kernels_on_both_of_its_sides() {
        assert_eq!(
            kernels(&differences::OPENS_FIRST),
            ["do: 6.8 on", "do not: before 6.8"]
        );
        assert_eq!(
            kernels(&differences::COMM_OF_FILE)[0],
            "do: 6.14 on, and 6.12.14, 6.1.129 on"
        );
        assert_eq!(
            kernels(&differences::LISTENER_WAITS_FOR_ITSELF),
            [
                "do: 6.14 on, before 7.3.4",
                "do not: before 6.14, or 7.3.4 on"
            ]
        );
    }

    #[test]
    fn where_nothing_was_played_what_was_kept_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("6.12.xz");
        std::fs::write(&file, "kept").unwrap();
        keep(&file, &[]).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
    }
}
