//! What a trial is about: a kernel of the table, or the running one.

use anyhow::{Context as _, Result, bail};
use exetrail::native;
use exetrail::project::Project;
use exetrail::suite::{ReadyKernel, Wanted};
use exetrail::trail::KernelId;

/// A kernel under test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// In a virtual machine.
    Table(KernelId),
    /// The running kernel, when somebody asked for it or its series is in the table.
    Native,
}

/// What there is to run, or why not.
pub enum Readiness {
    Ready(Box<ReadyKernel>),
    /// Not run for this reason, which is a failure where everything is required.
    Missing(String),
    /// Not run for this reason, and nobody asked for it.
    Ignored(String),
}

/// The kernels on which those are judged that have a pass of their own: each starts every scenario once more.
const INTRUDED: [&str; 3] = ["5.10", "6.12", "7.3"];

impl Subject {
    /// The kernels of [`INTRUDED`].
    pub fn intruded() -> Vec<KernelId> {
        let ids = INTRUDED.iter().filter_map(|id| id.parse().ok());
        ids.collect()
    }

    /// Whether those are judged here that have a pass of their own.
    pub fn is_intruded(&self) -> bool {
        INTRUDED.contains(&self.name().as_str())
    }

    /// The subjects of `EXETRAIL_KERNELS`; all of the table and the running kernel when it is unset.
    pub fn chosen(project: &Project) -> Result<Vec<Subject>> {
        let asked = std::env::var("EXETRAIL_KERNELS").unwrap_or_default();
        let words: Vec<_> = asked
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        let kernels = project
            .table
            .kernels
            .iter()
            .map(|entry| Subject::Table(entry.id.clone()));
        if words.is_empty() {
            return Ok(kernels.chain([Subject::Native]).collect());
        }
        let find = |word: &&str| {
            let known = kernels.clone().chain([Subject::Native]);
            known
                .into_iter()
                .find(|subject| subject.name() == **word)
                .with_context(|| {
                    let ids = project.table.ids();
                    format!("EXETRAIL_KERNELS: there is no kernel \"{word}\": {ids} or native")
                })
        };
        words.iter().map(find).collect()
    }

    /// What its trials begin with.
    pub fn name(&self) -> String {
        match self {
            Subject::Table(id) => id.to_string(),
            Subject::Native => "native".to_owned(),
        }
    }

    /// Finds out whether it can be run.
    pub fn readiness(&self, project: &Project) -> Result<Readiness> {
        let id = match self {
            Subject::Native => return native(project),
            Subject::Table(id) => id,
        };
        match Wanted::of_table(project, id)? {
            Wanted::Ready(target) => Ok(Readiness::Ready(Box::new(target))),
            Wanted::NotFetched(id) => Ok(Readiness::Missing(format!(
                "kernel {id} is not fetched, vm/setup {id} fetches it"
            ))),
        }
    }
}

fn native(project: &Project) -> Result<Readiness> {
    let target = ReadyKernel::running()?;
    let asked = std::env::var("EXETRAIL_KERNELS").is_ok_and(|asked| !asked.trim().is_empty());
    if asked {
        native::check()?;
    } else if project.table.find(&target.id).is_none() {
        let id = &target.id;
        return Ok(Readiness::Ignored(format!(
            "the running kernel's series {id} is not in the table"
        )));
    } else if let Err(error) = native::check() {
        return Ok(Readiness::Ignored(format!("{error:#}")));
    }
    if project.fixture().is_err() {
        bail!("the fixture is not fetched: run vm/setup");
    }
    Ok(Readiness::Ready(Box::new(target)))
}
