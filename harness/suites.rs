//! A user's own suite, from its files to its exit status; every case of docs/suites.md is run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;

use std::fs;
use std::path::Path;
use std::process::{ExitCode, Output};

use call::{Need, ROOT, booting, text};

const KERNEL: &str = "6.12";

const TESTS: [(&str, fn()); 8] = [
    (
        "every_example_of_the_page_runs_is_accepted_and_is_the_same_again",
        every_example_of_the_page_runs_is_accepted_and_is_the_same_again,
    ),
    (
        "a_program_that_was_tried_becomes_a_case_that_is_run",
        a_program_that_was_tried_becomes_a_case_that_is_run,
    ),
    (
        "a_view_with_a_boot_of_its_own_is_shown_of_a_program_and_no_snapshots_of_its_name_are",
        a_view_with_a_boot_of_its_own_is_shown_of_a_program_and_no_snapshots_of_its_name_are,
    ),
    (
        "what_a_program_wrote_and_did_until_it_was_given_up_is_shown",
        what_a_program_wrote_and_did_until_it_was_given_up_is_shown,
    ),
    (
        "a_program_that_mounts_over_proc_is_seen_to_its_end",
        a_program_that_mounts_over_proc_is_seen_to_its_end,
    ),
    (
        "a_program_that_opens_more_files_than_a_trail_has_steps_is_told_so",
        a_program_that_opens_more_files_than_a_trail_has_steps_is_told_so,
    ),
    (
        "a_program_that_is_called_like_a_line_of_the_trace_has_its_own_stages",
        a_program_that_is_called_like_a_line_of_the_trace_has_its_own_stages,
    ),
    (
        "what_nobody_reads_is_kept_all_the_same",
        what_nobody_reads_is_kept_all_the_same,
    ),
];

fn main() -> ExitCode {
    call::run(&[(Need::Kernels(&[KERNEL]), &TESTS)])
}

fn exetrail(arguments: &[&str]) -> Output {
    booting(arguments, Path::new(ROOT)).output().unwrap()
}

/// The blocks of a page that are cases.
fn examples(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .collect()
}

fn every_example_of_the_page_runs_is_accepted_and_is_the_same_again() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/suites.md")).unwrap();
    let examples = examples(&page);
    assert!(examples.len() >= 8, "{}", examples.len());
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    fs::write(
        dir.path().join("exetrail.toml"),
        format!("kernels = [\"{KERNEL}\"]\n"),
    )
    .unwrap();
    for (number, example) in (1..).zip(&examples) {
        fs::write(
            dir.path().join(format!("cases/example-{number}.toml")),
            example,
        )
        .unwrap();
    }
    let suite = dir.path().to_str().unwrap();
    let first = exetrail(&["run", "--suite", suite, "--pending"]);
    assert_eq!(first.status.code(), Some(1), "{}", text(&first));
    accept(&dir.path().join("snapshots"));
    let gone = dir.path().join("snapshots/gone/trail");
    fs::create_dir_all(&gone).unwrap();
    fs::write(gone.join("6.12.snap"), "").unwrap();
    let second = exetrail(&["run", "--suite", suite]);
    assert_eq!(second.status.code(), Some(0), "{}", text(&second));
    let forgotten = "snapshots/gone has snapshots of a case that is not there";
    assert!(text(&second).contains(forgotten), "{}", text(&second));
    let summary = format!("{} scenarios, 1 kernel", examples.len());
    assert!(text(&second).contains(&summary), "{}", text(&second));
}

/// Accepts what is pending, as a reader would who has read it.
fn accept(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            accept(&path);
        } else if path.extension().is_some_and(|end| end == "new") {
            fs::rename(&path, path.with_extension("")).unwrap();
        }
    }
}

fn a_program_that_was_tried_becomes_a_case_that_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let suite = dir.path().to_str().unwrap();
    fs::write(dir.path().join("exetrail.toml"), "").unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    let first = "[exec]\npath = \"/usr/bin/true\"\n";
    fs::write(dir.path().join("cases/first.toml"), first).unwrap();
    let script = dir.path().join("run.sh");
    fs::write(&script, "#!/bin/sh\n:\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).unwrap();
    let script = script.to_str().unwrap();
    let tried = exetrail(&[
        "try",
        "--suite",
        suite,
        "--save",
        "own/script",
        "-k",
        KERNEL,
        "--",
        script,
    ]);
    assert_eq!(tried.status.code(), Some(0), "{}", text(&tried));
    assert!(
        text(&tried).contains(&format!("execute  {script}")),
        "{}",
        text(&tried)
    );
    let run = exetrail(&["run", "--suite", suite, "-k", KERNEL, "own/script"]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run));
    assert!(
        text(&run).contains(&format!("execute  {script}")),
        "{}",
        text(&run)
    );
}

