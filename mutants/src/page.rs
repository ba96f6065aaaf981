//! `docs/mutants.md`, from the tables in `docs/mutants/`. Without a library: a test of exetrail includes this file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// What stands above the numbers.
const PROSE: &str = include_str!("page.md");

/// Files of the model that hold its rules; the others look at files, carry what was seen, compare and count.
const RULES: [&str; 8] = [
    "src/model/credentials.rs",
    "src/model/differences.rs",
    "src/model/files.rs",
    "src/model/kernel.rs",
    "src/model/kernel/formats.rs",
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

/// What the kept cases notice of the mutants of a file.
#[derive(Default)]
struct Kept {
    all: usize,
    unseen: usize,
    caught: usize,
}

impl Kept {
    fn row(&self, name: &str) -> String {
        let Kept {
            all,
            unseen,
            caught,
        } = self;
        let share = percent(*caught, all - unseen);
        format!("| {name} | {all} | {unseen} | {caught} | {share} |\n")
    }
}

/// The reasons of a table, by file, function and what is done.
fn reasons(tables: &Path, name: &str) -> io::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(tables.join(name))?;
    let lines = text.lines().skip(1);
    let pairs = lines.filter_map(|line| line.rsplit_once('\t'));
    Ok(pairs
        .map(|(what, reason)| (what.to_owned(), reason.to_owned()))
        .collect())
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
    let equal = reasons(tables, "equal.tsv")?;
    let unseen = reasons(tables, "unseen.tsv")?;
    let mut names: Vec<_> = fs::read_dir(tables)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.retain(|name| name.ends_with(".tsv") && name != "equal.tsv" && name != "unseen.tsv");
    names.sort();
    let mut modules = String::new();
    let mut kept = BTreeMap::<String, Kept>::new();
    let mut missed = [String::new(), String::new()];
    let mut later = 0;
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
            let key = format!("{file}\t{function}\t{what}");
            match verdict {
                "unviable" => count.unviable += 1,
                "killed" => count.killed += 1,
                _ => match equal.get(&key) {
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
                },
            }
            let is_rule = verdict != "unviable" && RULES.contains(&file);
            if is_rule && caught == "-" {
                later += 1;
            } else if is_rule {
                let own = kept.entry(file.to_owned()).or_default();
                own.all += 1;
                match unseen.get(&key).or(equal.get(&key)) {
                    _ if caught == "caught" => own.caught += 1,
                    Some(reason) => {
                        own.unseen += 1;
                        missed[0] +=
                            &format!("- `{file}`, `{function}`: {}: {reason}\n", code(what));
                    }
                    None => missed[1] += &format!("- `{file}`, `{function}`: {}\n", code(what)),
                }
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
    page += "\n## Caught by the kept cases\n\n";
    page += "| file | mutants | no case can see | caught | share of the others |\n|---|---|---|---|---|\n";
    let sum = kept.values().fold(Kept::default(), |sum, own| Kept {
        all: sum.all + own.all,
        unseen: sum.unseen + own.unseen,
        caught: sum.caught + own.caught,
    });
    for (file, own) in &kept {
        page += &own.row(&format!("`{file}`"));
    }
    page += &sum.row("all");
    if later > 0 {
        page += &format!("\n{later} more are not judged by the kept cases yet.\n");
    }
    for (title, list) in [
        ("No case can see", &missed[0]),
        ("Missed by the kept cases", &missed[1]),
    ] {
        if !list.is_empty() {
            page += &format!("\n### {title}\n\n{list}");
        }
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
