//! A suite of the user's own: a directory with `exetrail.toml` and case files, chosen once a process by
//! `--suite`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::below::Below;
use crate::bound;
use crate::case::{self, Case, Content, Problem};
use crate::files;
use crate::need::NAMED;
use crate::root::{Foreign, LIMIT, Root};
use crate::scenario::{Registered, Scenario, use_instead};
use crate::trail::{KernelId, is_visible, printable};
use crate::view::VIEWS;
use crate::vm::image::Load;
use crate::vm::table::Table;
use crate::wire::FILES;

/// The name of the file that makes a directory a suite.
pub const FILE: &str = "exetrail.toml";

/// `exetrail.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The kernels that it is run on where `-k` does not say: ids of the table, or paths.
    #[serde(default)]
    pub kernels: Vec<String>,
    /// The root of cases that name none: a directory, a tar archive or an OCI image layout, from here.
    #[serde(default)]
    pub root: Option<String>,
}

/// A suite that was read.
#[derive(Debug)]
pub struct Own {
    /// Its directory.
    pub directory: PathBuf,
    /// Its settings.
    pub settings: Settings,
    /// Files among the cases whose names are not those of cases.
    pub ignored: Vec<PathBuf>,
    scenarios: Vec<&'static Registered>,
}

static CHOSEN: OnceLock<Own> = OnceLock::new();

/// The suite of this process; none for our own scenarios.
pub fn chosen() -> Option<&'static Own> {
    CHOSEN.get()
}

/// Makes a directory the suite of this process: its cases stand for the scenarios from now on.
///
/// # Errors
///
/// It is no suite, or a file of it is wrong, with line and column.
pub fn choose(directory: &Path) -> Result<()> {
    let own = Own::read(directory)?;
    use_instead(own.scenarios.clone())?;
    CHOSEN
        .set(own)
        .map_err(|_| anyhow::anyhow!("a suite was chosen already"))
}

impl Own {
    fn read(directory: &Path) -> Result<Own> {
        let file = directory.join(FILE);
        if !file.exists() {
            bail!(
                "{} is no suite: it has no {FILE} (an empty one will do; docs/suites.md)",
                directory.display()
            );
        }
        let text = bound::text(&file, bound::TEXT)?;
        let settings: Settings = toml::from_str(&text)
            .map_err(|error| case::refused(&text, &file.display().to_string(), &error))?;
        let located = |problem: Problem| case::locate(&text, &file.display().to_string(), &problem);
        // All of them are meant by who does not say which, and by nobody who says none.
        if settings.kernels.is_empty() && is_written(&text, "kernels") {
            return Err(located(Problem {
                at: "kernels".to_owned(),
                what: "it names no kernel: leave the key out for all of them".to_owned(),
            }));
        }
        if let Some(root) = &settings.root {
            exists(directory, "root", root).map_err(located)?;
        }
        let mut scenarios = Vec::new();
        let cases = directory.join("cases");
        let mut ignored = Vec::new();
        for path in below(&cases, &mut Vec::new())? {
            match path.extension().is_some_and(|end| end == "toml") {
                true => scenarios.push(read(directory, &cases, &path)?),
                false => ignored.push(path),
            }
        }
        apart(&scenarios)?;
        Ok(Own {
            directory: directory.to_owned(),
            settings,
            ignored,
            scenarios,
        })
    }

    /// Looks whether there are the kernels that its settings name.
    ///
    /// # Errors
    ///
    /// One is neither of this table nor the path of a file, with line and column.
    pub fn check_kernels(&self, table: &Table) -> Result<()> {
        let is_there = |word: &str| match word.parse::<KernelId>() {
            Ok(id) => table.find(&id).is_some(),
            Err(_) if word.is_empty() => false,
            Err(_) => ["all", "native"].contains(&word) || self.directory.join(word).exists(),
        };
        let kernels = self.settings.kernels.iter().enumerate();
        let Some((place, word)) = kernels.into_iter().find(|(_, word)| !is_there(word)) else {
            return Ok(());
        };
        let file = self.directory.join(FILE);
        let text = bound::text(&file, bound::TEXT)?;
        let problem = Problem {
            at: format!("kernels.{place}"),
            what: format!(
                "there is no kernel {word:?}: the table has {}; or name the path of an image, from here",
                table.ids()
            ),
        };
        Err(case::locate(&text, &file.display().to_string(), &problem))
    }