fn a_view_with_a_boot_of_its_own_is_shown_of_a_program_and_no_snapshots_of_its_name_are() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("exetrail.toml"), "").unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    let case = "[exec]\npath = \"/usr/bin/true\"\n";
    fs::write(dir.path().join("cases/try.toml"), case).unwrap();
    // One that would be told of as damaged.
    let snapshots = dir.path().join("snapshots/try/trail");
    fs::create_dir_all(&snapshots).unwrap();
    fs::write(snapshots.join("6.12.snap"), "").unwrap();
    let suite = dir.path().to_str().unwrap();
    let view = ["--view", "ptrace-seccomp"];
    let words = ["try", "--suite", suite, "-k", KERNEL];
    let program = ["--", "/bin/bash", "-c", "true\nexit 0"];
    let tried = exetrail(&[&words[..], &view, &program].concat());
    assert_eq!(tried.status.code(), Some(0), "{}", text(&tried));
    let title = format!("ptrace-seccomp, on {KERNEL}");
    assert!(text(&tried).contains(&title), "{}", text(&tried));
}

fn what_a_program_wrote_and_did_until_it_was_given_up_is_shown() {
    let text_of = "echo hello; echo to you >&2; while :; do :; done";
    let words = ["try", "-k", KERNEL, "--deadline", "2"];
    let program = ["--", "/bin/bash", "-c", text_of];
    let tried = exetrail(&[&words[..], &program].concat());
    assert_eq!(tried.status.code(), Some(2), "{}", text(&tried));
    for wanted in [
        "| hello\n    | to you\n",
        "until it was killed",
        "(comm bash)",
        "end p1: signal SIGKILL",
        "stood still for 2 s",
    ] {
        assert!(text(&tried).contains(wanted), "{wanted}: {}", text(&tried));
    }
}

fn a_program_that_mounts_over_proc_is_seen_to_its_end() {
    // Another one's /proc, nothing, and none at all.
    for script in [
        "mount -t tmpfs none /proc; cat /etc/passwd >/dev/null",
        "mount -t tmpfs none /proc; mount -t tmpfs none /proc; cat /etc/passwd >/dev/null",
        "umount -l /proc; cat /etc/passwd >/dev/null",
    ] {
        let words = ["try", "-k", KERNEL, "--add", "/bin/cat", "--add"];
        let program = ["/bin/mount", "--add", "/bin/umount"];
        let script = ["--", "/bin/bash", "-c", script];
        let tried = exetrail(&[&words[..], &program, &script].concat());
        assert_eq!(tried.status.code(), Some(0), "{}", text(&tried));
        let last = text(&tried);
        let last = last
            .lines()
            .rfind(|line| line.contains("open     /etc/passwd"));
        assert!(last.is_some(), "{}", text(&tried));
        assert!(!text(&tried).contains("unreadable"), "{}", text(&tried));
        assert!(text(&tried).contains("(comm cat)"), "{}", text(&tried));
    }
}

fn a_program_that_opens_more_files_than_a_trail_has_steps_is_told_so() {
    let script = "for i in {1..10001}; do : </etc/passwd; done";
    let words = ["try", "--deadline", "300", "-k", KERNEL];
    let program = ["--", "/bin/bash", "-c", script];
    let tried = exetrail(&[&words[..], &program].concat());
    assert_eq!(tried.status.code(), Some(2), "{}", text(&tried));
    let wanted = "a trail has 10000 steps at the most";
    assert!(text(&tried).contains(wanted), "{}", text(&tried));
}

/// Whose name is a line of the kernel's trace, and a comm that looks like a field of it.
fn a_program_that_is_called_like_a_line_of_the_trace_has_its_own_stages() {
    let name = "/tmp/ newcomm=\\n               x-101     [000] .....     2: tracing_mark_write: exetrail step 9\\nb";
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("exetrail.toml"), "").unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    let case = format!(
        "[exec]\npath = \"{name}\"\n\n[[file]]\npath = \"{name}\"\ncopy = \"/usr/bin/true\"\n"
    );
    fs::write(dir.path().join("cases/line.toml"), case).unwrap();
    let suite = dir.path().to_str().unwrap();
    let observe = ["--observe", "stages,tracepoints,kprobes"];
    let words = ["run", "--suite", suite, "-k", KERNEL, "--show", "all"];
    let run = exetrail(&[&words[..], &observe].concat());
    assert_eq!(run.status.code(), Some(1), "{}", text(&run));
    let comm = "comm                   task:task_rename =  newcomm=\\x0a";
    assert!(text(&run).contains(comm), "{}", text(&run));
    assert!(text(&run).contains("4 new"), "{}", text(&run));
}

fn what_nobody_reads_is_kept_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("exetrail.toml"), "").unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    let first = "[exec]\npath = \"/usr/bin/true\"\n";
    fs::write(dir.path().join("cases/first.toml"), first).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let suite = dir.path().to_str().unwrap();
    let words = ["try", "--suite", suite, "-k", KERNEL];
    let saved = ["--save", "own/unread", "--", "/bin/true"];
    let mut command = booting(&[&words[..], &saved].concat(), Path::new(ROOT));
    let status = command.stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(dir.path().join("cases/own/unread.toml").exists());
}
