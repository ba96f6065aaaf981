//! `exetrail boot` as its user meets it: files and input in, output, files and status out, and an end; and docs/lab.md
//! as it stands.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use call::{Need, booting, text};

/// The kernel of the page's examples.
const KERNEL: &str = "6.12";

const TESTS: [(&str, fn()); 8] = [
    (
        "files_and_input_go_in_and_files_and_a_status_come_out",
        files_and_input_go_in_and_files_and_a_status_come_out,
    ),
    (
        "a_shell_that_waits_for_a_background_job_ends",
        a_shell_that_waits_for_a_background_job_ends,
    ),
    (
        "a_kernel_does_not_measure_how_fast_its_counter_runs",
        a_kernel_does_not_measure_how_fast_its_counter_runs,
    ),
    (
        "what_is_looked_for_below_sys_is_mounted",
        what_is_looked_for_below_sys_is_mounted,
    ),
    (
        "a_command_that_turns_the_machine_off_has_no_status",
        a_command_that_turns_the_machine_off_has_no_status,
    ),
    (
        "a_command_that_does_not_end_is_ended",
        a_command_that_does_not_end_is_ended,
    ),
    (
        "the_first_examples_of_the_page_run_as_they_stand",
        the_first_examples_of_the_page_run_as_they_stand,
    ),
    (
        "the_recipe_for_an_agent_runs_as_it_stands",
        the_recipe_for_an_agent_runs_as_it_stands,
    ),
];

fn main() -> ExitCode {
    call::run(&[(Need::Kernels(&[KERNEL]), &TESTS)])
}

fn boot(directory: &Path, options: &[&str], command: &[&str]) -> Command {
    let arguments = [&["boot", KERNEL], options, &["--"], command].concat();
    booting(&arguments, directory)
}

fn files_and_input_go_in_and_files_and_a_status_come_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("in")).unwrap();
    let script = "#!/bin/sh\ncat \"$(dirname \"$0\")/text\" - > /tmp/out\nsleep 1000 &\nexit 3\n";
    fs::write(dir.path().join("in/run.sh"), script).unwrap();
    fs::write(dir.path().join("in/text"), "from a file\n").unwrap();
    // Many chunks.
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

fn a_shell_that_waits_for_a_background_job_ends() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["sh", "-c", "sleep 0.1 & wait; echo waited"];
    let output = boot(dir.path(), &["--timeout", "60"], &words)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(output.stdout, b"waited\n");
}

/// What a kernel measures of its counter on a busy host may be wrong by a large factor, and all its times with it.
fn a_kernel_does_not_measure_how_fast_its_counter_runs() {
    let dir = tempfile::tempdir().unwrap();
    let output = boot(dir.path(), &[], &["sh", "-c", "dmesg | grep ' tsc: '"])
        .output()
        .unwrap();
    let said = text(&output);
    let khz = exetrail::vm::tsc::khz().unwrap();
    let told = said.lines().find_map(|line| line.split_once("Detected "));
    // In MHz, with three digits behind the dot.
    let told = told.and_then(|(_, rest)| rest.split(' ').next()?.replace('.', "").parse().ok());
    assert!(
        exetrail::vm::tsc::is_alike(told, Some(khz)),
        "{khz}: {said}"
    );
    for measured in [
        "reference calibration",
        "calibrate against PIT",
        "PIT calibration",
    ] {
        assert!(!said.contains(measured), "{said}");
    }
}

fn what_is_looked_for_below_sys_is_mounted() {
    let dir = tempfile::tempdir().unwrap();
    let script = "for d in /sys/kernel/debug /sys/kernel/security /sys/kernel/tracing /sys/fs/cgroup /sys/fs/bpf \
                  /dev/mqueue /dev/shm; do grep -q \" $d \" /proc/mounts || echo $d is not mounted; done";
    let output = boot(dir.path(), &[], &["sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(output.stdout, b"", "{}", text(&output));
}

fn a_command_that_turns_the_machine_off_has_no_status() {
    let dir = tempfile::tempdir().unwrap();
    let output = boot(dir.path(), &[], &["poweroff", "-f"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let told = "the machine was turned off or restarted from inside";
    assert!(text(&output).contains(told), "{}", text(&output));
}

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

/// The first block of `sh` of docs/lab.md from these words on.
fn recipe(words: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lab.md")).unwrap();
    let (_, rest) = page.split_once(words).unwrap();
    let (_, rest) = rest.split_once("```sh\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    script.to_owned()
}

/// Runs a script of the page as its reader would, who has these programs in the working directory.
fn as_it_stands(script: &str, programs: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in programs {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
    }
    let ours = Path::new(env!("CARGO_BIN_EXE_exetrail")).parent().unwrap();
    let path = format!("{}:{}", ours.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    let shell = shell.args(["-e", "-c", script]).current_dir(&dir);
    shell.env("PATH", path).output().unwrap()
}

fn the_first_examples_of_the_page_run_as_they_stand() {
    let script = recipe("# A kernel as a lab");
    // Without a network, and without a terminal.
    let kept = |line: &&str| !line.contains("--packages") && line.contains(" -- ");
    let lines: Vec<_> = script.lines().filter(kept).collect();
    assert_eq!(lines.len(), 6, "{script}");
    let programs = [
        ("probe.sh", "#!/bin/sh\necho probed\n"),
        ("build/run", "#!/bin/sh\necho agent\n"),
        ("stress", "#!/bin/sh\nnproc\n"),
    ];
    let output = as_it_stands(&(lines.join("\n") + "\ntest -s results/dmesg"), &programs);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed: Vec<_> = printed.lines().collect();
    assert!(printed[0].starts_with("6.12."), "{printed:?}");
    assert_eq!(printed[1..], ["probed", "agent", "6", "2"]);
}

fn the_recipe_for_an_agent_runs_as_it_stands() {
    let script = recipe("**Your own agent**");
    let agent = "#!/bin/sh\ntrap 'echo ended; exit' TERM\necho watching\nsleep 1000 &\nwait\n";
    let output = as_it_stands(&script, &[("agent", agent)]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let printed = text(&output);
    let seen = ["watching", "\nusr\n", "ended"].map(|word| printed.contains(word));
    assert_eq!(seen, [true; 3], "{printed}");
}
