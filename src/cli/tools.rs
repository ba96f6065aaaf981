//! `exetrail observers --tools`: what tools of others report, from what is accepted of them under `tools/`.

use anyhow::{Context as _, Result, bail};

use super::observers::{columns_of, family};
use crate::baseline::Store;
use crate::event::{self, Column, Row, Table};
use crate::project::Project;
use crate::scenario::Registered;
use crate::trail::KernelId;
use crate::view::{AGENT, STAGES, TRAIL};
use crate::vm::tool::{Tool, Tools};

/// What comes before the table, and after it.
const PROSE: &str = include_str!("tools.md");

/// The kernels among these on which tools are judged; all of those where none is named.
///
/// # Errors
///
/// A kernel on which they are not.
pub fn kernels(tools: &Tools, named: Vec<KernelId>) -> Result<Vec<KernelId>> {
    let judged = &tools.kernels;
    if let Some(other) = named.iter().find(|id| !judged.contains(id)) {
        let all: Vec<_> = judged.iter().map(ToString::to_string).collect();
        bail!(
            "tools are judged on {}, and not on {other}: `exetrail run --tool TOOL -k {other}` does",
            all.join(", ")
        );
    }
    Ok(match named.is_empty() {
        true => judged.clone(),
        false => named,
    })
}

/// A row for each of these tools, of all for none.
///
/// # Errors
///
/// No checkout, snapshots that cannot be read, or a word that is no tool.
pub fn table(
    project: &Project,
    tools: &Tools,
    kernels: &[KernelId],
    names: &[String],
    scenarios: &[&'static Registered],
) -> Result<Table> {
    let tools = match names.is_empty() {
        true => {
            let is_known = |tool: &&Tool| {
                let reports = project.reports(&tool.name);
                tool.fails.is_some() || reports.is_some_and(|reports| reports.is_dir())
            };
            tools.tools.iter().filter(is_known).collect()
        }
        false => {
            let found = names.iter().map(|name| tools.find(name));
            found.collect::<Result<Vec<_>>>()?
        }
    };
    let mut rows = Vec::new();
    let mut count = 0;
    for tool in tools {
        let columns = columns(project, kernels, tool, scenarios)?;
        let mut table = Table::new(&columns, &[AGENT.to_string()]);
        for row in &mut table.rows {
            row.title = format!("{} {}", tool.name, tool.version);
            row.note = Some(note(tool));
        }
        count = table.scenarios;
        rows.extend(table.rows);
    }
    Ok(Table {
        kernels: kernels.iter().map(ToString::to_string).collect(),
        scenarios: count,
        rows,
    })
}

/// A tool in a sentence or three.
fn note(tool: &Tool) -> String {
    let mut note = format!("Through {}.", tool.through);
    let further = [
        ("It does not work, and says", &tool.fails),
        ("By chance", &tool.chance),
        ("What it changes", &tool.changes),
    ];
    for (what, told) in further {
        if let Some(told) = told {
            note += &format!(" {what}: {}.", told.trim_end_matches('.'));
        }
    }
    if let Some(explained) = &tool.explained {
        note += &format!(" {}", explained.trim());
    }
    note
}

/// What the snapshots say of these kernels, with what is accepted of a tool.
fn columns(
    project: &Project,
    kernels: &[KernelId],
    tool: &Tool,
    scenarios: &[&'static Registered],
) -> Result<Vec<Column>> {
    let reports = project.reports(&tool.name);
    let reports = reports.context("what tools report is in a checkout: call it inside of one")?;
    let (reports, store) = (Store::Directory(reports), project.store());
    let own = |_: &Registered| {
        let views = [(TRAIL, &store), (STAGES, &store), (AGENT, &reports)];
        let views = views.into_iter();
        views
            .filter_map(|(name, store)| Some((name.view()?, store)))
            .collect()
    };
    columns_of(project, kernels, scenarios, &own)
}

/// `docs/tools.md`, from what is accepted.
///
/// # Errors
///
/// Snapshots that cannot be read.
pub fn document(project: &Project) -> Result<String> {
    let tools = project.tools()?;
    let kernels = kernels(&tools, Vec::new())?;
    Ok(page(table(project, &tools, &kernels, &[], &family()?)?))
}

/// The page.
pub fn page(table: Table) -> String {
    let works = |row: &Row| row.cells.iter().any(Option::is_some);
    let (rows, failing) = table.rows.into_iter().partition(works);
    let table = Table { rows, ..table };
    let failing: Vec<Row> = failing;
    let failing = failing.iter().map(|row| {
        let note = row.note.as_deref().unwrap_or_default();
        format!("### {}\n\n{note}\n", row.title)
    });
    let page = PROSE.replace("{scenarios}", &table.scenarios.to_string());
    let page = page.replace("{glance}", event::glance(&table).trim_end());
    let failing = failing.collect::<Vec<_>>().join("\n");
    let page = page.replace("{failing}", failing.trim_end());
    page.replace("{table}", event::markdown(&table).trim_end())
}
