//! `exetrail run --agent`: a program of the user's beside the observers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::builder::NonEmptyStringValueParser;

use super::observers::scene;
use crate::baseline::Store;
use crate::event::{Column, Cost, Table, table_text};
use crate::fetch::fetch_packages;
use crate::files;
use crate::own;
use crate::project::Project;
use crate::root::{Added, Root};
use crate::scenario::Registered;
use crate::suite::{Brought, Suite};
use crate::view::{AGENT, AnyView as _, Record, STAGES, ViewName, reported};
use crate::vm::image::Load;
use crate::vm::tool::Tool;
use crate::wire;

/// The options that bring an agent.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "An agent of yours (docs/observer-protocol.md)")]
pub struct AgentArgs {
    /// Run this command beside the observers, judge what it reports, and show what it costs
    #[arg(
        long,
        value_name = "COMMAND",
        value_parser = NonEmptyStringValueParser::new()
    )]
    agent: Option<String>,
    /// Have a tool of vm/tools.toml be the agent; what it reports is held against what is accepted of it
    #[arg(long, value_name = "TOOL", conflicts_with = "agent")]
    tool: Option<String>,
    /// Put a file or directory into the guest; without a place of its own it is where it is here
    #[arg(long, value_name = "HOST[:GUEST]", requires = "agent")]
    add: Vec<Added>,
    /// Put Debian packages, with what they depend on, into the guest: their files, nothing is configured
    #[arg(
        long,
        value_name = "PACKAGE",
        value_delimiter = ',',
        requires = "agent"
    )]
    packages: Vec<String>,
    /// Hold what it reports against the snapshots in this directory; --pending writes there
    #[arg(long, value_name = "DIR", requires = "agent")]
    snapshots: Option<PathBuf>,
}

impl AgentArgs {
    /// Whether there is an agent.
    pub fn is_there(&self) -> bool {
        self.agent.is_some() || self.tool.is_some()
    }

    /// Adds what an agent is armed and judged with to what is observed.
    pub fn observe(&self, observe: &mut Vec<ViewName>) {
        for name in [STAGES, AGENT] {
            if self.is_there() && !observe.contains(&name) {
                observe.push(name);
            }
        }
    }

    /// Where its snapshots are.
    pub fn snapshots(&self, project: &Project) -> Option<PathBuf> {
        match &self.tool {
            Some(tool) => project.reports(tool),
            None => self.snapshots.clone(),
        }
    }

    /// Refuses what cannot be, before anything is prepared, and has the view apply.
    ///
    /// # Errors
    ///
    /// An agent that would be beside none of the scenarios.
    pub fn check(&self, scenarios: &[&Registered]) -> Result<()> {
        if !self.is_there() {
            return Ok(());
        }
        if own::chosen().is_some() {
            bail!("--agent goes with our own scenarios: leave out --suite");
        }
        reported::Agent::bring();
        let view = reported::Reported::<reported::Agent>::new();
        if !scenarios.iter().any(|scenario| view.applies(scenario)) {
            bail!("--agent is beside {}: none of these is one", view.whom());
        }
        Ok(())
    }

    /// The agent with what guests carry for it; none where none was named.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or a package not be fetched.
    pub fn make(&self, project: &Project, suite: &Suite) -> Result<Option<Brought>> {
        let tools = self.tool.as_ref().map(|_| project.tools()).transpose()?;
        let asked = tools.as_ref().zip(self.tool.as_deref());
        let tool = asked.map(|(tools, name)| tools.find(name)).transpose()?;
        let (command, packages) = match (tool, &self.agent) {
            (Some(tool), _) => (tool.agent(), tool.all_packages()),
            (None, Some(command)) => (command.clone(), self.packages.clone()),
            (None, None) => return Ok(None),
        };
        let mut root = Root::of_fixture(suite.fixture())?;
        if !packages.is_empty() {
            let files = fetch_packages(&project.cache, &project.fixture.suites, &packages)?;
            root.packages(&files)?;
            if let Some(note) = tool.and_then(|tool| another_version(tool, &files)) {
                eprintln!("note: {note}");
            }
        }
        let mut path = Vec::new();
        for added in &self.add {
            root.add(added)?;
            let guest = Path::new(&added.guest);
            let place = match added.host.is_dir() {
                true => Some(guest),
                false => guest.parent(),
            };
            path.extend(place.map(|place| place.to_string_lossy().into_owned()));
        }
        Ok(Some(Brought {
            agent: wire::AgentCommand { command, path },
            load: Load::own(root.build(&project.cache)?.archive),
            store: self.snapshots(project).map(Store::Directory),
        }))
    }
}

