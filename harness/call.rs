//! The command, called as its user calls it, and what a trial needs that may not be there: without it the trial is not
//! run and says why, and where everything is required it fails.

#![expect(dead_code, reason = "no test needs all of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use anyhow::{Context as _, Result};
use exetrail::project::{Project, cache_directory, required};
use exetrail::suite::{ReadyKernel, Wanted};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// This checkout.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The command in this cache, with nothing of the environment that would change its mind. Who names an accelerator means
/// the tests as well.
pub fn exetrail(arguments: &[&str], directory: &Path, cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exetrail"));
    command
        .args(arguments)
        .current_dir(directory)
        .env("EXETRAIL_CACHE", cache);
    for name in ["EXETRAIL_OBSERVE", "EXETRAIL_REQUIRE"] {
        command.env_remove(name);
    }
    command
}

/// The same in the user's own cache, where the kernels are.
pub fn booting(arguments: &[&str], directory: &Path) -> Command {
    exetrail(arguments, directory, &cache_directory().unwrap())
}

/// What a command wrote, on both streams.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Holds that a command ends with status 2 and says this on standard error.
pub fn fails(mut command: Command, wanted: &[&str]) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stderr);
    for part in wanted {
        assert!(text.contains(part), "\"{part}\" is not in: {text}");
    }
    assert_eq!(status.code(), Some(2), "{text}");
}

/// A checkout with the tables of this one, changed.
pub fn checkout(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("vm")).unwrap();
    let tables = [
        "kernels.toml",
        "kernels.lock",
        "fixture.toml",
        "fixture.lock",
    ];
    for file in ["Cargo.toml".to_owned()]
        .into_iter()
        .chain(tables.map(|name| format!("vm/{name}")))
    {
        fs::copy(Path::new(ROOT).join(&file), dir.path().join(&file)).unwrap();
    }
    change(dir.path());
    dir
}

/// This checkout's tables, and the user's cache.
pub fn project() -> Result<Project> {
    Project::open_at(Some(ROOT.into()), cache_directory()?)
}

/// The newest kernel of the table that is fetched.
pub fn newest(project: &Project) -> Result<Option<ReadyKernel>> {
    for entry in project.table.kernels.iter().rev() {
        if let Wanted::Ready(ready) = Wanted::of_table(project, &entry.id)? {
            return Ok(Some(ready));
        }
    }
    Ok(None)
}

/// What is said where there is none.
pub const NO_KERNEL: &str = "no kernel is fetched, run vm/setup";

/// What a trial needs.
#[derive(Clone, Copy)]
pub enum Need {
    Nothing,
    /// These kernels of the table.
    Kernels(&'static [&'static str]),
    /// That an ordinary user may be root in a namespace of his own, as Ubuntu 24.04 does not let him.
    Namespaces,
}

impl Need {
    /// Why it is not met; none where it is.
    pub fn lack(self) -> Result<Option<String>> {
        match self {
            Need::Nothing => Ok(None),
            Need::Kernels(ids) => not_fetched(ids),
            Need::Namespaces => no_namespaces(),
        }
    }
}

fn not_fetched(ids: &[&str]) -> Result<Option<String>> {
    let project = project()?;
    for id in ids {
        if let Wanted::NotFetched(id) = Wanted::find(&project, id, None)? {
            let fetches = project.fetches(&id);
            return Ok(Some(format!("kernel {id} is not fetched, run {fetches}")));
        }
    }
    Ok(None)
}

fn no_namespaces() -> Result<Option<String>> {
    let mut probe = Command::new("unshare");
    let probe = probe.args(["--map-root-user", "--mount", "true"]).output();
    let Output { status, stderr, .. } = probe.context("failed to start unshare")?;
    let said = String::from_utf8_lossy(&stderr);
    Ok((!status.success()).then(|| format!("no user namespace is to be had: {}", said.trim())))
}

/// What becomes of a trial whose needs are not met.
#[derive(Clone, Copy)]
pub enum Gate {
    /// It is ignored, with the reason.
    Open,
    /// It fails: everything has to be run.
    Shut,
}

impl Gate {
    /// As `EXETRAIL_REQUIRE` says.
    pub fn of_environment() -> Result<Gate> {
        Ok(match required()? {
            true => Gate::Shut,
            false => Gate::Open,
        })
    }

    /// Tells of a trial that is not run, for this reason.
    pub fn not_run(self, reason: impl Display) -> Result<Completion, Failed> {
        match self {
            Gate::Open => Ok(Completion::ignored_with(reason.to_string())),
            Gate::Shut => Err(format!("not run: {reason}").into()),
        }
    }

    /// Runs a trial where nothing is lacking.
    pub fn run(
        self,
        lack: Option<&str>,
        trial: impl FnOnce() -> Result<(), Failed>,
    ) -> Result<Completion, Failed> {
        match lack {
            Some(reason) => self.not_run(reason),
            None => trial().map(|()| Completion::Completed),
        }
    }
}

/// Tests that have a need in common; each fails by panicking.
pub type Tests<'a> = (Need, &'a [(&'static str, fn())]);

/// The main function of tests that have needs.
pub fn run(all: &[Tests<'_>]) -> ExitCode {
    let args = Arguments::from_args();
    match trials(all) {
        Ok(trials) => libtest_mimic::run(&args, trials).exit_code(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn trials(all: &[Tests<'_>]) -> Result<Vec<Trial>> {
    let gate = Gate::of_environment()?;
    let mut trials = Vec::new();
    for (need, tests) in all {
        let lack = need.lack()?;
        for &(name, test) in *tests {
            let lack = lack.clone();
            let run = move || {
                gate.run(lack.as_deref(), || {
                    test();
                    Ok(())
                })
            };
            trials.push(Trial::ignorable_test(name, run));
        }
    }
    Ok(trials)
}
