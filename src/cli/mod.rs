//! The command line: one file a subcommand.

mod agent;
mod agent_worth;
mod bisect_step;
mod boot;
mod check;
mod contract;
mod diff;
mod explain;
mod fetch;
mod fetched;
mod help;
mod history;
mod hooks;
mod kernels;
mod list;
mod live;
mod model;
mod monitor;
mod observers;
mod output;
mod pending;
mod progress;
mod provenance;
mod report;
mod run;
mod targets;
mod tools;
mod trial;
mod views;

pub use contract::document;
pub use observers::document as observers_document;
pub use pending::write as write_pending;
pub use tools::document as tools_document;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::own;
use crate::project::Project;
use crate::trail::{printable, shown};
use crate::vm::session::Breakdown;

/// Exit status of a command that was interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// How Linux kernels start programs: what an observer sees, in which order, under whose name.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Use the suite in this directory instead of our own scenarios (docs/suites.md)
    #[arg(long, global = true, value_name = "DIR")]
    suite: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and show what is not as accepted (the default)
    Run(run::Args),
    /// Judge records that `run --records` kept, without a VM
    Check(check::Args),
    /// Show what changed between two kernels, from the snapshots
    Diff(diff::Args),
    /// Tell in words what the kernel does in a scenario's exec
    Explain(explain::Args),
    /// Show what is claimed of a system call, and whether it is true
    Contract(contract::Args),
    /// Show what other ways of watching tell of an exec, judged
    Observers(observers::Args),
    /// Show the kernels at which a scenario's behaviour changed
    History(history::Args),
    /// Write one HTML page, from kept records or from the snapshots
    Report(report::Args),
    /// Test one revision for git bisect run
    BisectStep(bisect_step::Args),
    /// List the scenarios with family, summary and needs
    List(list::Args),
    /// Show the kernel table, what is fetched and how it would run
    Kernels(kernels::Args),
    /// Execute your own program on kernels: what is seen, what differs
    Try(Box<trial::Args>),
    /// Start a shell or a command in a kernel; pass its status on
    Boot(boot::Args),
    /// Show whether functions, tracepoints and LSM hooks can be hooked
    Hooks(hooks::Args),
    /// Fetch kernels and the fixture into the cache (as vm/setup does)
    Fetch(fetch::Args),
    /// Execute random programs and compare what is seen with the model
    Model(model::Args),
    /// Show opens and execs on a mount of the running system
    Monitor(monitor::Args),
}

/// Makes a directory the suite of this process.
fn choose(directory: &Path) -> anyhow::Result<()> {
    own::choose(directory)?;
    match (own::chosen(), Project::open()) {
        (Some(own), Ok(project)) => own.check_kernels(&project.table),
        // Who needs the table says what is wrong with it.
        _ => Ok(()),
    }
}

/// Refuses a suite where nothing of it is read.
fn suitable(command: Option<&str>) -> anyhow::Result<()> {
    match command.filter(|name| help::WITHOUT_SUITE.contains(name)) {
        None => Ok(()),
        Some("contract" | "observers") => {
            bail!("this is judged from our own scenarios: leave --suite out")
        }
        Some(_) => bail!("this command reads no scenarios: leave --suite out"),
    }
}

/// Whether a call that may be wrong is one of `bisect-step`, wherever our own options stand: git-bisect(1) reads statuses
/// of its own, and takes most others for "bad".
fn is_bisecting(arguments: impl Iterator<Item = OsString>) -> bool {
    let mut own = arguments.skip(1).take_while(|word| word != "--");
    own.any(|word| word == "bisect-step")
}

/// The arguments that are no UTF-8, with their options.
fn no_text(arguments: impl Iterator<Item = OsString>) -> String {
    let mut before = String::new();
    let mut found = Vec::new();
    for word in arguments.skip(1) {
        match word.to_str() {
            Some(_) if before == "--" => {}
            Some(text) => text.clone_into(&mut before),
            None => {
                let shown = printable(word.as_encoded_bytes());
                found.push(match before.starts_with('-') && !shown.starts_with('-') {
                    true => format!("{shown} of {before}"),
                    false => shown,
                });
            }
        }
    }
    format!(
        "not UTF-8, as options and names in a guest must be: {}; rename the file, or make a symlink with a UTF-8 name",
        found.join(", ")
    )
}

