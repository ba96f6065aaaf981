//! `exetrail history`: at which kernels a scenario's behaviour changed.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{output, targets, views};
use crate::baseline::{Baselines, Lineage};
use crate::diff::{Comparison, Form, Side};
use crate::project::{Project, speaks_of};
use crate::scenario::select;
use crate::trail::{KernelId, markdown as plain};
use crate::view::{AnyView, ViewName};

/// Arguments of `exetrail history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios by name, family or glob
    #[arg(value_name = "SCENARIO", required = true)]
    scenarios: Vec<String>,
    /// The view whose changes are shown
    #[arg(long, default_value = "trail", value_parser = views::names())]
    view: ViewName,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

/// One behaviour: the kernel that brought it and those that share it.
#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(title = "exetrail history")
)]
struct Recorded {
    /// `family/name`.
    scenario: String,
    /// The kernel that has the snapshot.
    kernel: String,
    /// All kernels that it applies to.
    kernels: Vec<String>,
    /// What it changed; none for the first one.
    change: Option<Comparison>,
}

/// Shows the snapshots of a scenario, each against the one before.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let mut scenarios = select(&args.scenarios)?;
    views::check(&[args.view], &[args.view], &scenarios)?;
    let view = args.view.view().context("there is no such view")?;
    scenarios.retain(|scenario| view.applies(scenario));
    targets::tell_unnamed();
    let lineage = project.table.lineage();
    let mut out = std::io::stdout().lock();
    for scenario in scenarios {
        let files = project.store().load(scenario.name, args.view)?;
        let entries = entries(view, scenario.name, &lineage, &files)?;
        let text = match args.format {
            Form::Json => entries
                .iter()
                .map(|entry| serde_json::to_string(entry).map(|line| line + "\n"))
                .collect::<Result<String, _>>()?,
            Form::Text => views::painted(&text(scenario.name, &entries), 6, output::colour()),
            Form::Markdown => markdown(scenario.name, &entries),
        };
        write!(out, "{text}").context("failed to write the output")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn entries(
    view: &dyn AnyView,
    scenario: &str,
    lineage: &Lineage,
    files: &Baselines,
) -> Result<Vec<Recorded>> {
    let mut entries = Vec::new();
    for (id, text) in files {
        let kernels = lineage
            .kernels()
            .filter(|kernel| lineage.owner(kernel, files) == Some(id) && speaks_of(kernel));
        let before = lineage
            .parent(id)
            .and_then(|parent| lineage.at(parent, files));
        let change = before.map(|(before, old)| -> Result<Comparison> {
            let side = |id: &KernelId| Side {
                kernel: id.to_string(),
                source: format!("snapshot of {id}"),
            };
            let (old, new) = (view.parse(old)?, view.parse(text)?);
            Ok(view.compare(scenario, (side(before), &old), (side(id), &new)))
        });
        entries.push(Recorded {
            scenario: scenario.to_owned(),
            kernel: id.to_string(),
            kernels: kernels.map(ToString::to_string).collect(),
            change: change.transpose()?,
        });
    }
    Ok(entries)
}

fn text(scenario: &str, entries: &[Recorded]) -> String {
    let mut text = format!("{scenario}\n");
    for Recorded {
        kernel,
        kernels,
        change,
        ..
    } in entries
    {
        text += &format!("\n  {kernel} (applies to {})\n", kernels.join(" "));
        match change {
            None => text += "    the first snapshot\n",
            Some(change) => {
                for line in change.show(Form::Text).lines().skip(1) {
                    text += format!("  {line}").trim_end();
                    text.push('\n');
                }
            }
        }
    }
    text + "\n"
}

fn markdown(scenario: &str, entries: &[Recorded]) -> String {
    let mut text = format!("## {}\n\n", plain(scenario));
    for Recorded {
        kernel,
        kernels,
        change,
        ..
    } in entries
    {
        text += &format!("### {kernel}\n\nApplies to {}.\n\n", kernels.join(", "));
        match change {
            None => text += "The first snapshot.\n\n",
            Some(change) => {
                let whole = change.show(Form::Markdown);
                let body = whole.split_once("\n\n").map_or("", |(_, body)| body);
                text += body;
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("history", &schemars::schema_for!(Recorded));
    }
}
