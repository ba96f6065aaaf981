//! Mutation testing of exetrail's pure modules: all mutants in one build, each behind a switch.
//!
//! `mutant` asks cargo-mutants what can be changed, `schema` puts all of it into a copy of the sources at once,
//! `build` compiles that, `judge` runs the unit tests that come to a mutant with it switched on, `table` keeps
//! what came of it, `page` counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

mod build;
mod judge;
mod mutant;
mod page;
mod schema;
mod table;

/// Mutation testing of exetrail's pure modules.
#[derive(Parser)]
struct Arguments {
    /// The project.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compile the unit tests with every mutant, and note which test comes to which
    Build,
    /// Run the tests with each mutant that has no verdict yet; can be stopped and called again
    Judge {
        /// Stop after so many seconds
        #[arg(long)]
        seconds: Option<u64>,
        /// Mutants of this module alone
        #[arg(long)]
        module: Option<String>,
    },
    /// Print the mutants that no test kills, with their lines
    Survivors,
    /// Write docs/mutants.md from the tables
    Page,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let root = fs::canonicalize(&arguments.root).context("failed to find the project")?;
    match arguments.command {
        Command::Build => build(&root),
        Command::Judge { seconds, module } => {
            let finished = judge(&root, seconds, module.as_deref())?;
            std::process::exit(if finished { 0 } else { 3 })
        }
        Command::Survivors => survivors(&root),
        Command::Page => {
            let page = page::page(&root.join("docs/mutants"))?;
            Ok(fs::write(root.join("docs/mutants.md"), page)?)
        }
    }
}

fn state(root: &Path) -> PathBuf {
    root.join("target/mutants/built.json")
}

/// Ids that were judged with this build: they are not judged again, whatever the verdict.
fn done(root: &Path) -> PathBuf {
    root.join("target/mutants/done")
}

fn build(root: &Path) -> Result<()> {
    let all = mutant::list(root)?;
    println!("{} mutants", all.len());
    let mut rows = table::read(root)?;
    let is_unviable = |one: &mutant::Named| {
        let row = rows.get(&table::key(one));
        row.is_some_and(|row| row.verdict == "unviable")
    };
    let known = all.iter().enumerate().filter(|(_, one)| is_unviable(one));
    let (program, unviable) = build::build(root, &all, known.map(|(id, _)| id).collect())?;
    println!("{} mutants compile", all.len() - unviable.len());
    // What does not compile is not tried again.
    for id in &unviable {
        rows.insert(table::key(&all[*id]), table::Row::new("unviable", "-"));
    }
    table::write(root, &all, &rows)?;
    let built = judge::trace(&build::tree(root), all, program, unviable)?;
    println!("{} tests", built.tests.len());
    drop(fs::remove_file(done(root)));
    Ok(fs::write(state(root), serde_json::to_string(&built)?)?)
}

/// Whether all are judged.
fn judge(root: &Path, seconds: Option<u64>, module: Option<&str>) -> Result<bool> {
    let start = Instant::now();
    let built = fs::read_to_string(state(root)).context("failed to read what was built")?;
    let built: judge::Built = serde_json::from_str(&built)?;
    let all = &built.all;
    let mut rows = table::read(root)?;
    let text = fs::read_to_string(done(root)).unwrap_or_default();
    let mut done_ids: BTreeSet<usize> = text.lines().filter_map(|id| id.parse().ok()).collect();
    let mut count = 0;
    let mut finished = true;
    for (id, one) in all.iter().enumerate() {
        if module.is_some_and(|only| only != one.module) || done_ids.contains(&id) {
            continue;
        }
        let key = table::key(one);
        if rows.get(&key).is_some_and(|row| is_settled(one, row)) {
            continue;
        }
        if seconds.is_some_and(|most| start.elapsed() > Duration::from_secs(most)) {
            finished = false;
            break;
        }
        let row = judge::judge(&build::tree(root), &built, id)?;
        if row.verdict != "killed" && row.verdict != "unviable" {
            println!(
                "{}: {} ({}): {}",
                row.verdict,
                place(one),
                one.function(),
                one.what
            );
        }
        rows.insert(key, row);
        done_ids.insert(id);
        count += 1;
    }
    let text: String = done_ids.iter().map(|id| format!("{id}\n")).collect();
    fs::write(done(root), text)?;
    table::write(root, all, &rows)?;
    println!("{count} judged{}", if finished { ", all" } else { "" });
    Ok(finished)
}

/// Whether no other build can say otherwise, as long as its function is the same: what one test has noticed is
/// noticed, and what the kept cases notice they notice.
fn is_settled(one: &mutant::Named, row: &table::Row) -> bool {
    let by_cases = one.module != "model" || row.kept == "caught";
    row.verdict == "unviable" || row.verdict == "killed" && by_cases
}

fn survivors(root: &Path) -> Result<()> {
    let rows = table::read(root)?;
    for one in mutant::list(root)? {
        if let Some(row) = rows.get(&table::key(&one))
            && ["survived", "unreached"].contains(&row.verdict.as_str())
        {
            println!(
                "{}\t{}\t{}\t{}",
                place(&one),
                row.verdict,
                one.function(),
                one.what
            );
        }
    }
    Ok(())
}

fn place(one: &mutant::Named) -> String {
    format!("{}:{}", one.mutant.file, one.mutant.span.start.line)
}
