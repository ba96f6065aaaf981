//! The tables in `docs/mutants/`: a line a mutant, in the order of the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::mutant::{MODULES, Named};

/// A line of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// `killed`, `survived`, `unreached`, `unviable`.
    pub verdict: String,
    /// The test that fails, or how the program ended.
    pub by: String,
    /// `caught` or `missed` by the kept cases; a dash outside of the model.
    pub kept: String,
}

impl Row {
    /// A line about a mutant that the kept cases say nothing of.
    pub fn new(verdict: &str, by: &str) -> Row {
        Row {
            verdict: verdict.to_owned(),
            by: by.to_owned(),
            kept: "-".to_owned(),
        }
    }
}

/// What a line is about: file, function, what is done, a hash of the function.
pub type Key = [String; 4];

/// Its line's key.
pub fn key(one: &Named) -> Key {
    [&one.mutant.file, one.function(), &one.what, &one.code].map(ToString::to_string)
}

/// Reads all tables.
///
/// # Errors
///
/// One cannot be read.
pub fn read(root: &Path) -> Result<BTreeMap<Key, Row>> {
    let mut rows = BTreeMap::new();
    for (module, _) in MODULES {
        let path = root.join(format!("docs/mutants/{module}.tsv"));
        if path.exists() {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("failed to read {}", path.display()))?;
            rows.extend(text.lines().skip(1).filter_map(parse));
        }
    }
    Ok(rows)
}

fn parse(line: &str) -> Option<(Key, Row)> {
    let [file, function, what, code, verdict, by, kept] =
        line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let row = Row {
        verdict: verdict.to_owned(),
        by: by.to_owned(),
        kept: kept.to_owned(),
    };
    Some(([file, function, what, code].map(ToOwned::to_owned), row))
}

/// Writes all tables; what is not judged yet has no line.
///
/// # Errors
///
/// One cannot be written.
pub fn write(root: &Path, all: &[Named], rows: &BTreeMap<Key, Row>) -> Result<()> {
    fs::create_dir_all(root.join("docs/mutants"))?;
    for (module, _) in MODULES {
        let mut text = "file\tfunction\twhat\tcode\tverdict\tby\tkept\n".to_owned();
        for one in all.iter().filter(|one| one.module == module) {
            let key = key(one);
            if let Some(Row { verdict, by, kept }) = rows.get(&key) {
                text += &format!("{}\t{verdict}\t{by}\t{kept}\n", key.join("\t"));
            }
        }
        let path = root.join(format!("docs/mutants/{module}.tsv"));
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let (key, row) = parse("a.rs\tb\tc\t0\tkilled\td::e\tcaught").unwrap();
        assert_eq!(key, ["a.rs", "b", "c", "0"]);
        assert_eq!(
            (&*row.verdict, &*row.by, &*row.kept),
            ("killed", "d::e", "caught")
        );
    }

    #[test]
    fn a_line_of_another_form_is_none() {
        assert_eq!(parse("a.rs\tb"), None);
    }
}
