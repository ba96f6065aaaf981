//! `docs/mutants.md`, from the tables in `docs/mutants/`. Without a library: a test of exetrail includes this file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// What stands above the numbers.
const PROSE: &str = include_str!("page.md");

/// Files of the model that hold its rules; the others look at files, carry what was seen, compare and count.
const RULES: [&str; 7] = [
    "src/model/credentials.rs",
    "src/model/differences.rs",
    "src/model/files.rs",
    "src/model/kernel.rs",
    "src/model/loader.rs",
    "src/model/script.rs",
    "src/model/walk.rs",
];

#[derive(Default)]
struct Count {
    all: usize,
    unviable: usize,
    killed: usize,
    left: usize,
    equal: usize,
}

impl Count {
    fn row(&self, name: &str) -> String {
        let Self {
            all,
            unviable,
            killed,
            left,
            equal,
        } = self;
        let share = percent(*killed, all - unviable);
        format!("| {name} | {all} | {unviable} | {killed} | {equal} | {left} | {share} |\n")
    }
}

/// In tenths of a percent, rounded down.
fn percent(part: usize, of: usize) -> String {
    let tenths = part * 1000 / of.max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The page.
///
/// # Errors
///
/// A table cannot be read.
pub fn page(tables: &Path) -> io::Result<String> {
    let equal = fs::read_to_string(tables.join("equal.tsv"))?;
    let equal: BTreeMap<String, &str> = equal
        .lines()
        .skip(1)
        .filter_map(|line| line.rsplit_once('\t'))
        .map(|(what, reason)| (what.to_owned(), reason))
        .collect();
    let mut names: Vec<_> = fs::read_dir(tables)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.retain(|name| name.ends_with(".tsv") && name != "equal.tsv");
    names.sort();
    let mut modules = String::new();
    let mut kept = BTreeMap::<String, [usize; 2]>::new();
    let mut left = BTreeMap::<String, Vec<String>>::new();
    let mut alike = Vec::new();
    let mut total = Count::default();
    for name in names {
        let text = fs::read_to_string(tables.join(&name))?;
        let mut count = Count::default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [file, function, what, _, verdict, _, caught] = columns[..] else {
                return Err(io::Error::other(format!(
                    "{name} has a strange line: {line}"
                )));
            };
            count.all += 1;
            match verdict {
                "unviable" => count.unviable += 1,
                "killed" => count.killed += 1,
                _ => {
                    let key = format!("{file}\t{function}\t{what}");
                    match equal.get(&key) {
                        Some(reason) => {
                            count.equal += 1;
                            alike.push(format!(
                                "- `{file}`, `{function}`: {}: {reason}\n",
                                code(what)
                            ));
                        }
                        None => {
                            count.left += 1;
                            let own = left.entry(file.to_owned()).or_default();
                            own.push(format!("- `{function}`: {}\n", code(what)));
                        }
                    }
                }
            }
            if verdict != "unviable" && caught != "-" {
                let [all, own] = kept.entry(file.to_owned()).or_default();
                *all += 1;
                *own += usize::from(caught == "caught");
            }
        }
        total.all += count.all;
        total.unviable += count.unviable;
        total.killed += count.killed;
        total.left += count.left;
        total.equal += count.equal;
        modules += &count.row(name.trim_end_matches(".tsv"));
    }
    let mut page = PROSE.to_owned();
    page += "\n## Killed by unit tests\n\n";
    page += "| module | mutants | do not compile | killed | the same program | survive | killed of those that compile |\n";
    page += "|---|---|---|---|---|---|---|\n";
    page += &modules;
    page += &total.row("all");
    page +=
        "\n## Caught by the kept cases\n\n| file | mutants | caught | share |\n|---|---|---|---|\n";
    let sum = |wanted: fn(&str) -> bool| {
        let own = kept.iter().filter(|(file, _)| wanted(file));
        own.fold([0, 0], |sum, (_, own)| [sum[0] + own[0], sum[1] + own[1]])
    };
    let sums = [
        (
            "the seven files of rules",
            sum(|file| RULES.contains(&file)),
        ),
        ("all", sum(|_| true)),
    ];
    let sums = sums.map(|(name, own)| (name.to_owned(), own));
    let rows = kept.iter().map(|(file, own)| (format!("`{file}`"), *own));
    for (file, [all, own]) in rows.chain(sums) {
        page += &format!("| {file} | {all} | {own} | {} |\n", percent(own, all));
    }
    if !alike.is_empty() {
        page += "\n## The same program\n\nNo test can tell these from the code as it is:\n\n";
        page += &alike.concat();
    }
    if !left.is_empty() {
        page += "\n## Survivors\n";
        for (file, own) in left {
            page += &format!("\n`{file}`:\n\n{}", own.concat());
        }
    }
    Ok(page)
}

/// As code of Markdown, whatever is in it.
fn code(what: &str) -> String {
    match what.contains('`') {
        true => format!("`` {what} ``"),
        false => format!("`{what}`"),
    }
}
