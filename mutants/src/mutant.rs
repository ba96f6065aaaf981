//! What can be changed: the list of cargo-mutants, and the names that tables have for its entries.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// What is mutated: a table each, and the files that belong to it.
pub const MODULES: [(&str, &str); 7] = [
    ("baseline", "src/baseline/**"),
    ("diff", "src/diff/**"),
    ("model", "src/model/**"),
    ("need", "src/need/**"),
    ("resolve", "src/fetch/resolve.rs"),
    ("stages", "src/stages/**"),
    ("trail", "src/trail/**"),
];

/// A mutant as `cargo mutants --list --json` tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mutant {
    /// The file, from the project's root.
    pub file: String,
    /// The function that it is in.
    pub function: Option<Function>,
    /// What is done.
    pub genre: Genre,
    /// What stands in the place afterwards.
    pub replacement: String,
    /// What is replaced.
    pub span: Span,
}

/// A function of the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Function {
    /// With its type, where it has one.
    pub function_name: String,
    /// From its documentation to its last brace.
    pub span: Span,
}

/// What is done to the code.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, Hash)]
pub enum Genre {
    /// A function returns a fixed value.
    FnValue,
    /// Another operator.
    BinaryOperator,
    /// An operator less.
    UnaryOperator,
    /// An arm of a match that is never taken.
    MatchArm,
    /// A guard that is always true, or never.
    MatchArmGuard,
}

/// From one place of a file to another.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Span {
    /// The first character.
    pub start: Place,
    /// The character after the last one.
    pub end: Place,
}

/// A place in a file; both count from one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Its line.
    pub line: usize,
    /// Its character in the line.
    pub column: usize,
}

impl Place {
    /// The place as an offset in the file's text.
    pub fn offset(self, text: &str) -> usize {
        let before = text.split_inclusive('\n').take(self.line - 1);
        let line: usize = before.map(str::len).sum();
        let rest = &text[line..];
        let column = rest.char_indices().nth(self.column - 1);
        line + column.map_or(rest.len(), |(at, _)| at)
    }
}

/// A mutant with its name in the tables.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Named {
    /// What is done.
    pub mutant: Mutant,
    /// Its table.
    pub module: String,
    /// What is done, with the code it is done to.
    pub what: String,
    /// A hash of its function's code.
    pub code: String,
}

impl Named {
    /// Its function, or a dash.
    pub fn function(&self) -> &str {
        let function = self.mutant.function.as_ref();
        function.map_or("-", |function| &function.function_name)
    }
}

/// Asks cargo-mutants for all of them, in the order of files and lines.
///
/// # Errors
///
/// It is not installed, or cannot read the sources.
pub fn list(root: &Path) -> Result<Vec<Named>> {
    let mut command = Command::new("cargo");
    command.current_dir(root);
    command.args(["mutants", "--list", "--json"]);
    for (_, files) in MODULES {
        command.args(["--file", files]);
    }
    let output = command.output().context("failed to run cargo")?;
    ensure!(
        output.status.success(),
        "cargo mutants failed (`cargo install cargo-mutants --version 25.3.1`): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut all: Vec<Mutant> =
        serde_json::from_slice(&output.stdout).context("failed to read cargo-mutants' list")?;
    all.sort_by(|one, two| {
        let place = |mutant: &Mutant| (mutant.span.start.line, mutant.span.start.column);
        (&one.file, place(one)).cmp(&(&two.file, place(two)))
    });
    name(root, all)
}

fn name(root: &Path, all: Vec<Mutant>) -> Result<Vec<Named>> {
    let mut texts = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut named = Vec::new();
    for mutant in all {
        if !texts.contains_key(&mutant.file) {
            let text = std::fs::read_to_string(root.join(&mutant.file))
                .with_context(|| format!("failed to read {}", mutant.file))?;
            texts.insert(mutant.file.clone(), text);
        }
        let text = &texts[&mutant.file];
        let Some((module, _)) = MODULES
            .iter()
            .find(|(_, files)| mutant.file.starts_with(files.trim_end_matches("**")))
        else {
            bail!("{} belongs to no table", mutant.file)
        };
        let mut what = describe(&mutant, text);
        let function = mutant.function.as_ref().map_or("", |f| &f.function_name);
        let count = seen
            .entry((mutant.file.clone(), function.to_owned(), what.clone()))
            .and_modify(|count| *count += 1)
            .or_insert(1);
        if *count > 1 {
            what += &format!(" #{count}");
        }
        let code = mutant.function.as_ref().map_or(text.as_str(), |function| {
            &text[function.span.start.offset(text)..function.span.end.offset(text)]
        });
        let code = hash(code);
        named.push(Named {
            mutant,
            module: (*module).to_owned(),
            what,
            code,
        });
    }
    Ok(named)
}

/// What is done, in a line that says where: the code of the line beside it.
fn describe(mutant: &Mutant, text: &str) -> String {
    let (start, end) = (mutant.span.start.offset(text), mutant.span.end.offset(text));
    let old = short(&text[start..end]);
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line..].lines().next().unwrap_or_default().trim();
    let new = &mutant.replacement;
    match mutant.genre {
        Genre::FnValue => format!("returns {new}"),
        Genre::BinaryOperator => format!("{new} for {old} in `{line}`"),
        Genre::UnaryOperator => format!("without {old} in `{line}`"),
        Genre::MatchArm => format!("without the arm `{old}`"),
        Genre::MatchArmGuard => format!("{new} for the guard `{old}`"),
    }
}

/// In one line, and not longer than a line.
fn short(code: &str) -> String {
    let words: Vec<&str> = code.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(70) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// A hash of code; comments and the way it is set do not count.
fn hash(code: &str) -> String {
    let lines = code.lines().map(str::trim);
    let lines = lines.filter(|line| !line.starts_with("//"));
    let mut hasher = DefaultHasher::new();
    for line in lines {
        line.hash(&mut hasher);
    }
    format!("{:08x}", hasher.finish() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters() {
        let place = Place { line: 2, column: 3 };
        assert_eq!(place.offset("a\n»b c\n"), 2 + "»b".len());
    }

    #[test]
    fn a_comment_does_not_change_the_code() {
        assert_eq!(
            hash("fn a() {\n    // why\n    b\n}"),
            hash("fn a() {\nb\n}")
        );
        assert_ne!(hash("fn a() {\n    b\n}"), hash("fn a() {\n    c\n}"));
    }

    #[test]
    fn what_is_long_is_cut_in_one_line() {
        assert_eq!(short("a =>\n    b"), "a => b");
        assert_eq!(short(&"é".repeat(80)), "é".repeat(70) + "…");
    }
}
