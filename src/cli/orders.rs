//! What changed in the view `stages`, from the snapshots: a text diff, because a stage that moved is
//! best seen among its neighbours.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use similar::TextDiff;

use crate::baseline::View;
use crate::project::Project;
use crate::scenario::Registered;
use crate::trail::KernelId;

/// Shows each order of a scenario's stages against the one before, with the kernels that share it.
pub fn history(project: &Project, scenarios: &[&'static Registered]) -> Result<ExitCode> {
    let lineage = project.table.lineage();
    let mut out = std::io::stdout().lock();
    for scenario in scenarios {
        let files = project.store().load(scenario.name, View::Stages)?;
        let mut text = format!("{}\n", scenario.name);
        if files.is_empty() {
            text += "\n  no snapshot of the stages\n";
        }
        for (id, now) in &files {
            let shares = lineage
                .kernels()
                .filter(|one| lineage.owner(one, &files) == Some(id));
            let shares: Vec<_> = shares.map(ToString::to_string).collect();
            text += &format!("\n  {id} (applies to {})\n", shares.join(" "));
            text += &match lineage.inherited(id, &files) {
                None => "    the first snapshot\n".to_owned(),
                Some(before) => indented(&difference(before, now)),
            };
        }
        writeln!(out, "{text}").context("failed to write the output")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what differs between two kernels; the exit status is 1 when something does.
pub fn diff(
    project: &Project,
    (old, new): (&str, &str),
    scenarios: &[&'static Registered],
) -> Result<ExitCode> {
    let [old, new] = [old, new].map(|word| {
        let id = word.parse::<KernelId>().ok();
        id.filter(|id| project.table.find(id).is_some())
            .with_context(|| {
                format!("\"{word}\" is no kernel of the table, whose stages are known")
            })
    });
    let (old, new) = (old?, new?);
    let lineage = project.table.lineage();
    let mut out = std::io::stdout().lock();
    let (mut different, mut compared) = (0, 0);
    for scenario in scenarios.iter().filter(|scenario| scenario.has_stages()) {
        let files = project.store().load(scenario.name, View::Stages)?;
        let text = |id| lineage.owner(id, &files).and_then(|owner| files.get(owner));
        let (Some(before), Some(now)) = (text(&old), text(&new)) else {
            eprintln!("{} was not compared: a snapshot is missing", scenario.name);
            continue;
        };
        compared += 1;
        if before != now {
            different += 1;
            let change = indented(&difference(before, now));
            writeln!(out, "{}\n{change}", scenario.name).context("failed to write the output")?;
        }
    }
    if compared == 0 {
        bail!("none of these scenarios has stages on both kernels");
    }
    writeln!(
        out,
        "the stages of {different} of {compared} scenarios differ between {old} and {new}"
    )
    .context("failed to write the output")?;
    Ok(ExitCode::from(u8::from(different > 0)))
}

fn difference(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(1).to_string()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