    /// What the guests of its cases carry, by their names, or why one cannot be run: others can.
    pub fn loads(&self, cache: &Path) -> BTreeMap<String, Result<Load, String>> {
        let mut loads = BTreeMap::new();
        let mut told = BTreeSet::new();
        for registered in &self.scenarios {
            let Some(case) = registered.case else {
                continue;
            };
            let load = self.load(case, cache, &mut told);
            let load = load.map_err(|error| format!("its guest cannot be made: {error:#}"));
            loads.insert(registered.name.to_owned(), load);
        }
        loads
    }

    /// What a case's guest carries; `told` are the roots that something was said of.
    fn load(&self, case: &Case, cache: &Path, told: &mut BTreeSet<String>) -> Result<Load> {
        let root = case.root.as_ref().or(self.settings.root.as_ref());
        let mut load = match root.filter(|_| case.parts.is_empty()) {
            Some(root) => {
                let foreign = match case.formats.is_empty() {
                    true => Foreign::Refused,
                    false => Foreign::Taken,
                };
                let built = Root::of_image(&self.directory.join(root), foreign)?.build(cache)?;
                if told.insert(root.clone()) {
                    built.warn();
                }
                Load::own(built.archive)
            }
            None => Load::with(case.parts.iter().map(String::as_str)),
        };
        load.over.extend(files_of(case, &self.directory)?);
        Ok(load)
    }
}

/// An archive of the files of the suite that a case copies; none without any.
fn files_of(case: &Case, directory: &Path) -> Result<Option<std::sync::Arc<[u8]>>> {
    let names = case.files.iter().filter_map(|made| match made.content() {
        Some(Content::Host(name)) => Some(name),
        _ => None,
    });
    let mut tree = crate::vm::tree::Tree::default();
    let mut any = false;
    for name in names {
        any = true;
        let path = directory.join(name);
        let bytes = bound::file(&path, LIMIT)?;
        let place = format!("{}/{name}", FILES.trim_start_matches('/'));
        let entry = crate::vm::tree::Entry::File {
            mode: 0o644,
            bytes: bytes.into(),
        };
        tree.put(&place, entry, crate::vm::tree::Owner::default())?;
    }
    if !any {
        return Ok(None);
    }
    let mut archive = Vec::new();
    tree.write_cpio(&mut archive)?;
    Ok(Some(archive.into()))
}

fn read(directory: &Path, cases: &Path, path: &Path) -> Result<&'static Registered> {
    let text = bound::text(path, bound::TEXT)?;
    let file = path.display().to_string();
    let known: Vec<_> = NAMED.iter().map(|(name, _)| *name).collect();
    let case = case::read(&text, &file, &known)?;
    if let Some(problem) = missing(directory, &case) {
        return Err(case::locate(&text, &file, &problem));
    }
    let name = path.strip_prefix(cases)?.with_extension("");
    let name = name
        .to_str()
        .with_context(|| format!("{path:?} is no UTF-8"))?;
    check_name(name).with_context(|| {
        format!(
            "{} cannot be the name of a scenario",
            printable(file.as_bytes())
        )
    })?;
    register(name, case)
}

/// Refuses what is no name of a case: what would not come back from a guest as it is, markup, or a pattern.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<()> {
    Below::parse(name)?;
    let hidden = |character: &char| !is_visible(*character) || "\\`<>*".contains(*character);
    if let Some(character) = name.chars().find(hidden) {
        bail!(
            "{:?} has the character {}",
            name,
            character.escape_unicode()
        );
    }
    // What comes behind it: a comment, a view, another scenario.
    for mark in [" # ", "::", "|"] {
        if name.contains(mark) {
            bail!("{name:?} has {mark:?} in it, which stands between names");
        }
    }
    Ok(())
}

/// Refuses a case that stands where another one has the snapshots of a view.
fn apart(scenarios: &[&Registered]) -> Result<()> {
    for one in scenarios {
        for view in VIEWS {
            let place = format!("{}/{}", one.name, view.name());
            let within = |name: &str| {
                let rest = name.strip_prefix(&place);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if let Some(other) = scenarios.iter().find(|other| within(other.name)) {
                bail!(
                    "the case {} stands where the case {} has its snapshots of the view {}: give it another name",
                    other.name,
                    one.name,
                    view.name()
                );
            }
        }
    }
    Ok(())
}

/// A file of the suite that a case names and that is not there.
fn missing(directory: &Path, case: &Case) -> Option<Problem> {
    if let Some(root) = &case.root
        && let Err(problem) = exists(directory, "root", root)
    {
        return Some(problem);
    }
    case.files.iter().enumerate().find_map(|(place, made)| {
        let name = made.host.as_ref()?;
        let at = format!("file.{place}.host");
        if let Err(error) = Below::parse(name) {
            return Some(Problem {
                at,
                what: error.to_string(),
            });
        }
        exists(directory, &at, name).err()
    })
}

/// Whether a table of TOML says something at a key, be it nothing.
fn is_written(text: &str, key: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok_and(|table| table.contains_key(key))
}

fn exists(directory: &Path, at: &str, name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(Problem {
            at: at.to_owned(),
            what: "it names nothing".to_owned(),
        });
    }
    let path = directory.join(name);
    match path.exists() {
        true => Ok(()),
        false => Err(Problem {
            at: at.to_owned(),
            what: format!("there is no {}", path.display()),
        }),
    }
}

