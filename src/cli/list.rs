//! `exetrail list`: the scenarios.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::citation::expand;
use crate::scenario::select;

/// Arguments of `exetrail list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios by name, family or glob [default: all]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Show each scenario's documentation as well
    #[arg(long)]
    docs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A line a scenario
    Text,
    /// One JSON object a line
    Json,
}

/// One scenario.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "exetrail list"))]
struct Line<'a> {
    /// `family/name`.
    scenario: &'a str,
    /// Its family.
    family: &'a str,
    /// What it is, in a line.
    summary: &'a str,
    /// What a kernel or a lab must have for it, some with why behind a colon.
    needs: Vec<&'a str>,
    /// Its documentation, in Markdown.
    docs: String,
}

/// Lists scenarios with family, summary and needs.
pub fn main(args: &Args) -> Result<ExitCode> {
    let selected = select(&args.scenarios)?;
    let width = selected
        .iter()
        .map(|found| found.name.len())
        .max()
        .unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for found in selected {
        let line = Line {
            scenario: found.name,
            family: found.family(),
            summary: found.scenario.summary,
            needs: found.scenario.needs.iter().map(|need| need.what).collect(),
            docs: expand(found.docs),
        };
        let text = match args.format {
            Form::Json => serde_json::to_string(&line)?,
            Form::Text if args.docs => format!("{}\n\n{}", text(&line, width), docs(&line)),
            Form::Text => text(&line, width),
        };
        writeln!(out, "{text}").context("failed to write the output")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(line: &Line<'_>, width: usize) -> String {
    let mut text = format!("{:width$}  {}", line.scenario, line.summary);
    // Why it needs that stands behind a colon, for whom it is not met.
    let needs = line
        .needs
        .iter()
        .map(|need| need.split_once(": ").map_or(*need, |(what, _)| what));
    let needs: Vec<_> = needs.collect();
    if !needs.is_empty() {
        text += &format!("\n    needs {}", needs.join("; "));
    }
    text
}

fn docs(line: &Line<'_>) -> String {
    let lines = line.docs.lines();
    lines.map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("list", &schemars::schema_for!(Line<'_>));
    }
}
