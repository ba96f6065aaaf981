//! How often, in which order and until when `exetrail run` runs: `--repeat`, `--shuffle`, `--soak`, and Ctrl-C.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{ExitCode, Stdio};

use call::{Need, ROOT, booting, checkout, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Two, so that rounds and kernels can be told apart.
const KERNELS: [&str; 2] = ["6.12", "7.3"];
/// In an order that is none of the three below.
const SCENARIOS: [&str; 4] = [
    "start/direct_ldso",
    "start/fexecve",
    "start/shebang",
    "start/symlink",
];

const TESTS: [(&str, fn()); 2] = [
    (
        "an_order_goes_on_over_rounds_and_soaks_on_every_kernel",
        an_order_goes_on_over_rounds_and_soaks_on_every_kernel,
    ),
    (
        "what_is_interrupted_shows_what_was_seen_and_writes_no_snapshot",
        what_is_interrupted_shows_what_was_seen_and_writes_no_snapshot,
    ),
];

fn main() -> ExitCode {
    call::run(&[(Need::Kernels(&KERNELS), &TESTS)])
}

/// The scenarios in the order of a seed.
fn order(seed: u64) -> Vec<&'static str> {
    let mut order = SCENARIOS.to_vec();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    order
}

fn an_order_goes_on_over_rounds_and_soaks_on_every_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let soak = dir.path().join("soak.toml");
    // As after one run of all.
    let row = "id = \"6.12\"\nrelease = \"6.12.1\"\ncpus = 1\nruns = 1\nsame = 1\ndiffering = 0\nbroken = 0\n";
    fs::write(&soak, format!("[[kernel]]\n{row}")).unwrap();
    let rounds = ["--repeat", "2", "--shuffle=7", "--soak"];
    let rest = [soak.to_str().unwrap(), "-k", "6.12,7.3"];
    let how = ["--observe", "trail", "--format", "json"];
    let arguments = [&["run"], &SCENARIOS[..], &rounds, &rest, &how].concat();
    let output = booting(&arguments, Path::new(ROOT)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let own = seen.entry(word(&record["kernel"]["id"])).or_default();
        own.push(word(&record["scenario"]));
    }
    // The first round is behind the one that the statistics know of.
    let wanted = [order(8), order(9)].concat();
    assert_ne!(order(8), order(9));
    for kernel in KERNELS {
        assert_eq!(seen[kernel], wanted, "{kernel}");
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("16 results, all as accepted"), "{said}");
}

fn what_is_interrupted_shows_what_was_seen_and_writes_no_snapshot() {
    // It has no snapshots, so that all is new.
    let checkout = checkout(|_| {});
    let run = ["run", "start", "-k", "6.12", "--pending"];
    let how = ["--observe", "trail", "--format", "json"];
    let mut command = booting(&[&run[..], &how].concat(), checkout.path());
    // Whoever runs this test in the background may have us ignore SIGINT.
    exetrail::sys::with_clean_signals(&mut command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut shown = String::new();
    stdout.read_line(&mut shown).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    stdout.read_to_string(&mut shown).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    let count = shown.lines().count();
    assert!(count > 0, "{said}");
    let told = format!("interrupted: {count} of ");
    assert!(said.contains(&told), "{told}: {said}");
    assert!(said.contains("no snapshot was written"), "{said}");
    assert!(!checkout.path().join("snapshots").exists());
}