/// A case as a scenario, for as long as the process lives.
///
/// # Errors
///
/// A need that nobody knows.
pub fn register(name: &str, case: Case) -> Result<&'static Registered> {
    let needs = case.needs.iter().map(|name| {
        let found = NAMED.iter().find(|(known, _)| known == name);
        found
            .map(|(_, need)| *need)
            .with_context(|| format!("there is no need {name}"))
    });
    let needs = needs.collect::<Result<Vec<_>>>()?;
    let case: &'static Case = Box::leak(Box::new(case));
    let parts: Vec<&'static str> = case.parts.iter().map(String::as_str).collect();
    let scenario = Scenario {
        summary: &case.summary,
        needs: Vec::leak(needs),
        parts: Vec::leak(parts),
        deadline: Duration::from_secs(case.deadline.unwrap_or(20)),
        ..Scenario::DEFAULT
    };
    Ok(Box::leak(Box::new(Registered {
        name: String::leak(name.to_owned()),
        docs: &case.docs,
        scenario: Box::leak(Box::new(scenario)),
        case: Some(case),
    })))
}

/// The files below a directory, without hidden ones; `above` are the directories that lead there.
fn below(directory: &Path, above: &mut Vec<(u64, u64)>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let meta = match directory.metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to list {}", directory.display()));
        }
    };
    let id = (meta.dev(), meta.ino());
    if above.contains(&id) {
        bail!(
            "{} leads back to where it is: it is a loop of symlinks",
            directory.display()
        );
    }
    above.push(id);
    for path in files::list(directory)? {
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match path.is_dir() {
            true => found.extend(below(&path, above)?),
            false => found.push(path),
        }
    }
    above.pop();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A suite of these files.
    fn suite(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn error(files: &[(&str, &str)]) -> String {
        let dir = suite(files);
        format!("{:#}", Own::read(dir.path()).unwrap_err())
    }

    const CASE: &str = "summary = \"x\"\n[exec]\npath = \"/a\"\n";

    #[test]
    fn the_schema_is_written_down() {
        crate::schema::holds("suite", &schemars::schema_for!(Settings));
    }

    #[test]
    fn a_kernel_that_there_is_none_of_is_named_with_line_and_column() {
        let text = error(&[(FILE, "# none\nkernels = []\n")]);
        let told = "exetrail.toml:2:11: kernels: it names no kernel: leave the key out";
        assert!(text.contains(told), "{text}");
        let table = include_str!("../vm/kernels.toml");
        let table = Table::parse(table, "vm/kernels.toml").unwrap();
        let of = |kernels: &str| {
            let dir = suite(&[(FILE, &format!("kernels = [{kernels}]\n")), ("bzImage", "")]);
            let checked = Own::read(dir.path()).unwrap().check_kernels(&table);
            checked.map_err(|error| error.to_string())
        };
        of(r#""6.12", "all", "native", "bzImage", "./bzImage""#).unwrap();
        let text = of(r#""6.12", "9.9""#).unwrap_err();
        let told = "exetrail.toml:1:20: kernels.1: there is no kernel \"9.9\": the table has 5.10";
        assert!(text.contains(told), "{text}");
        assert!(
            of(r#""bzimage""#)
                .unwrap_err()
                .contains("kernels.0: there is no kernel")
        );
    }

    #[test]
    fn a_case_has_the_name_of_its_file() {
        let dir = suite(&[(FILE, ""), ("cases/a/b.toml", CASE)]);
        let own = Own::read(dir.path()).unwrap();
        let names: Vec<_> = own.scenarios.iter().map(|one| one.name).collect();
        assert_eq!(names, ["a/b"]);
        assert_eq!(own.scenarios[0].scenario.summary, "x");
    }

    #[test]
    fn a_name_that_would_not_come_back_or_is_markup_is_refused() {
        for name in [
            "a\u{200d}b",
            "a\\b",
            "a`b",
            "a<b>",
            "a*",
            "a # SKIP",
            "a::stages",
            "a|b",
        ] {
            let text = error(&[(FILE, ""), (&format!("cases/x/{name}.toml"), CASE)]);
            assert!(text.contains("cannot be the name of a scenario"), "{text}");
        }
        let dir = suite(&[(FILE, ""), ("cases/caf\u{e9} #1.toml", CASE)]);
        Own::read(dir.path()).unwrap();
    }

    #[test]
    fn a_case_where_another_one_has_snapshots_is_refused() {
        for name in ["cases/a/stages.toml", "cases/a/trail/b.toml"] {
            let text = error(&[(FILE, ""), ("cases/a.toml", CASE), (name, CASE)]);
            assert!(
                text.contains("where the case a has its snapshots"),
                "{text}"
            );
        }
        let dir = suite(&[(FILE, ""), ("cases/a.toml", CASE), ("cases/a/b.toml", CASE)]);
        Own::read(dir.path()).unwrap();
    }

    #[test]
    fn a_hidden_directory_is_not_read_and_one_that_cannot_be_is_an_error() {
        let dir = suite(&[
            (FILE, ""),
            ("cases/.git/x.toml", "?"),
            ("cases/a.toml", CASE),
        ]);
        assert_eq!(Own::read(dir.path()).unwrap().scenarios.len(), 1);
        let dir = suite(&[(FILE, "")]);
        std::os::unix::fs::symlink("cases", dir.path().join("cases")).unwrap();
        let text = format!("{:#}", Own::read(dir.path()).unwrap_err());
        assert!(text.contains("failed to list"), "{text}");
    }

    #[test]
    fn a_loop_of_symlinks_is_an_error_with_its_name() {
        let dir = suite(&[(FILE, ""), ("cases/a/b.toml", CASE)]);
        std::os::unix::fs::symlink("..", dir.path().join("cases/a/loop")).unwrap();
        let text = Own::read(dir.path()).unwrap_err().to_string();
        assert!(text.contains("cases/a/loop leads back"), "{text}");
    }

    #[test]
    fn a_case_whose_root_is_none_says_so_and_others_can_be_run() {
        let with_root = format!("root = \"r.tar\"\n{CASE}");
        let dir = suite(&[
            (FILE, ""),
            ("r.tar", "?"),
            ("cases/a.toml", &with_root),
            ("cases/b.toml", CASE),
        ]);
        let loads = Own::read(dir.path())
            .unwrap()
            .loads(&dir.path().join("cache"));
        let error = loads["a"].as_ref().unwrap_err();
        assert!(error.contains("r.tar as a tar archive"), "{error}");
        assert!(loads["b"].is_ok());
    }

    #[test]
    fn a_directory_elsewhere_may_be_linked_twice() {
        let other = suite(&[("b.toml", CASE)]);
        let dir = suite(&[(FILE, ""), ("cases/none.toml", CASE)]);
        for name in ["a", "c"] {
            std::os::unix::fs::symlink(other.path(), dir.path().join("cases").join(name)).unwrap();
        }
        assert_eq!(Own::read(dir.path()).unwrap().scenarios.len(), 3);
    }

    #[test]
    fn a_file_with_another_ending_is_no_case_and_is_named() {
        let files = [(FILE, ""), ("cases/a.tml", CASE), ("cases/.b.toml.swp", "")];
        let own = Own::read(suite(&files).path()).unwrap();
        assert!(own.scenarios.is_empty());
        assert_eq!(own.ignored.len(), 1);
        assert!(own.ignored[0].ends_with("cases/a.tml"));
    }

    #[test]
    fn what_is_no_suite_says_what_would_be_one() {
        assert!(error(&[]).contains("it has no exetrail.toml"));
    }

    #[test]
    fn what_is_wrong_has_a_line_and_a_column() {
        let text = error(&[(FILE, "kernel = []\n")]);
        assert!(
            text.contains("exetrail.toml:1:1: unknown key `kernel`"),
            "{text}"
        );
        let text = error(&[(FILE, "root = \"\"\n")]);
        assert!(
            text.contains("exetrail.toml:1:8: root: it names nothing"),
            "{text}"
        );
        let text = error(&[(FILE, "root = \"r\"\n")]);
        assert!(
            text.contains("exetrail.toml:1:8: root: there is no "),
            "{text}"
        );
        let case = format!("{CASE}[[file]]\npath = \"/a\"\nhost = \"agent\"\n");
        let text = error(&[(FILE, ""), ("cases/a.toml", &case)]);
        assert!(
            text.contains("a.toml:6:8: file.0.host: there is no "),
            "{text}"
        );
        let case = format!("{CASE}[[file]]\npath = \"/a\"\nhost = \"../agent\"\n");
        let text = error(&[(FILE, ""), ("cases/a.toml", &case)]);
        assert!(text.contains("has the part \"..\""), "{text}");
    }
}
