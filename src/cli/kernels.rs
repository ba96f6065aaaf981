//! `exetrail kernels`: the table, what is fetched, and how it would run.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use comfy_table::{Table, TableStyle};
use serde::Serialize;

use crate::project::Project;
use crate::suite::{Stop, Suite, Wanted};
use crate::warm::{Kept, LIMIT, Store};

/// Arguments of `exetrail kernels`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A table
    Text,
    /// One JSON object a line
    Json,
    /// The matrix of a GitHub workflow
    GithubMatrix,
}

/// One kernel of the table.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(title = "exetrail kernels")
)]
struct Line {
    /// The series: what `-k` takes.
    id: String,
    /// What is fetched; the pinned version where nothing is.
    release: String,
    /// Whether it is in the cache.
    fetched: bool,
    /// Whose snapshots it inherits.
    parent: Option<String>,
    /// What its warm states take on the disk, in bytes.
    warm: u64,
    /// What took the pinned one's place, or why the fetched one is not used.
    note: Option<String>,
}

/// Shows the table.
pub fn main(args: &Args) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let project = Project::open()?;
    let states = Store::of(&project.cache).all()?;
    let lines = lines(&project, &states);
    let mut out = std::io::stdout().lock();
    match args.format {
        Form::GithubMatrix => {
            let ids: Vec<_> = lines.iter().map(|line| &line.id).collect();
            let matrix = serde_json::json!({ "kernel": ids });
            writeln!(out, "{matrix}")
        }
        Form::Json => lines.iter().try_for_each(|line| {
            serde_json::to_writer(&mut out, line)?;
            writeln!(out)
        }),
        Form::Text => writeln!(
            out,
            "{}\n\n{}\n{}",
            table(&lines),
            accelerator(&project, &stop),
            warm(&project, &states)
        ),
    }
    .context("failed to write the output")?;
    Ok(ExitCode::SUCCESS)
}

fn lines(project: &Project, states: &[Kept]) -> Vec<Line> {
    let lineage = project.table.lineage();
    let line = |entry: &crate::vm::table::KernelEntry| -> Line {
        let (cached, damage) = match project.kernel(&entry.id) {
            Ok(cached) => (cached, None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let pinned = project.kernels.of(&entry.id.to_string());
        let version = pinned
            .first()
            .map_or("nothing is", |package| package.version.as_str());
        Line {
            id: entry.id.to_string(),
            release: cached.as_ref().map_or_else(
                || format!("{version} pinned"),
                |cached| cached.release.clone(),
            ),
            fetched: cached.is_some(),
            parent: lineage.parent(&entry.id).map(ToString::to_string),
            warm: states
                .iter()
                .filter(|state| state.label() == entry.id.to_string())
                .map(|state| state.bytes)
                .sum(),
            note: damage.or_else(|| cached.and_then(|cached| cached.substituted)),
        }
    };
    project.table.kernels.iter().map(line).collect()
}

fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header([
        "kernel",
        "release",
        "",
        "inherits from",
        "warm",
        "",
    ]);
    for line in lines {
        let fetched = if line.fetched {
            "fetched"
        } else {
            "not fetched"
        };
        let parent = line.parent.as_deref().unwrap_or("-");
        let note = line.note.as_deref().unwrap_or_default();
        let warm = match line.warm {
            0 => "-".to_owned(),
            bytes => mebibytes(bytes),
        };
        table.add_row([&line.id, &line.release, fetched, parent, &warm, note]);
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// What all states take, of how much they may.
fn warm(project: &Project, states: &[Kept]) -> String {
    let bytes = states.iter().map(|state| state.bytes).sum();
    let place = project.cache.join("warm");
    format!(
        "warm states: {} of at most {} in {}",
        mebibytes(bytes),
        mebibytes(LIMIT),
        place.display()
    )
}

/// How guests would run and why; tries KVM for real when nobody has yet.
fn accelerator(project: &Project, stop: &Stop) -> String {
    let ready = project.table.kernels.iter().rev().find_map(|entry| {
        match Wanted::of_table(project, &entry.id) {
            Ok(Wanted::Ready(target)) => Some(target),
            _ => None,
        }
    });
    let Some(target) = ready else {
        return "accelerator: not known before a kernel is fetched (vm/setup)".to_owned();
    };
    let program = std::env::current_exe().context("failed to find this program");
    match program.and_then(|program| Suite::prepare(project, &program, &target, stop)) {
        Ok(suite) => match suite.accel() {
            Some(accel) => format!("accelerator: {accel}"),
            None => "accelerator: not known".to_owned(),
        },
        Err(error) => format!("accelerator: not known: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("kernels", &schemars::schema_for!(Line));
    }
}
