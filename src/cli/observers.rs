//! `exetrail observers`: what every other way of watching reports, and what it is worth.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use super::output::written;
use super::{targets, tools};
use crate::baseline::Store;
use crate::contract::{self, Specification};
use crate::event::{self, Column, Scene, Table, attempts, verdicts, with_arguments, with_root};
use crate::observer::OBSERVERS;
use crate::project::Project;
use crate::scenario::{Host, LIES, Registered, close, select};
use crate::trail::{KernelId, Trail};
use crate::view::stages::Stages;
use crate::view::trail::Steps;
use crate::view::{AnyView, Body, STAGES, TRAIL, VIEWS};
use crate::vm::tool::Tools;

/// Arguments of `exetrail observers`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Observers and scenarios: names as `exetrail run --view` and `exetrail list` have them
    /// [default: all]
    #[arg(value_name = "OBSERVER|SCENARIO")]
    words: Vec<String>,
    /// A kernel of the table, such as 6.12 [default: all]
    #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
    kernels: Vec<String>,
    /// Of tools of others instead (vm/tools.toml), which then are the observers that can be named
    #[arg(long)]
    tools: bool,
    /// Print how a program of your own takes part (`run --agent`): the page, its schema, or an example
    #[arg(
        long,
        value_enum,
        value_name = "PART",
        num_args = 0..=1,
        default_missing_value = "page",
        require_equals = true,
        conflicts_with_all = ["words", "kernels", "tools", "format"]
    )]
    protocol: Option<Protocol>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

/// The parts of the protocol that agents speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// docs/observer-protocol.md
    Page,
    /// The JSON schema of a line
    Schema,
    /// The example in shell
    Shell,
    /// The example in C
    C,
}