/// Says that a tool is not the one whose reports were accepted.
fn another_version(tool: &Tool, files: &[PathBuf]) -> Option<String> {
    let names: Vec<_> = files.iter().map(|file| files::name(file)).collect();
    let version = tool.version_among(names.iter().map(String::as_str));
    let version = version.unwrap_or_else(|| "unknown".to_owned());
    let accepted = &tool.version;
    (version != *accepted).then(|| {
        format!(
            "the version of {} is {version}; what is accepted of it was said by {accepted}",
            tool.name
        )
    })
}

/// What the reports of an agent are worth, kernel by kernel, and what it costs.
pub fn judgement(records: &[Record]) -> String {
    let mut columns: Vec<Column> = Vec::new();
    let mut costs: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for record in records {
        let kernel = record.kernel.label();
        let bodies = record.seen.iter().filter_map(|seen| {
            let body = seen.body.clone()?;
            Some((seen.view.as_str(), body))
        });
        let bodies: BTreeMap<_, _> = bodies.collect();
        let report = bodies.get(AGENT.as_str());
        let report = report.and_then(|body| AGENT.view()?.report(body));
        let Some(report) = report else { continue };
        if !order.contains(&kernel) {
            order.push(kernel);
            columns.push(Column {
                kernel: kernel.to_owned(),
                scenes: Vec::new(),
            });
        }
        costs.entry(kernel).or_default().extend(report.cost);
        let mut own = columns.iter_mut();
        if let Some(column) = own.find(|column| column.kernel == kernel) {
            column.scenes.extend(scene(&record.scenario, &bodies));
        }
    }
    if columns.is_empty() {
        return String::new();
    }
    let table = Table::new(&columns, &[AGENT.to_string()]);
    let mut text = format!("\n{}", table_text(&table));
    for kernel in order {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {kernel}: {}", cost(&costs[kernel]));
    }
    text
}

/// What it costs on one kernel, in words.
fn cost(all: &[Cost]) -> String {
    let Some(first) = all.first() else {
        return "what it costs is not known".to_owned();
    };
    let millis = |us: u64| us as f64 / 1000.0;
    let ratio = first.beside_us as f64 / first.alone_us.max(1) as f64;
    let opens: u64 = all.iter().map(|one| one.opens).sum();
    let late = all.iter().filter(|one| one.late).count();
    let mut text = format!(
        "a small program takes {ratio:.2} times as long beside it ({:.1} ms, alone {:.1} ms)",
        millis(first.beside_us),
        millis(first.alone_us)
    );
    if opens > 0 {
        let _ = write!(
            text,
            "; while a program started it opened {opens} watched files itself"
        );
    }
    if late > 0 {
        let _ = write!(
            text,
            "; of {late} scenarios it may have told too late: it does not tell of every exec in the \
             machine, by which the end would be known"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footprint(opens: u64, late: bool) -> Cost {
        Cost {
            alone_us: 2000,
            beside_us: 3000,
            opens,
            late,
        }
    }

    #[test]
    fn the_cost_is_a_ratio() {
        let text = cost(&[footprint(0, false)]);
        assert_eq!(
            text,
            "a small program takes 1.50 times as long beside it (3.0 ms, alone 2.0 ms)"
        );
    }

    #[test]
    fn what_disturbs_is_summed_up_over_the_scenarios() {
        let text = cost(&[footprint(2, false), footprint(3, true)]);
        assert!(text.contains("opened 5 watched files"), "{text}");
        assert!(text.contains("of 1 scenarios"), "{text}");
    }
}
