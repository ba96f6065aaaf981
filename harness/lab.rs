//! `exetrail boot` as its user meets it: files and input in, output, files and status out, and an end.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

const KERNEL: &str = "6.12";

fn boot(directory: &Path, options: &[&str], command: &[&str]) -> Command {
    let mut exetrail = Command::new(env!("CARGO_BIN_EXE_exetrail"));
    exetrail
        .args(["boot", KERNEL])
        .args(options)
        .arg("--")
        .args(command);
    exetrail.current_dir(directory);
    exetrail
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn files_and_input_go_in_and_files_and_a_status_come_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("in")).unwrap();
    let script = "#!/bin/sh\ncat \"$(dirname \"$0\")/text\" - > /tmp/out\nsleep 1000 &\nexit 3\n";
    fs::write(dir.path().join("in/run.sh"), script).unwrap();
    fs::write(dir.path().join("in/text"), "from a file\n").unwrap();
    // More than the buffer of a terminal, so that a slow reader would lose some of it.
    let input: String = (0..4000).map(|line| format!("line {line}\n")).collect();
    fs::write(dir.path().join("input"), &input).unwrap();
    let options = ["--add", "in:/srv/in", "--fetch", "/tmp/out:got"];
    let mut command = boot(dir.path(), &options, &["sh", "/srv/in/run.sh"]);
    let output = command
        .stdin(File::open(dir.path().join("input")).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let got = fs::read_to_string(dir.path().join("got")).unwrap();
    assert!(
        got == format!("from a file\n{input}"),
        "{} bytes",
        got.len()
    );
}

#[test]
fn a_shell_that_waits_for_a_background_job_ends() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["sh", "-c", "sleep 0.1 & wait; echo waited"];
    let output = boot(dir.path(), &["--timeout", "60"], &words)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(output.stdout, b"waited\n");
}

#[test]
fn a_command_that_does_not_end_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let output = boot(dir.path(), &["--timeout", "2"], &["sleep", "1000"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(124), "{}", text(&output));
    assert!(
        text(&output).contains("did not end within 2 s"),
        "{}",
        text(&output)
    );
}