impl Protocol {
    fn text(self) -> &'static str {
        match self {
            Protocol::Page => include_str!("../../docs/observer-protocol.md"),
            Protocol::Schema => include_str!("../../docs/schema/agent.json"),
            Protocol::Shell => include_str!("../../docs/agents/exec.sh"),
            Protocol::C => include_str!("../../docs/agents/exec.c"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Markdown,
}

/// Shows the table, from the snapshots; the exit status is 0 whatever they say.
pub fn main(args: &Args) -> Result<ExitCode> {
    if let Some(part) = args.protocol {
        let mut out = std::io::stdout().lock();
        written(out.write_all(part.text().as_bytes()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let project = Project::open()?;
    let tools = args.tools.then(|| project.tools()).transpose()?;
    let is_view = |word: &&String| match &tools {
        Some(tools) => tools.find(word).is_ok(),
        None => VIEWS.iter().any(|view| view.name().as_str() == *word),
    };
    let (views, patterns): (Vec<_>, Vec<_>) = args.words.iter().partition(is_view);
    let views: Vec<String> = views.into_iter().cloned().collect();
    let patterns: Vec<String> = patterns.into_iter().cloned().collect();
    let chosen = match patterns.is_empty() {
        true => family()?,
        false => {
            for word in &patterns {
                is_meant(word, &names(tools.as_ref()))?;
            }
            select(&patterns)?
        }
    };
    let kernels = kernels(&project, &args.kernels, tools.as_ref())?;
    let table = match &tools {
        Some(tools) => tools::table(&project, tools, &kernels, &views, &chosen)?,
        None => Table::new(&columns(&project, &kernels, &chosen)?, &views),
    };
    let missing = not_built_in(&table);
    if !missing.is_empty() {
        tell!(
            "note: not built in, because there was no clang (vm/setup installs it): {}; what is \
             told of them is from the snapshots",
            missing.join(", ")
        );
    }
    let text = match args.format {
        Form::Text => event::table_text(&table),
        Form::Json => event::json(&table)?,
        Form::Markdown if args.tools => tools::page(table),
        Form::Markdown => page(&table)?,
    };
    let mut out = std::io::stdout().lock();
    write!(out, "{text}").context("failed to write the output")?;
    Ok(ExitCode::SUCCESS)
}

/// The kernels that are named, or all of which there is something to tell.
fn kernels(project: &Project, named: &[String], tools: Option<&Tools>) -> Result<Vec<KernelId>> {
    let all = ["all".to_owned()];
    let is_all = named.is_empty() || named.contains(&all[0]);
    let of_table = |word: &String| {
        let id = targets::of_table(project, word);
        id.with_context(|| not_of_table(word, &project.table.ids()))
    };
    let words = targets::words(project, if named.is_empty() { &all } else { named });
    let kernels = words.iter().map(of_table).collect::<Result<Vec<_>>>()?;
    match tools {
        Some(tools) if is_all => tools::kernels(tools, Vec::new()),
        Some(tools) => tools::kernels(tools, kernels),
        None => Ok(kernels),
    }
}

/// What is said of a kernel that has no snapshots: how to see what is reported on it.
fn not_of_table(word: &str, ids: &str) -> String {
    let path = match Path::new(word).exists() {
        true => word,
        false => "PATH-OF-ITS-IMAGE",
    };
    format!(
        "the table has no kernel {word}, it has {ids}: `exetrail run start container lies -k {path} --observe all \
         --format json` shows what the observers report on another one"
    )
}

/// The observers of these rows that this build cannot arm.
fn not_built_in(table: &Table) -> Vec<&'static str> {
    let lacks = |view: &str| {
        let mut kinds = OBSERVERS.iter().filter(|kind| kind.name == view);
        kinds.any(|kind| {
            kind.needs
                .iter()
                .any(|need| matches!(need.host, Host::Built(false)))
        })
    };
    let mut missing: Vec<_> = table.rows.iter().map(|row| row.sign.view).collect();
    missing.dedup();
    missing.retain(|view| lacks(view));
    missing
}

/// What can be named.
fn names(tools: Option<&Tools>) -> Vec<&str> {
    match tools {
        Some(tools) => {
            let tools = tools.tools.iter();
            tools.map(|tool| tool.name.as_str()).collect()
        }
        None => VIEWS.iter().map(|view| view.name().as_str()).collect(),
    }
}

/// Refuses a word that is neither, with the observers that it may mean.
fn is_meant(word: &str, names: &[&str]) -> Result<()> {
    let Err(error) = select(&[word.to_owned()]) else {
        return Ok(());
    };
    let near = close(word, names.iter().copied());
    match near.is_empty() {
        true => bail!(
            "no observer is called {word:?} (there are {}), and {error}",
            names.join(", ")
        ),
        false => bail!(
            "there is no observer {word:?}; did you mean {}?",
            near.join(" or ")
        ),
    }
}

/// `docs/observers.md`, from the snapshots of a project's kernels.
///
/// # Errors
///
/// Snapshots that cannot be read.
pub fn document(project: &Project) -> Result<String> {
    let kernels = project.table.kernels.iter().map(|entry| entry.id.clone());
    let columns = columns(project, &kernels.collect::<Vec<_>>(), &family()?)?;
    page(&Table::new(&columns, &[]))
}

/// What comes before the claims, between them and the table, and at the end.
const PROSE: &str = include_str!("observers.md");

/// What the columns say that are measured.
const MEASURED: &str = include_str!("observers-measured.md");

fn page(table: &Table) -> Result<String> {
    let specification = Specification::parse(event::SURVEY)?;
    let column = |(number, kernel): (usize, &String)| {
        let trail = Trail {
            verdicts: verdicts(table, number),
            ..Trail::default()
        };
        contract::Column {
            kernel: kernel.clone(),
            trails: BTreeMap::from([("observers".to_owned(), trail)]),
        }
    };
    let columns: Vec<_> = table.kernels.iter().enumerate().map(column).collect();
    contract::all_known(std::slice::from_ref(&specification), &columns)?;
    let claims = contract::Table::new(&specification, &columns)?;
    let page = PROSE.replace("{claims}", contract::claims(&claims, 3).trim_end());
    let page = page.replace("{scenarios}", &table.scenarios.to_string());
    let measured = if event::is_measured() { MEASURED } else { "" };
    let page = page.replace("{measured}", measured);
    let page = page.replace("{glance}", event::glance(table).trim_end());
    Ok(page.replace("{table}", event::markdown(table).trim_end()))
}

/// What the snapshots say of these kernels.
fn columns(
    project: &Project,
    kernels: &[KernelId],
    scenarios: &[&'static Registered],
) -> Result<Vec<Column>> {
    let store = project.store();
    let every = |scenario: &Registered| {
        let views = VIEWS.iter().copied();
        let views = views.filter(|view| view.applies(scenario));
        views.map(|view| (view, &store)).collect()
    };
    columns_of(project, kernels, scenarios, &every)
}

/// A view, and where its snapshots are.
type Kept<'a> = (&'static dyn AnyView, &'a Store);

/// The same of these views of each scenario, each with where its snapshots are.
pub fn columns_of<'a>(
    project: &Project,
    kernels: &[KernelId],
    scenarios: &[&'static Registered],
    views: &dyn Fn(&Registered) -> Vec<Kept<'a>>,
) -> Result<Vec<Column>> {
    let lineage = project.table.lineage();
    let empty = |id: &KernelId| Column {
        kernel: id.to_string(),
        scenes: Vec::new(),
    };
    let mut columns: Vec<Column> = kernels.iter().map(empty).collect();
    for scenario in scenarios {
        let mut files = Vec::new();
        for (view, store) in views(scenario) {
            files.push((view, store.load(scenario.name, view.name())?));
        }
        for (id, column) in kernels.iter().zip(&mut columns) {
            let mut bodies: BTreeMap<&str, Body> = BTreeMap::new();
            for (view, files) in &files {
                if let Some((owner, text)) = lineage.at(id, files) {
                    let body = view.parse(text);
                    let body = body.with_context(|| format!("the snapshot of {owner}"))?;
                    bodies.insert(view.name().as_str(), body);
                }
            }
            column.scenes.extend(scene(scenario.name, &bodies));
        }
    }
    Ok(columns)
}

/// A scenario as the table takes it; none without stages, which tell what there was to report.
pub fn scene(name: &str, bodies: &BTreeMap<&str, Body>) -> Option<Scene> {
    let story = bodies.get(STAGES.as_str())?.get::<Stages>()?;
    let trail = bodies
        .get(TRAIL.as_str())
        .and_then(|body| body.get::<Steps>());
    let told = trail.map_or(&[][..], |trail| &trail.told[..]);
    let reports = bodies.iter().filter_map(|(name, body)| {
        let view = VIEWS.iter().find(|view| view.name().as_str() == *name)?;
        Some(((*name).to_owned(), view.report(body)?))
    });
    let root = Registered::find(name).and_then(|found| found.scenario.root);
    let mut attempts = with_root(with_arguments(attempts(story), told), root);
    let lies = name.split('/').next() == Some(LIES);
    for attempt in attempts.iter_mut().filter(|_| lies) {
        // Before its first step it may have changed it.
        attempt.exe = None;
    }
    Some(Scene {
        scenario: name.to_owned(),
        lies,
        attempts,
        reports: reports.collect(),
    })
}

/// The scenarios of the table.
///
/// # Errors
///
/// None that these names have.
pub fn family() -> Result<Vec<&'static Registered>> {
    select(&["start", "container", LIES].map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Args, is_meant, not_of_table};

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn kernels_are_listed_as_in_every_other_command() {
        let command = Command::parse_from(["observers", "-k", "6.1,6.12"]);
        assert_eq!(command.args.kernels, ["6.1", "6.12"]);
    }

    #[test]
    fn a_kernel_that_is_not_of_the_table_is_run_by_its_path() {
        let of = |word: &str| not_of_table(word, "6.12");
        assert!(of("6.13").contains("-k PATH-OF-ITS-IMAGE --observe all"));
        assert!(of("/proc").contains("-k /proc --observe all"));
    }

    #[test]
    fn a_misspelt_observer_is_answered_with_the_right_one() {
        let error = is_meant("tracepoint", &["tracepoints"])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "there is no observer \"tracepoint\"; did you mean tracepoints?"
        );
    }

    #[test]
    fn a_misspelt_scenario_is_answered_with_the_right_one() {
        let error = is_meant("shebng", &["audit"]).unwrap_err().to_string();
        assert!(error.contains("start/shebang"), "{error}");
        let observers = "no observer is called \"shebng\" (there are audit), and there is no";
        assert!(error.starts_with(observers), "{error}");
        assert!(is_meant("shebang", &[]).is_ok());
    }
}
