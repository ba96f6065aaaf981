//! `exetrail run --agent`: a program of the user's beside the observers.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::builder::NonEmptyStringValueParser;

use super::agent_worth::{Errors, worth};
use crate::baseline::Store;
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
#[derive(Debug, clap::Args)]
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
        requires = "agent",
        conflicts_with = "tool"
    )]
    packages: Vec<String>,
    /// Hold what it reports against the snapshots in this directory; --pending writes there
    #[arg(long, value_name = "DIR", requires = "agent", conflicts_with = "tool")]
    snapshots: Option<PathBuf>,
    /// Show what the agent writes to standard error as well: the last lines, where its report is judged
    #[arg(short, long)]
    verbose: bool,
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

    /// Where `--pending` writes what it reports; none where there is no agent, whose own the snapshots are then.
    ///
    /// # Errors
    ///
    /// Nobody said where.
    pub fn place(&self, project: &Project) -> Result<Option<PathBuf>> {
        match self.snapshots(project) {
            None if self.tool.is_some() => {
                bail!("what is accepted of a tool is in a checkout: call it inside of one")
            }
            None if self.agent.is_some() => bail!(
                "beside an agent --pending writes what that reports, and nothing else: say where with --snapshots DIR"
            ),
            place => Ok(place),
        }
    }

    /// Refuses a directory of snapshots that is not there: everything would be new.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn has_snapshots(&self) -> Result<()> {
        match self.snapshots.as_ref().filter(|path| !path.exists()) {
            None => Ok(()),
            Some(path) => bail!(
                "--snapshots {}: there is no such directory; with --pending it is made",
                path.display()
            ),
        }
    }

    /// Checks the options before anything is prepared, and makes the view `agent` apply.
    ///
    /// # Errors
    ///
    /// An agent that would be beside none of the scenarios; a view of an agent without one; a command that is empty;
    /// snapshots in what is no directory.
    pub fn check(&self, scenarios: &[&Registered], views: &[ViewName]) -> Result<()> {
        if !self.is_there() {
            if views.contains(&AGENT) {
                bail!(
                    "the view {AGENT} is of a program that you bring: say which by --agent COMMAND, or by --tool \
                     NAME for one of vm/tools.toml"
                );
            }
            if self.verbose {
                bail!("--verbose shows what an agent writes: it goes with --agent or --tool");
            }
            return Ok(());
        }
        if self
            .agent
            .as_ref()
            .is_some_and(|command| command.trim().is_empty())
        {
            bail!("--agent has no command: give the one that starts your program in the guest");
        }
        if let Some(other) = self
            .snapshots
            .as_ref()
            .filter(|path| path.exists() && !path.is_dir())
        {
            bail!("--snapshots {}: this is no directory", other.display());
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
                tell!("note: {note}");
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
        let built = root.build(&project.cache)?;
        built.warn();
        Ok(Some(Brought {
            agent: wire::AgentCommand {
                command,
                path,
                ready_s: tool
                    .and_then(|tool| tool.ready)
                    .unwrap_or(wire::AgentCommand::READY_S),
            },
            load: Load::own(built.archive),
            store: self.snapshots(project).map(Store::Directory),
        }))
    }

    /// What its reports are worth, what it costs, and what it disturbs of these views.
    pub fn judgement(&self, records: &[Record], shown: &[ViewName]) -> String {
        let errors = match self.verbose {
            true => Errors::Told,
            false => Errors::Left,
        };
        worth(records, shown, errors)
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
