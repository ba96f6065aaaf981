//! Tools of others, from packages of Debian, against what is accepted of them; and what becomes of one that is
//! dead, mute or writes nonsense. It fetches packages and takes minutes a tool, so it is asked for:
//! `cargo test --test tools -- --ignored`, with names of tools for some of them.
#![expect(clippy::expect_used, reason = "a trial fails by panicking")]

mod call;

use std::path::Path;
use std::process::ExitCode;

use call::{ROOT, booting, checkout};
use exetrail::vm::tool::Tool;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

/// What a tool does that fails, and what is said of its report.
const BROKEN: [(&str, &str, &[&str]); 5] = [
    (
        "dead",
        "echo no licence >&2; exit 3",
        &["ended with status 3", "no licence"],
    ),
    (
        "dies",
        "echo 1; busybox sleep 1; echo out of memory >&2; exit 9",
        &["ended with status 9", "out of memory"],
    ),
    (
        "mute",
        "busybox sleep 1000",
        &["did not say within", "that it is ready"],
    ),
    // jq(1) may be too slow for it to say too much.
    ("floods", "busybox yes 1", &["\"pid\":1"]),
    (
        "nonsense",
        "echo 1; busybox sleep 1; echo rubbish; busybox sleep 1000",
        &[
            "ended with status 5",
            "its adapter does not know the line: rubbish",
        ],
    ),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let tools = match call::project().and_then(|project| project.tools()) {
        Ok(tools) => tools,
        Err(error) => {
            eprintln!("tools: {error:#}");
            return ExitCode::from(2);
        }
    };
    let kernels: Vec<String> = tools.kernels.iter().map(ToString::to_string).collect();
    let mut trials = Vec::new();
    for tool in tools.tools {
        let kernels = kernels.join(",");
        trials.push(Trial::test(tool.name.clone(), move || {
            says_what_is_accepted(&tool, &kernels)
        }));
    }
    let newest = kernels.last().cloned().unwrap_or_default();
    for (name, command, said) in BROKEN {
        let newest = newest.clone();
        trials.push(Trial::test(format!("broken::{name}"), move || {
            is_broken(&newest, command, said)
        }));
    }
    let trials = trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(true));
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

/// The records of a run beside a tool, in a checkout; none of one that was interrupted.
fn run(
    checkout: &Path,
    tool: &str,
    scenarios: &[&str],
    kernels: &str,
) -> Result<Vec<Value>, Failed> {
    let options = ["-k", kernels, "--format", "json", "--tool", tool];
    let mut command = booting(&[&["run"], scenarios, &options].concat(), checkout);
    command.env(exetrail::suite::VARIABLE, "trail");
    let output = command.output().expect("exetrail is there");
    // What was seen until then would be told as if it were all.
    if !matches!(output.status.code(), Some(0..=2)) {
        return Err(format!("the run ended with {}", output.status).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let records = text.lines().map(|line| {
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(line).expect(&said)
    });
    Ok(records.collect())
}

/// What the view is in a record.
fn view<'a>(record: &'a Value, name: &str) -> &'a Value {
    let views = record["seen"].as_array().expect("a record has views");
    let found = views.iter().find(|view| view["view"] == name);
    found.unwrap_or(&Value::Null)
}

fn says_what_is_accepted(tool: &Tool, kernels: &str) -> Result<(), Failed> {
    let scenarios = ["start", "container", "lies"];
    let records = run(Path::new(ROOT), &tool.name, &scenarios, kernels)?;
    let mut wrong = Vec::new();
    for record in &records {
        let agent = view(record, "agent");
        let outcome = agent["outcome"].as_str().unwrap_or_default();
        let reason = agent["reason"].as_str().unwrap_or_default();
        let well = match &tool.fails {
            Some(said) => outcome == "broken" && reason.contains(said),
            None => ["same", "unsupported"].contains(&outcome),
        };
        if !agent.is_null() && !well {
            wrong.push(format!(
                "{} on {}: {agent}",
                record["scenario"], record["kernel"]["id"]
            ));
        }
    }
    match (records.is_empty(), wrong.is_empty()) {
        (true, _) => Err("nothing was run".into()),
        (false, true) => Ok(()),
        (false, false) => Err(wrong.join("\n").into()),
    }
}

/// A checkout whose one tool fails.
fn is_broken(kernel: &str, command: &str, said: &[&str]) -> Result<(), Failed> {
    let table = format!(
        "kernels = []\n[[tool]]\nname = \"failing\"\npackages = [\"jq\"]\nversion = \"any\"\n\
         through = \"nothing\"\ncommand = '''{command}'''\n\
         read = '''inputs | line(\"^(?<pid>[0-9]+)$\") | {{pid: (.pid | tonumber)}}'''\n"
    );
    let place = checkout(|root| {
        std::fs::write(root.join("vm/tools.toml"), table).expect("a table");
        let snapshots = Path::new(ROOT).join("snapshots");
        std::os::unix::fs::symlink(snapshots, root.join("snapshots")).expect("a link");
    });
    let records = run(place.path(), "failing", &["start/symlink"], kernel)?;
    let record = records.first().expect("a record");
    let agent = view(record, "agent");
    let reason = agent["reason"].as_str().unwrap_or_default();
    let said = said.iter().all(|part| reason.contains(part));
    let trail = view(record, "trail");
    match said && agent["outcome"] == "broken" && trail["outcome"] == "same" {
        true => Ok(()),
        false => Err(record.to_string().into()),
    }
}
