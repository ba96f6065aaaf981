//! What becomes of a run beside an agent: the examples of docs/observer-protocol.md, and agents that are dead,
//! mute, flood, or say nonsense. Each costs its own view, and never the trail unless it holds a program.
#![expect(clippy::expect_used, reason = "a trial fails by panicking")]

mod call;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Once;

use anyhow::Result;
use call::{Gate, NO_KERNEL, ROOT, booting, newest};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

/// One that comes about by a link, so that a path can be as passed; its program ends at once.
const SCENARIO: &str = "start/symlink";

/// Word of `agent.sh`, and what is said of its report.
const BROKEN: [(&str, &[&str]); 15] = [
    ("dead", &["ended with status 3", "no licence"]),
    ("mute", &["did not say within 15 s", "that it is ready"]),
    // What it goes on to execute stands in no trail.
    ("busy", &["did not say within 15 s", "that it is ready"]),
    ("hello", &["first line", "no JSON", "hello"]),
    ("newer", &["version 2 of the protocol"]),
    ("dies", &["was ended by SIGSEGV", "out of memory"]),
    ("floods", &["said more than 10000 lines", "/flood"]),
    ("pours", &["said more than 10000 lines"]),
    (
        "complains",
        &["said more than 4 MiB to standard error", "trouble"],
    ),
    // What it has left its own group with writes as well.
    ("leaves", &["said more than 10000 lines"]),
    (
        "nonsense",
        &["unknown field `pth`", r#"{"pid":1,"pth":"/x"}"#],
    ),
    (
        "result",
        &["`result` is \"fine\"", r#"{"pid":1,"result":"fine"}"#],
    ),
    ("early", &["unknown field `pth`", r#"{"pid":1,"pth":"/x"}"#]),
    // It tells of nobody here, and never comes to an end.
    ("babbles", &["still talking when its 2 s", r#"{"pid":1}"#]),
    ("loses", &["reports of the observer were lost"]),
];

/// What a trial does on a kernel.
type Check = Box<dyn FnOnce(&str) -> Result<(), Failed> + Send>;

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // Mostly they wait for a limit.
    args.test_threads = args.test_threads.or(Some(4));
    match trials() {
        Ok(trials) => libtest_mimic::run(&args, trials).exit_code(),
        Err(error) => {
            eprintln!("agents: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// All of them, on the newest kernel that is fetched.
fn trials() -> Result<Vec<Trial>> {
    let gate = Gate::of_environment()?;
    let kernel = newest(&call::project()?)?.map(|kernel| kernel.label());
    let mut trials: Vec<Trial> = Vec::new();
    let mut add = |name: &str, check: Check| {
        let kernel = kernel.clone();
        trials.push(Trial::ignorable_test(name, move || match kernel {
            Some(kernel) => gate.run(None, || check(&kernel)),
            None => gate.not_run(NO_KERNEL),
        }));
    };
    for (word, said) in BROKEN {
        add(word, Box::new(move |kernel| is_broken(kernel, word, said)));
    }
    add("silent", Box::new(says_nothing));
    add("writes", Box::new(writes_beside_a_scenario));
    add("holds", Box::new(holds_the_monitor));
    add("keeps", Box::new(keeps_our_own_program));
    add("refused", Box::new(is_refused_before_a_boot));
    add("footprint", Box::new(leaves_a_footprint));
    add("views", Box::new(is_shown_where_it_is_named));
    add("shell", Box::new(in_shell));
    add("c", Box::new(in_c));
    add("baselines", Box::new(has_baselines_of_its_own));
    Ok(trials)
}

/// What a run printed.
struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(kernel: &str, scenarios: &[&str], options: &[&str]) -> Ran {
    let arguments = [&["run"], scenarios, &["-k", kernel], options].concat();
    let mut command = booting(&arguments, Path::new(ROOT));
    // Nobody else is wanted here, whatever the rest of the tests observe.
    command.env(exetrail::suite::VARIABLE, "trail");
    let output = command.output().expect("exetrail is there");
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ran {
    /// What a view is in the first record.
    fn view(&self, name: &str) -> Value {
        let line = self.stdout.lines().next().unwrap_or_default();
        let record: Value = serde_json::from_str(line).expect(&self.stderr);
        let views = record["seen"].as_array().expect("a record has views");
        let found = views.iter().find(|view| view["view"] == name);
        found.expect("the view is in the record").clone()
    }
}

/// They share a state of the machine, which the first one makes while the others wait.
fn of_word(kernel: &str, word: &str) -> Ran {
    static MADE: Once = Once::new();
    let of_word = |word: &str| {
        let command = format!("agent.sh {word}");
        let options = ["--add", "harness/agent.sh", "--format", "json"];
        let options = [&["--agent", &command][..], &options].concat();
        run(kernel, &[SCENARIO], &options)
    };
    MADE.call_once(|| drop(of_word("dead")));
    of_word(word)
}

fn check(holds: bool, ran: &Ran) -> Result<(), Failed> {
    match holds {
        true => Ok(()),
        false => Err(format!("{:?}\n{}\n{}", ran.status, ran.stdout, ran.stderr).into()),
    }
}

fn is_broken(kernel: &str, word: &str, said: &[&str]) -> Result<(), Failed> {
    let ran = of_word(kernel, word);
    let agent = ran.view("agent");
    let reason = agent["reason"].as_str().unwrap_or_default();
    let said = said.iter().all(|part| reason.contains(part));
    check(said && agent["outcome"] == "broken", &ran)?;
    check(ran.view("trail")["outcome"] == "same", &ran)?;
    check(ran.status == Some(2), &ran)
}

fn says_nothing(kernel: &str) -> Result<(), Failed> {
    let ran = of_word(kernel, "silent");
    let agent = ran.view("agent");
    check(agent["outcome"] == "seen", &ran)?;
    check(agent["body"]["cost"]["late"] == true, &ran)?;
    check(agent["body"]["events"] == serde_json::json!([]), &ran)?;
    check(ran.status == Some(0), &ran)
}

/// A log that grows is none of the scenario's doing.
fn writes_beside_a_scenario(kernel: &str) -> Result<(), Failed> {
    let ran = of_word(kernel, "writes");
    check(ran.view("trail")["outcome"] == "same", &ran)?;
    check(
        ran.view("agent")["outcome"] == "seen" && ran.status == Some(0),
        &ran,
    )
}

fn holds_the_monitor(kernel: &str) -> Result<(), Failed> {
    let ran = of_word(kernel, "holds");
    let trail = ran.view("trail");
    // A kernel that does not boot is broken as well.
    let reason = trail["reason"].as_str().unwrap_or_default();
    check(reason.contains("stood still for"), &ran)?;
    check(trail["outcome"] == "broken" && ran.status == Some(2), &ran)
}

/// PID 1 waits for its own programs, so that nobody but the watchdog of the agent could end this.
fn keeps_our_own_program(kernel: &str) -> Result<(), Failed> {
    let place = tempfile::tempdir().expect("a directory");
    let program = compiled(place.path(), "harness/keeps.c", "keeps")?;
    let agent = ["--agent", "keeps", "--add", &program, "--format", "json"];
    let ran = run(kernel, &[SCENARIO], &agent);
    let agent = ran.view("agent");
    let reason = agent["reason"].as_str().unwrap_or_default();
    let said = "the agent did not let a program of exetrail's own go on for 10 s, and was ended";
    check(agent["outcome"] == "broken" && reason.contains(said), &ran)?;
    // Nor does its log, though it is gone when files are compared.
    check(ran.view("trail")["outcome"] == "same", &ran)
}

fn in_shell(kernel: &str) -> Result<(), Failed> {
    let agent = ["--agent", "exec.sh", "--add", "docs/agents/exec.sh"];
    let scenarios = [SCENARIO, "start/fail_missing", "start/shebang"];
    let ran = run(kernel, &scenarios, &agent);
    check(ran.status == Some(0), &ran)?;
    // The path is what the tracepoint has; failed calls do not pass it.
    check(
        ran.stdout
            .contains("execs: known 2; failed calls: missed 1"),
        &ran,
    )?;
    check(
        ran.stdout
            .contains("the path is as passed (all):\n    start/symlink"),
        &ran,
    )?;
    check(!ran.stdout.contains("too late"), &ran)?;
    check(ran.stdout.contains("times as long beside it"), &ran)
}

fn is_refused_before_a_boot(kernel: &str) -> Result<(), Failed> {
    let added = ["--add", "docs/agents/exec.sh"];
    let refused: [(&[&str], &str); 5] = [
        (&["--agent", " "], "--agent has no command"),
        (
            &["--agent", "exec.sh", "--snapshots", "/dev/null"],
            "--snapshots /dev/null: this is no directory",
        ),
        (
            &["--agent", "exec.sh", "--snapshots", "/nowhere"],
            "--snapshots /nowhere: there is no such directory",
        ),
        (&["--view", "agent"], "--agent COMMAND, or by --tool NAME"),
        (
            &["--observe", "agent"],
            "--agent COMMAND, or by --tool NAME",
        ),
    ];
    for (options, said) in refused {
        let added = if options[0] == "--agent" {
            &added[..]
        } else {
            &[]
        };
        let ran = run(kernel, &[SCENARIO], &[options, added].concat());
        check(ran.status == Some(2) && ran.stderr.contains(said), &ran)?;
        check(!ran.stderr.contains("booting"), &ran)?;
    }
    Ok(())
}

/// What it does to others is no change of the suite: it is told, and the exit status is that of its own report.
fn leaves_a_footprint(kernel: &str) -> Result<(), Failed> {
    let agent = ["--agent", "agent.sh preloads", "--add", "harness/agent.sh"];
    let scenarios = ["start/normal", SCENARIO];
    let options = [&agent[..], &["--observe", "trail", "-v"]].concat();
    let ran = run(kernel, &scenarios, &options);
    check(ran.status == Some(0), &ran)?;
    let footprint = "its footprint: trail is not as accepted in 2 of 2";
    check(ran.stdout.contains(footprint), &ran)?;
    check(ran.stdout.contains("path=/etc/ld.so.preload"), &ran)?;
    check(ran.stdout.contains("standard error: a library more"), &ran)?;
    check(!ran.stdout.contains("stages"), &ran)
}

fn is_shown_where_it_is_named(kernel: &str) -> Result<(), Failed> {
    let agent = ["--agent", "exec.sh", "--add", "docs/agents/exec.sh"];
    let views = ["--view", "agent", "--view", "trail", "--show", "all"];
    let ran = run(kernel, &[SCENARIO], &[&agent[..], &views].concat());
    check(ran.status == Some(0), &ran)?;
    check(
        ran.stdout.contains("event=exec    pid=p1 : exec path="),
        &ran,
    )?;
    check(ran.stdout.contains("1 same, 1 seen"), &ran)
}

/// A static program of this source, by its path.
fn compiled(place: &Path, source: &str, name: &str) -> Result<String, Failed> {
    let program = place.join(name);
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-static", "-Wall", "-Werror", "-o"]);
    compiler.arg(&program).arg(source).current_dir(ROOT);
    let status = compiler.status().map_err(|error| format!("cc: {error}"))?;
    match status.success() {
        true => Ok(program.display().to_string()),
        false => Err(format!("{source} does not compile").into()),
    }
}

fn in_c(kernel: &str) -> Result<(), Failed> {
    let place = tempfile::tempdir().expect("a directory");
    let added = compiled(place.path(), "docs/agents/exec.c", "exec-agent")?;
    let ran = run(
        kernel,
        &[SCENARIO],
        &["--agent", "exec-agent", "--add", &added],
    );
    check(ran.status == Some(0), &ran)?;
    check(ran.stdout.contains("execs: known 1"), &ran)
}

fn has_baselines_of_its_own(kernel: &str) -> Result<(), Failed> {
    let place = tempfile::tempdir().expect("a directory");
    let snapshots = place.path().display().to_string();
    let agent = ["--agent", "exec.sh", "--add", "docs/agents/exec.sh"];
    let options = [&agent[..], &["--snapshots", &snapshots]].concat();
    let ran = run(
        kernel,
        &[SCENARIO],
        &[&options[..], &["--pending"]].concat(),
    );
    check(ran.status == Some(1), &ran)?;
    check(
        ran.stderr
            .contains("1 report is new or changed, of 1 scenario:"),
        &ran,
    )?;
    let hidden = run(
        kernel,
        &[SCENARIO],
        &[&options[..], &["--view", "trail"]].concat(),
    );
    let named = format!("agent is new: {SCENARIO} on {kernel}");
    check(hidden.stdout.contains(&named), &hidden)?;
    check(hidden.status == Some(1), &hidden)?;
    let directory = place.path().join(SCENARIO).join("agent");
    accept(&directory);
    let ran = run(kernel, &[SCENARIO], &options);
    check(ran.status == Some(0), &ran)
}

/// Accepts what is pending, as `cargo insta review` would.
fn accept(directory: &Path) {
    let entries = std::fs::read_dir(directory).expect("something is pending");
    for path in entries.flatten().map(|entry| entry.path()) {
        let accepted = path.with_extension("");
        std::fs::rename(&path, accepted).expect("it can be renamed");
    }
}
