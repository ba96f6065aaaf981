//! From the words of `-k` to kernels, alike for every command: those of the table, images, and the running one.

use std::path::Path;

use anyhow::{Result, bail};

use crate::own;
use crate::project::{Project, required, speaks_of, unnamed};
use crate::suite::{NATIVE, ReadyKernel, Wanted};
use crate::trail::{KernelId, LabKind};
use crate::vm::machine;

/// The words for single kernels: `all` is each of the table, and one that is named twice is meant once.
pub fn words(project: &Project, named: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in named {
        let meant = match word.as_str() {
            "all" => ids(project),
            word => vec![word.to_owned()],
        };
        for word in meant {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words
}

/// The kernels of the table.
fn ids(project: &Project) -> Vec<String> {
    let entries = project.table.kernels.iter();
    entries.map(|entry| entry.id.to_string()).collect()
}

/// The kernel of the table that a word means.
pub fn of_table(project: &Project, word: &str) -> Option<KernelId> {
    let id = word.parse().ok();
    id.filter(|id| project.table.find(id).is_some())
}

/// The kernels that can be booted, and the ids of those that are not fetched.
pub fn find(
    project: &Project,
    kernels: &[String],
    modules: Option<&Path>,
) -> Result<(Vec<ReadyKernel>, Vec<String>)> {
    Wanted::check_modules(project, kernels.iter().map(String::as_str), modules)?;
    let mut targets = Vec::new();
    let mut missing = Vec::new();
    for word in words(project, kernels) {
        match Wanted::find(project, &word, modules)? {
            Wanted::Ready(target) => targets.push(target),
            Wanted::NotFetched(id) => missing.push(id.to_string()),
        }
    }
    Ok((targets, missing))
}

/// One kernel, without which the command has nothing to do.
///
/// # Errors
///
/// There is none of this name, or it is not fetched.
pub fn ready(project: &Project, word: &str, modules: Option<&Path>) -> Result<ReadyKernel> {
    match Wanted::find(project, word, modules)? {
        Wanted::Ready(target) => Ok(target),
        Wanted::NotFetched(id) => bail!(
            "kernel {id} is not fetched: {} fetches it",
            project.fetches(&id)
        ),
    }
}

/// One kernel that is booted, as the running one is not.
///
/// # Errors
///
/// As of [`ready`]; or it is the running one.
pub fn booted(project: &Project, word: &str, modules: Option<&Path>) -> Result<ReadyKernel> {
    if word == NATIVE {
        bail!("the running kernel is booted already: run the command here");
    }
    // What is said of other commands names the running kernel, which is none of those that are taken here.
    let is_name = !word.contains(['/', ',']) && !Path::new(word).exists();
    if is_name && of_table(project, word).is_none() {
        bail!(
            "there is no kernel \"{word}\": the table has {}; or give the path of a bzImage, a vmlinux, a kernel \
             build tree or a Debian package",
            project.table.ids()
        );
    }
    ready(project, word, modules)
}

/// Refuses two kernels of which what is kept would have the same name.
///
/// # Errors
///
/// Two are of one series.
pub fn one_of_a_series(targets: &[ReadyKernel]) -> Result<()> {
    for (index, target) in targets.iter().enumerate() {
        if let Some(other) = targets[..index]
            .iter()
            .find(|other| other.label() == target.label())
        {
            bail!(
                "{} and {} are both of the series {}, by which results are named: \
                 take them one after the other, and for records a directory each",
                other.release,
                target.release,
                target.label()
            );
        }
    }
    Ok(())
}

/// Refuses parameters that no kernel takes, or that one of these cannot be given.
///
/// # Errors
///
/// `given` is no list of kernel parameters, or a target is the running kernel.
pub fn check_parameters(targets: &[ReadyKernel], given: &str) -> Result<()> {
    machine::check_parameters(given)?;
    if !given.is_empty() && targets.iter().any(|target| target.lab() == LabKind::Native) {
        bail!("the running kernel has its parameters: --append goes with kernels that are booted");
    }
    Ok(())
}

/// Says which kernels are not fetched and not run; whether the command fails for that.
///
/// # Errors
///
/// As of [`required`].
pub fn tell_missing(project: &Project, missing: &[String]) -> Result<bool> {
    let required = required()?;
    let word = if required { "error" } else { "warning" };
    for id in missing {
        let fetches = project.fetches(id);
        tell!("{word}: kernel {id} is not fetched and was not run: {fetches} fetches it");
    }
    Ok(required && !missing.is_empty())
}

/// Refuses a kernel of the table of which the snapshots of a user's suite say nothing.
///
/// # Errors
///
/// The suite names others.
pub fn check_spoken_of(id: &KernelId) -> Result<()> {
    match speaks_of(id) {
        true => Ok(()),
        false => bail!(
            "{} does not name the kernel {id}, so that its snapshots say nothing of it: --live boots it",
            own::FILE
        ),
    }
}

/// Says what somebody should know who is told what snapshots say.
pub fn tell_unnamed() {
    if let Some(note) = unnamed() {
        tell!("note: {note}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    fn project() -> Project {
        Project::open_at(None, PathBuf::new()).unwrap()
    }

    #[test]
    fn all_and_a_kernel_by_its_name_is_each_kernel_once() {
        let project = project();
        let of = |named: &[&str]| {
            words(
                &project,
                &named.iter().map(|&word| word.into()).collect::<Vec<_>>(),
            )
        };
        let all = of(&["all"]);
        assert_eq!(all.len(), project.table.kernels.len());
        assert_eq!(of(&["all", "6.12"]), all);
        assert_eq!(of(&["6.12", "6.12", "./bzImage"]), ["6.12", "./bzImage"]);
        let turned = of(&["6.12", "all"]);
        assert_eq!((turned[0].as_str(), turned.len()), ("6.12", all.len()));
    }

    #[test]
    fn what_boots_a_kernel_does_not_advise_the_running_one() {
        let error = |word| booted(&project(), word, None).unwrap_err().to_string();
        let unknown = error("4.19");
        assert!(unknown.contains("path of a bzImage"), "{unknown}");
        assert!(!unknown.contains("native"), "{unknown}");
        assert!(error("native").contains("is booted already"));
        assert!(error("6.12,6.1").contains("names several"));
    }

    #[test]
    fn of_two_kernels_of_one_series_the_results_would_have_one_name() {
        let of = |id: &str| ReadyKernel {
            id: id.parse().unwrap(),
            release: format!("{id}.1"),
            upstream: String::new(),
            kernel: Some(machine::Kernel::File("/vmlinux".into())),
            modules: BTreeMap::new(),
            config: None,
            packages: Vec::new(),
            note: None,
        };
        assert!(one_of_a_series(&[of("6.12"), of("6.1")]).is_ok());
        let error = one_of_a_series(&[of("6.12"), of("6.1"), of("6.12")]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("both of the series 6.12"), "{error}");
    }
}
