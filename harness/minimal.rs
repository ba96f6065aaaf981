//! Kernels of somebody else's configuration, built from Debian's source: as little as `vm/minimal.config` names, and the
//! kernel's own default with that. All scenarios; nothing is broken, and nothing changed.
//!
//! Building takes minutes to an hour, so both are run by name alone: `cargo test --test minimal -- --ignored`. Source
//! and builds stay in `target/tmp`, and are built on from there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use exetrail::project::Project;

/// The newest series of which the archive has the source; its snapshots are those of the table's kernel.
const SERIES: &str = "7.3";
const FRAGMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vm/minimal.config");

/// One of the two at a time: they share the source, and each takes all cores.
static TURN: Mutex<()> = Mutex::new(());

fn call(program: &str, arguments: &[&str], directory: &Path) {
    let mut command = Command::new(program);
    let status = command.args(arguments).current_dir(directory).status();
    let status = status.unwrap_or_else(|error| panic!("failed to start {program}: {error}"));
    assert!(
        status.success(),
        "{program} {arguments:?} ended with {status}"
    );
}

/// The unpacked source, fetched as docs/kernels.md says.
fn source() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("source");
    let tree = place.join("linux");
    if tree.join("Makefile").is_file() {
        return tree;
    }
    fs::create_dir_all(place.join("linux.partial")).unwrap();
    let cache = Project::open().unwrap().cache;
    let apt = cache.join("apt/trixie-backports/apt.conf");
    assert!(apt.is_file(), "{apt:?} is missing: vm/setup makes it");
    let apt = apt.to_str().unwrap();
    let package = format!("linux-source-{SERIES}");
    call("apt-get", &["-c", apt, "update"], &place);
    call("apt-get", &["-c", apt, "download", &package], &place);
    let script = format!("dpkg-deb -x {package}_*.deb . && rm {package}_*.deb");
    call("sh", &["-c", &script], &place);
    let archive = format!("usr/src/{package}.tar.xz");
    let unpack = [
        "xf",
        &archive,
        "-C",
        "linux.partial",
        "--strip-components=1",
    ];
    call("tar", &unpack, &place);
    fs::rename(place.join("linux.partial"), &tree).unwrap();
    tree
}

/// The file of a build tree that has the fragment with which it was configured, to the end.
const CONFIGURED_WITH: &str = ".fragment";

fn is_configured(tree: &Path, fragment: &str) -> bool {
    let with = fs::read_to_string(tree.join(CONFIGURED_WITH));
    tree.join(".config").is_file() && with.is_ok_and(|with| with == fragment)
}

/// Builds `make CONFIGURATION` with the fragment; returns the build tree.
fn built(configuration: &str) -> PathBuf {
    let source = source();
    let tree = Path::new(env!("CARGO_TARGET_TMPDIR")).join(configuration);
    fs::create_dir_all(&tree).unwrap();
    let output = format!("O={}", tree.display());
    let wanted = fs::read_to_string(FRAGMENT).unwrap();
    if !is_configured(&tree, &wanted) {
        let _ = fs::remove_file(tree.join(CONFIGURED_WITH));
        call("make", &["-s", &output, configuration], &source);
        let merge = source.join("scripts/kconfig/merge_config.sh");
        call(merge.to_str().unwrap(), &["-m", ".config", FRAGMENT], &tree);
        call("make", &["-s", &output, "olddefconfig"], &source);
        fs::write(tree.join(CONFIGURED_WITH), &wanted).unwrap();
    }
    let config = fs::read_to_string(tree.join(".config")).unwrap();
    for option in wanted.lines().filter(|line| line.starts_with("CONFIG_")) {
        let is_set = config.lines().any(|line| line == option);
        assert!(is_set, "{option} did not get into {configuration}");
    }
    let cores = std::thread::available_parallelism().unwrap();
    call(
        "make",
        &["-s", &output, &format!("-j{cores}"), "bzImage"],
        &source,
    );
    tree
}

/// Runs everything on a kernel: how many views have which outcome, and what is wrong, in words.
fn run(tree: &Path) -> (BTreeMap<String, usize>, Vec<String>) {
    let image = tree.join("arch/x86/boot/bzImage");
    let mut command = Command::new(env!("CARGO_BIN_EXE_exetrail"));
    let command = command.args(["run", "--format", "json", "-k"]).arg(image);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    judged(&output.unwrap())
}

/// The same of what the command said.
fn judged(output: &Output) -> (BTreeMap<String, usize>, Vec<String>) {
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        wrong.push(format!("it ends with {}: {}", output.status, said.trim()));
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        for seen in record["seen"].as_array().unwrap() {
            let outcome = seen["outcome"].as_str().unwrap();
            *counts.entry(outcome.to_owned()).or_default() += 1;
            if !matches!(outcome, "same" | "unsupported") {
                let (scenario, view) = (&record["scenario"], &seen["view"]);
                wrong.push(format!("{scenario} {view} {outcome}: {}", seen["reason"]));
            }
        }
    }
    (counts, wrong)
}

/// Builds, runs and judges; `same` views at least are seen and as accepted.
fn nothing_but_the_kernels_own(configuration: &str, same: usize) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (counts, wrong) = run(&built(configuration));
    assert!(wrong.is_empty(), "{counts:?}\n{}", wrong.join("\n"));
    let seen = counts.get("same").copied().unwrap_or_default();
    assert!(seen >= same, "{counts:?}");
}

#[test]
#[ignore = "builds a kernel: minutes"]
fn as_little_as_the_fragment_names_is_enough() {
    nothing_but_the_kernels_own("tinyconfig", 150);
}

#[test]
#[ignore = "builds a kernel: most of an hour on two cores"]
fn the_kernels_own_default_with_the_fragment_shows_no_change() {
    nothing_but_the_kernels_own("defconfig", 200);
}

#[test]
fn a_tree_of_another_fragment_is_configured_anew() {
    let tree = tempfile::tempdir().unwrap();
    let write = |name, text| fs::write(tree.path().join(name), text).unwrap();
    write(".config", "CONFIG_A=y\n");
    assert!(!is_configured(tree.path(), "CONFIG_A=y\n"), "nor half");
    write(CONFIGURED_WITH, "CONFIG_A=y\n");
    assert!(is_configured(tree.path(), "CONFIG_A=y\n"));
    assert!(!is_configured(tree.path(), "CONFIG_A=y\nCONFIG_B=y\n"));
}

#[test]
fn a_command_that_fails_without_a_record_says_why() {
    let mut command = Command::new("sh");
    let output = command.args(["-c", "echo no kernel >&2; exit 2"]).output();
    let (_, wrong) = judged(&output.unwrap());
    assert_eq!(wrong, ["it ends with exit status: 2: no kernel"]);
}
