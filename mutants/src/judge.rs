//! Runs tests with one mutant after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::mutant::Named;
use crate::table::Row;

/// The test that holds the model against the kept cases.
const KEPT: &str = "cases::kept::tests::the_model_agrees_with_what_was_kept";

/// Seconds of CPU that a batch of tests may take beyond four times its own.
const SPARE: f64 = 4.0;

/// Memory that it may take: a loop that collects is over soon.
const MEMORY: &str = "--as=3000000000";

/// Tests that are run together, at the most.
const BATCH: usize = 60;

/// A build and what its tests reach.
#[derive(Debug, Serialize, Deserialize)]
pub struct Built {
    /// The mutants of the sources that were built; an id is a place in this list.
    pub all: Vec<Named>,
    /// The program.
    pub program: PathBuf,
    /// Ids that do not compile.
    pub unviable: BTreeSet<usize>,
    /// Tests that pass without a mutant.
    pub tests: BTreeMap<String, Test>,
}

/// A test.
#[derive(Debug, Serialize, Deserialize)]
pub struct Test {
    /// How long it takes without a mutant.
    pub seconds: f64,
    /// Ids that it comes to.
    pub reaches: BTreeSet<usize>,
}

/// Runs each test by itself, without a mutant.
///
/// # Errors
///
/// The program cannot be run.
pub fn trace(
    tree: &Path,
    all: Vec<Named>,
    program: PathBuf,
    unviable: BTreeSet<usize>,
) -> Result<Built> {
    let list = command(tree, &program, 60.0)
        .args(["--list", "--format", "terse"])
        .output()
        .context("failed to run the tests")?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let reached = tree.with_file_name("reached");
    let mut tests = BTreeMap::new();
    for name in names {
        drop(fs::remove_file(&reached));
        let start = Instant::now();
        let mut command = command(tree, &program, 60.0);
        command.env("EXETRAIL_MUTANTS_REACHED", &reached);
        let status = command
            .args(["--exact", name])
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            println!("{name} fails without a mutant, and is left out");
            continue;
        }
        let ids = fs::read_to_string(&reached).unwrap_or_default();
        let test = Test {
            seconds: start.elapsed().as_secs_f64(),
            reaches: ids.lines().filter_map(|id| id.parse().ok()).collect(),
        };
        tests.insert(name.to_owned(), test);
    }
    ensure!(!tests.is_empty(), "no test passes");
    Ok(Built {
        all,
        program,
        unviable,
        tests,
    })
}

/// Judges one mutant.
///
/// # Errors
///
/// The program cannot be run.
pub fn judge(tree: &Path, built: &Built, id: usize) -> Result<Row> {
    let one = &built.all[id];
    if built.unviable.contains(&id) {
        return Ok(Row::new("unviable", "-"));
    }
    let mut reaching: Vec<(&str, &Test)> = built
        .tests
        .iter()
        .filter(|(_, test)| test.reaches.contains(&id))
        .map(|(name, test)| (name.as_str(), test))
        .collect();
    let own = path(&one.mutant.file);
    let rank = |name: &str| {
        (
            name == KEPT,
            !name.starts_with(&own),
            !name.starts_with(&one.module),
        )
    };
    reaching.sort_by(|(one, a), (two, b)| {
        let order = rank(one).cmp(&rank(two));
        order.then(a.seconds.total_cmp(&b.seconds))
    });
    let mut judged = Row::new(
        if reaching.is_empty() {
            "unreached"
        } else {
            "survived"
        },
        "-",
    );
    let mut rest = reaching.as_slice();
    while !rest.is_empty() {
        let mut seconds = 0.0;
        let full = rest.iter().take(BATCH).take_while(|(_, test)| {
            let fits = seconds < 1.0;
            seconds += test.seconds;
            fits
        });
        let (batch, further) = rest.split_at(full.count().max(1));
        rest = further;
        if let Some(by) = fails(tree, &built.program, id, batch)? {
            judged = Row::new("killed", &by);
            break;
        }
    }
    if one.module == "model" {
        judged.kept = match built.tests.get_key_value(KEPT) {
            Some((name, test)) if test.reaches.contains(&id) => {
                let caught = judged.by == KEPT
                    || judged.verdict == "killed"
                        && fails(tree, &built.program, id, &[(name, test)])?.is_some();
                if caught { "caught" } else { "missed" }
            }
            _ => "missed",
        }
        .to_owned();
    }
    Ok(judged)
}

/// The first test of a batch that fails, or how the program ends.
fn fails(
    tree: &Path,
    program: &Path,
    id: usize,
    batch: &[(&str, &Test)],
) -> Result<Option<String>> {
    let clean: f64 = batch.iter().map(|(_, test)| test.seconds).sum();
    let limit = clean.mul_add(4.0, SPARE);
    let mut command = command(tree, program, limit);
    command.env("EXETRAIL_MUTANT", id.to_string());
    command
        .arg("--exact")
        .args(batch.iter().map(|(name, _)| name));
    let output = command.output().context("failed to run the tests")?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = |line: &str| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.to_owned())
    };
    Ok(Some(text.lines().find_map(failed).unwrap_or_else(|| {
        // With one thread, the last line is of the test that did not end.
        let last = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("test "));
        let name = last.and_then(|line| line.split(" ... ").next());
        format!("{} does not end", name.unwrap_or("a test"))
    })))
}

/// The tests in their directory, with limits; `timeout` notices what waits instead of working.
fn command(tree: &Path, program: &Path, seconds: f64) -> Command {
    let wall = Duration::from_secs_f64(seconds * 8.0).as_secs();
    let mut command = Command::new("timeout");
    command.arg("--signal=KILL").arg(wall.to_string());
    command.args(["prlimit", MEMORY]);
    command.arg(format!("--cpu={}", seconds.ceil()));
    command.arg(program).arg("--test-threads=1");
    command.current_dir(tree);
    command.env("CARGO_MANIFEST_DIR", tree);
    command.env_remove("RUST_BACKTRACE");
    command
        .env("INSTA_UPDATE", "no")
        .env("PROPTEST_CASES", "64");
    command.env("PROPTEST_FAILURE_PERSISTENCE", "off");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// The module of a file: `src/trail/mod.rs` is `trail::`.
fn path(file: &str) -> String {
    let file = file.trim_start_matches("src/").trim_end_matches(".rs");
    let parts = file.split('/').filter(|part| *part != "mod");
    parts.map(|part| format!("{part}::")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(path("src/trail/mod.rs"), "trail::");
        assert_eq!(path("src/fetch/resolve.rs"), "fetch::resolve::");
    }
}
