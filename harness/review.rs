//! The commands around a review, called as a user calls them: statuses, and what a wrong input is
//! answered with. Boots nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;

use std::fs;
use std::path::Path;
use std::process::Output;

use call::{checkout, exetrail, fails};
use exetrail::baseline::Store;
use exetrail::records::keep;
use exetrail::stages;
use exetrail::trail::{KernelInfo, LabKind, Outcome, parse};
use exetrail::view::stages::Stages;
use exetrail::view::trail::Steps;
use exetrail::view::{Body, Record, STAGES, TRAIL, ViewName, ViewSeen};

/// Calls the command in a directory, with an empty cache.
fn call(directory: &Path, args: &[&str]) -> Output {
    let cache = tempfile::tempdir().unwrap();
    exetrail(args, directory, cache.path()).output().unwrap()
}

/// The status and the errors of a call outside of any checkout.
fn refused(args: &[&str]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let output = call(dir.path(), args);
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), errors)
}

fn shown(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn seen(view: ViewName, outcome: Outcome, body: Body) -> ViewSeen {
    ViewSeen {
        view,
        outcome,
        reason: None,
        body: Some(body),
        judged: None,
    }
}

/// A record of a scenario as it was accepted.
fn record(scenario: &str, kernel: &str) -> Record {
    let files = Store::Embedded.load(scenario, TRAIL).unwrap();
    let trail = parse(files.values().next().unwrap()).unwrap();
    Record {
        scenario: scenario.into(),
        kernel: KernelInfo::of(kernel, &format!("{kernel}.1"), LabKind::Vm),
        seen: vec![seen(TRAIL, Outcome::Same, Body::new::<Steps>(trail))],
        model: None,
        output: Vec::new(),
    }
}

/// What `check --format json` says of each view of the only record.
fn outcomes(output: &Output) -> Vec<(String, String)> {
    let json: serde_json::Value = serde_json::from_str(&shown(output)).unwrap();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let seen = json["seen"].as_array().unwrap().iter();
    seen.map(|one| (word(&one["view"]), word(&one["outcome"])))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs.map(|(a, b)| ((*a).into(), (*b).into())).collect()
}

#[test]
fn what_is_different_between_two_kernels_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let output = call(dir.path(), &["diff", "5.10", "6.1", "fexecve"]);
    assert_eq!(output.status.code(), Some(1));
    let text = shown(&output);
    assert!(text.contains("comm after the exec: 3 -> ls"), "{text}");
}

#[test]
fn a_kernel_differs_from_itself_in_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let output = call(dir.path(), &["diff", "6.12", "6.12"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_history_names_the_kernel_that_brought_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let text = shown(&call(dir.path(), &["history", "fexecve"]));
    assert!(text.contains("\n  6.1 (applies to 6.1"), "{text}");
}

#[test]
fn a_kernel_that_is_none_is_an_error_with_the_table() {
    let (status, errors) = refused(&["diff", "6.12", "6.21"]);
    assert_eq!(status, 2);
    assert!(
        errors.contains("no kernel \"6.21\": the table has 5.10"),
        "{errors}"
    );
}

#[test]
fn a_file_that_is_no_image_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bzImage");
    fs::write(&file, "hello").unwrap();
    let output = call(dir.path(), &["run", "-k", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("bzImage cannot be booted"), "{errors}");
}

#[test]
fn a_package_that_is_cut_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("linux.deb");
    fs::write(&file, "!<arch>\ndebian-binary").unwrap();
    let output = call(dir.path(), &["run", "-k", file.to_str().unwrap()]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("linux.deb"), "{errors}");
}

#[test]
fn a_wrong_call_aborts_a_bisection() {
    assert_eq!(refused(&["bisect-step", "--nonsense"]).0, 128);
    assert_eq!(
        refused(&["bisect-step", "--baseline", "6.21", "-k", "x", "shebang"]).0,
        128
    );
    assert_eq!(
        refused(&["bisect-step", "--baseline", "6.12", "-k", "x", "shebang"]).0,
        128
    );
}

#[test]
fn records_are_judged_again_without_a_vm() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = record("start/shebang", "6.12");
    kept.seen[0].outcome = Outcome::Changed;
    keep(dir.path(), &kept).unwrap();
    let output = call(dir.path(), &["check", ".", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(outcomes(&output), pairs(&[("trail", "same")]));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("1 record lacks stages"), "{errors}");
}

/// A record with its second view, as both were accepted.
fn with_stages(scenario: &str, kernel: &str) -> Record {
    let mut record = record(scenario, kernel);
    let files = Store::Embedded.load(scenario, STAGES).unwrap();
    let mut story = stages::parse(&files[&kernel.parse().unwrap()]).unwrap();
    story.trail = record.trail().unwrap().clone();
    let body = Body::new::<Stages>(story);
    record.seen.push(seen(STAGES, Outcome::New, body));
    record
}

