//! The copy of the sources with all mutants in it, and its one build.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::mutant::{Mutant, Named};
use crate::schema;

/// What the copy has of its own.
const OWN: [&str; 5] = ["src", "target", ".git", ".cargo", "mutants"];

/// Where the copy lies: below the project, so that cargo's configuration is the same.
pub fn tree(root: &Path) -> PathBuf {
    root.join("target/mutants/tree")
}

/// Builds the unit tests with every mutant that compiles: their program, and the ids that do not.
///
/// # Errors
///
/// The sources without mutants do not compile, or an error belongs to no mutant.
pub fn build(
    root: &Path,
    all: &[Named],
    mut unviable: BTreeSet<usize>,
) -> Result<(PathBuf, BTreeSet<usize>)> {
    let tree = tree(root);
    prepare(root, &tree)?;
    let messages = loop {
        let files = write(root, &tree, all, &mut unviable)?;
        let messages = cargo(root, &tree)?;
        let wrong = blame(&messages, &files)?;
        if wrong.is_empty() {
            break messages;
        }
        println!("{} mutants do not compile", wrong.len());
        unviable.extend(wrong);
    };
    let program = messages
        .iter()
        .filter(|message| message["profile"]["test"] == true)
        .find_map(|message| message["executable"].as_str())
        .context("cargo told of no test program")?;
    // Cargo gives the project's own tests the same name.
    let own = tree.with_file_name("program");
    fs::copy(program, &own).with_context(|| format!("failed to copy {program}"))?;
    Ok((own, unviable))
}

/// A directory that is the project but for `src`.
fn prepare(root: &Path, tree: &Path) -> Result<()> {
    fs::create_dir_all(tree)?;
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name();
        let link = tree.join(&name);
        if !OWN.iter().any(|own| name == *own) && link.symlink_metadata().is_err() {
            symlink(root.join(&name), link)?;
        }
    }
    copy(&root.join("src"), &tree.join("src"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        names.insert(entry.file_name());
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            // It is written by itself.
            false if is_changed(&to) => {}
            false => put(&to, &fs::read(entry.path())?)?,
        }
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) && entry.file_name() != "mutant.rs" {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

/// Whether a file of the copy has a switch in it, or what a switch needs.
fn is_changed(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    ["crate::mutant::on(", "mod mutant"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Writes a file where it is another: what has not changed is not compiled again.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| format!("failed to write {}", path.display()))
}

/// A file of the copy, with the code of each mutant.
struct Written {
    file: String,
    regions: Vec<(usize, Range<usize>)>,
}

fn write(
    root: &Path,
    tree: &Path,
    all: &[Named],
    unviable: &mut BTreeSet<usize>,
) -> Result<Vec<Written>> {
    let files: BTreeSet<&str> = all.iter().map(|one| one.mutant.file.as_str()).collect();
    let mut written = Vec::new();
    for file in files {
        let text = fs::read_to_string(root.join(file))?;
        let own = all.iter().enumerate();
        let own = own.filter(|(id, one)| one.mutant.file == file && !unviable.contains(id));
        let own: Vec<(usize, &Mutant)> = own.map(|(id, one)| (id, &one.mutant)).collect();
        let found = schema::instrument(&text, &own).with_context(|| file.to_owned())?;
        put(&tree.join(file), found.text.as_bytes())?;
        unviable.extend(found.without);
        written.push(Written {
            file: file.to_owned(),
            regions: found.regions,
        });
    }
    put(&tree.join("src/mutant.rs"), include_bytes!("../switch.rs"))?;
    let library = fs::read_to_string(root.join("src/lib.rs"))? + "mod mutant;\n";
    put(&tree.join("src/lib.rs"), library.as_bytes())?;
    // It is a program of its own, which uses a file of the library.
    let subject = fs::read_to_string(root.join("src/subject/main.rs"))?
        + "mod mutant { pub const fn on(_: usize) -> bool { false } }\n";
    put(&tree.join("src/subject/main.rs"), subject.as_bytes())?;
    Ok(written)
}

/// Builds the unit tests of the copy, and returns what it says as JSON.
fn cargo(root: &Path, tree: &Path) -> Result<Vec<Value>> {
    let output = Command::new("cargo")
        .args(["test", "--lib", "--no-run", "--message-format=json"])
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .stderr(Stdio::inherit())
        .output()
        .context("failed to run cargo")?;
    let text = String::from_utf8(output.stdout).context("failed to read what cargo says")?;
    let messages: Vec<Value> = text
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let has_error = messages
        .iter()
        .any(|message| message["message"]["level"] == "error");
    ensure!(output.status.success() || has_error, "cargo failed");
    Ok(messages)
}

/// The mutants whose code does not compile.
fn blame(messages: &[Value], files: &[Written]) -> Result<BTreeSet<usize>> {
    let mut wrong = BTreeSet::new();
    let mut strange = Vec::new();
    for message in messages {
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
        let mut primary = spans.iter().filter(|span| span["is_primary"] == true);
        if spans.is_empty() {
            continue; // "aborting due to 3 previous errors"
        }
        match primary.find_map(|span| of(span, files)).or_else(|| {
            // The place of the error is elsewhere: the mutant is where the reason is.
            spans.iter().find_map(|span| of(span, files))
        }) {
            Some(id) => drop(wrong.insert(id)),
            None => strange.push(message["rendered"].as_str().unwrap_or_default().to_owned()),
        }
    }
    if wrong.is_empty() && !strange.is_empty() {
        bail!("errors that belong to no mutant:\n{}", strange.join("\n"));
    }
    Ok(wrong)
}

fn of(span: &Value, files: &[Written]) -> Option<usize> {
    let name = span["file_name"].as_str()?;
    let start = usize::try_from(span["byte_start"].as_u64()?).ok()?;
    let file = files.iter().find(|written| written.file == name)?;
    let own = file
        .regions
        .iter()
        .filter(|(_, code)| code.contains(&start));
    own.min_by_key(|(_, code)| code.len()).map(|(id, _)| *id)
}
