//! Finds the scenarios and the snapshots, so that adding one touches no other file.
#![expect(
    clippy::expect_used,
    reason = "a build script has nobody to report to but cargo"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
    let scenarios = root.join("scenarios");
    println!("cargo::rerun-if-changed=scenarios");
    println!("cargo::rerun-if-changed=snapshots");

    let mut modules = String::new();
    let mut table = String::from("/// Every scenario, by family and name.\n");
    table.push_str("pub static SCENARIOS: &[Registered] = &[\n");
    for path in files_below(&scenarios, "rs") {
        let relative = path
            .strip_prefix(&scenarios)
            .expect("below it")
            .with_extension("");
        let name = relative.to_str().expect("names are ASCII").to_owned();
        let module = name.replace(['/', '-'], "_");
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(modules, "#[path = {path:?}] mod {module};").expect("memory");
        let docs = docs(&path);
        writeln!(
            table,
            "    Registered {{ name: {name:?}, docs: {docs:?}, scenario: &{module}::SCENARIO }},"
        )
        .expect("memory");
    }
    table.push_str("];\n");
    write(&out.join("scenarios.rs"), &(modules + &table));

    let snapshots = root.join("snapshots");
    let mut table = String::from("static EMBEDDED: &[(&str, &str)] = &[\n");
    for path in files_below(&snapshots, "snap") {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.strip_prefix(&snapshots).expect("below it");
        writeln!(table, "    ({name:?}, include_str!({path:?})),").expect("memory");
    }
    table.push_str("];\n");
    write(&out.join("snapshots.rs"), &table);
}

/// The `//!` lines at the head of a scenario: its documentation, for people and for reports.
fn docs(path: &Path) -> String {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let docs: Vec<_> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert!(
        !docs.is_empty(),
        "{} has no documentation (//! lines)",
        path.display()
    );
    docs.join("\n")
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