/// Reads the command line and does what it says.
///
/// Exit status: 0 all same, seen or unsupported; 1 something changed or is new; 2 something is broken,
/// required but not run, what is to be written cannot be, or the call was wrong. `bisect-step`, `boot`, `monitor` and others have their own.
pub fn main() -> ExitCode {
    let bisecting = is_bisecting(std::env::args_os());
    let failure = if bisecting { bisect_step::ABORT } else { 2 };
    if let Err(errno) = crate::sys::hear_of_children() {
        tell!("error: failed to reset SIGCHLD: {errno}");
        return ExitCode::from(failure);
    }
    let matches = help::grouped(Cli::command()).try_get_matches();
    let command = matches.as_ref().ok().and_then(ArgMatches::subcommand_name);
    let command = command.map(ToOwned::to_owned);
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = cli.unwrap_or_else(|error| {
        match error.kind() {
            ErrorKind::InvalidUtf8 => tell!("error: {}", no_text(std::env::args_os())),
            // Nobody is left to hear of an output that cannot be written.
            _ => drop(error.print()),
        }
        std::process::exit(if error.use_stderr() {
            i32::from(failure)
        } else {
            0
        })
    });
    // What the call is, where it is right: the word may be the name of something else.
    let bisecting = matches!(cli.command, Some(Command::BisectStep(_)));
    let failure = if bisecting { bisect_step::ABORT } else { 2 };
    let chosen = match cli.suite.as_deref() {
        Some(suite) => suitable(command.as_deref()).and_then(|()| choose(suite)),
        None => Ok(()),
    };
    let ignored = own::chosen().map_or(&[][..], |own| &own.ignored);
    for path in ignored {
        let path = path.display();
        tell!("note: {path} is no case: the name of one ends in .toml");
    }
    let result = chosen.and_then(|()| match cli.command {
        Some(Command::Check(args)) => check::main(&args),
        Some(Command::Diff(args)) => diff::main(&args),
        Some(Command::Explain(args)) => explain::main(&args),
        Some(Command::Contract(args)) => contract::main(&args),
        Some(Command::Observers(args)) => observers::main(&args),
        Some(Command::History(args)) => history::main(&args),
        Some(Command::Report(args)) => report::main(&args),
        Some(Command::BisectStep(args)) => bisect_step::main(&args),
        Some(Command::Fetch(args)) => fetch::main(&args),
        Some(Command::Model(args)) => model::main(&args),
        Some(Command::Monitor(args)) => monitor::main(args),
        Some(Command::Run(args)) => run::main(&args),
        Some(Command::List(args)) => list::main(&args),
        Some(Command::Kernels(args)) => kernels::main(&args),
        Some(Command::Boot(args)) => boot::main(&args),
        Some(Command::Try(args)) => trial::main(&args),
        Some(Command::Hooks(args)) => hooks::main(&args),
        None => run::main(&run::Args::default()),
    });
    result.unwrap_or_else(|error| {
        if output::nobody_reads(&error) {
            return ExitCode::SUCCESS;
        }
        // It may quote a file, or name one, that somebody else made.
        tell!("exetrail: {}", shown(&format!("{error:#}")));
        let interrupted = matches!(error.downcast_ref(), Some(Breakdown::Interrupted));
        ExitCode::from(if interrupted && !bisecting {
            INTERRUPTED
        } else {
            failure
        })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::{OsString, is_bisecting, no_text};

    #[test]
    fn what_is_no_utf_8_is_named_with_its_option() {
        let of = |words: &[&[u8]]| {
            let words = words.iter().map(|word| OsString::from_vec(word.to_vec()));
            let text = no_text(words);
            let (_, text) = text.split_once("be: ").unwrap();
            text.split_once(';').unwrap().0.to_owned()
        };
        assert_eq!(
            of(&[b"exetrail", b"try", b"--cwd", b"/a\xff"]),
            r"/a\xff of --cwd"
        );
        assert_eq!(of(&[b"exetrail", b"--env=A=\xff"]), r"--env=A=\xff");
        assert_eq!(of(&[b"exetrail", b"--", b"sh", b"\xff"]), r"\xff of --");
    }

    #[test]
    fn a_wrong_call_of_bisect_step_is_one_wherever_options_stand() {
        let of = |words: &str| is_bisecting(words.split(' ').map(Into::into));
        assert!(of("exetrail bisect-step --wrong"));
        assert!(of("exetrail --suite DIR bisect-step --wrong"));
        assert!(!of("exetrail boot 6.12 -- bisect-step"));
    }
}