#[test]
fn a_view_of_a_record_is_judged_again_by_its_own_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), &with_stages("start/shebang", "6.12")).unwrap();
    let output = call(dir.path(), &["check", ".", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let expected = pairs(&[("trail", "same"), ("stages", "same")]);
    assert_eq!(outcomes(&output), expected);
}

#[test]
fn a_stage_that_is_missing_is_a_change_of_its_view_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = with_stages("start/shebang", "6.12");
    let mut story = record.body::<Stages>().unwrap().clone();
    story.inside.stages.remove(0);
    record.seen[1].body = Some(Body::new::<Stages>(story));
    keep(dir.path(), &record).unwrap();
    let output = call(dir.path(), &["check", ".", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = pairs(&[("trail", "same"), ("stages", "changed")]);
    assert_eq!(outcomes(&output), expected);
}

#[test]
fn a_story_is_told_in_words_from_the_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let output = call(dir.path(), &["explain", "normal", "-k", "6.12"]);
    let text = shown(&output);
    let lines = text.lines().count();
    assert!(
        text.contains("p2, started by p1: as p1, stage by stage"),
        "{text}"
    );
    assert!(lines < 40, "{lines} lines: {text}");
    let output = call(dir.path(), &["explain", "normal", "-k", "6.12", "--full"]);
    let text = shown(&output);
    assert_eq!(output.status.code(), Some(0));
    for said in [
        "p2 calls execve.",
        "The kernel opens /usr/bin/ls in order to execute it.",
        "The first instruction of the program runs: /usr/bin/ls.",
        "5. p2: the first instruction of the program runs when all of that is done.",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("NOT so"), "{text}");
}

#[test]
fn what_moved_inside_the_kernel_is_shown_with_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let output = call(
        dir.path(),
        &["diff", "6.1", "6.12", "static", "--view", "stages"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&output).contains("+stage=no-return"));
    let output = call(dir.path(), &["history", "static", "--view", "stages"]);
    assert!(shown(&output).contains("6.16 (applies to 6.16 6.17 6.18 6.19 7.0 7.1)"));
}

#[test]
fn a_scenario_without_stages_has_no_story() {
    let dir = tempfile::tempdir().unwrap();
    let output = call(dir.path(), &["explain", "deny/program"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(shown(&output).contains("only scenarios of the families start, container and lies"));
}

#[test]
fn a_record_that_is_missing_is_an_error_where_all_are_required() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), &record("start/shebang", "6.12")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut command = exetrail(&["check", "."], dir.path(), cache.path());
    command.env("EXETRAIL_REQUIRE", "all");
    fails(command, &["no record of kernels 5.10, 6.1, "]);
}

#[test]
fn a_suite_misses_records_of_its_own_kernels_alone() {
    let dir = tempfile::tempdir().unwrap();
    let settings = "kernels = [\"6.12\", \"7.3\"]\n";
    fs::write(dir.path().join("exetrail.toml"), settings).unwrap();
    fs::create_dir_all(dir.path().join("cases/own")).unwrap();
    let case = "summary = \"a\"\n[exec]\npath = \"/a\"\n";
    fs::write(dir.path().join("cases/own/a.toml"), case).unwrap();
    let kept = Record {
        scenario: "own/a".into(),
        ..record("start/shebang", "6.12")
    };
    keep(&dir.path().join("records"), &kept).unwrap();
    let output = call(dir.path(), &["check", "--suite", ".", "records"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors, "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("note: there is no record of kernel 7.3\n"),
        "{said}"
    );
}

#[test]
fn snapshots_of_a_suite_that_names_no_kernels_are_told_to_be_inherited() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("exetrail.toml"), "").unwrap();
    fs::create_dir_all(dir.path().join("cases/own")).unwrap();
    let case = "summary = \"a\"\n[exec]\npath = \"/a\"\n";
    fs::write(dir.path().join("cases/own/a.toml"), case).unwrap();
    let snapshots = dir.path().join("snapshots/own/a/trail");
    fs::create_dir_all(&snapshots).unwrap();
    let text = "---\nsource: x\n---\nstart p1 by launcher: execve /a\nend p1: exit 0\n";
    fs::write(snapshots.join("5.10.snap"), text).unwrap();
    for args in [
        &["history", "--suite", ".", "own/a"][..],
        &["diff", "--suite", ".", "5.10", "6.12", "own/a"],
    ] {
        let output = call(dir.path(), args);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains("also where the suite was never run"),
            "{errors}"
        );
    }
}

#[test]
fn a_damaged_record_is_named() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), &record("start/shebang", "6.12")).unwrap();
    let file = dir.path().join("start/shebang/6.12.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    let output = call(dir.path(), &["report", ".", "-o", "report.html"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("start/shebang/6.12.json"), "{errors}");
    assert!(!dir.path().join("report.html").exists());
}

#[test]
fn two_shards_give_the_bytes_of_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let one = record("start/shebang", "6.1");
    let other = record("start/fexecve", "6.12");
    for (directory, record) in [("a", &one), ("b", &other), ("all", &one), ("all", &other)] {
        keep(&dir.path().join(directory), record).unwrap();
    }
    let joined = call(dir.path(), &["report", "b", "a", "-o", "-"]);
    let whole = call(dir.path(), &["report", "all", "-o", "-"]);
    assert!(joined.status.success());
    assert!(!joined.stdout.is_empty() && joined.stdout == whole.stdout);
}

#[test]
fn the_report_loads_nothing_from_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let page = shown(&call(dir.path(), &["report", "-o", "-"]));
    assert!(page.contains("id=\"start-shebang\""));
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_snapshot_whose_name_is_no_kernel_is_named() {
    let checkout = checkout(|root| {
        let directory = root.join("snapshots/start/shebang/trail");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("six.snap"), "---\n---\n").unwrap();
    });
    let cache = tempfile::tempdir().unwrap();
    let arguments = ["diff", "6.1", "6.12", "shebang"];
    let command = exetrail(&arguments, checkout.path(), cache.path());
    fails(command, &["six.snap is not a snapshot of a kernel"]);
}
