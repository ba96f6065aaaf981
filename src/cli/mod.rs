//! The command line: one file a subcommand.

mod boot;
mod fetch;
mod kernels;
mod list;
mod monitor;
mod progress;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How Linux kernels start programs: what an observer sees, in which order, under whose name.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios on kernels and show what was seen against the baselines (the default)
    Run(run::Args),
    /// List the scenarios with family, summary and needs
    List(list::Args),
    /// Show the kernel table, what is fetched and how it would run
    Kernels(kernels::Args),
    /// Start a shell, or one command, in a kernel; its exit status is passed on
    Boot(boot::Args),
    /// Fetch kernels and the fixture into the cache (vm/setup calls this)
    Fetch(fetch::Args),
    /// Show every open and every execution on a mount of the running system, as it happens
    Monitor(monitor::Args),
}

/// Reads the command line and does what it says.
///
/// Exit status: 0 all same or unsupported; 1 something changed or is new; 2 something is broken,
/// required but not run, or the call was wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Fetch(args)) => fetch::main(&args),
        Some(Command::Monitor(args)) => monitor::main(args),
        Some(Command::Run(args)) => run::main(&args),
        Some(Command::List(args)) => list::main(&args),
        Some(Command::Kernels(args)) => kernels::main(&args),
        Some(Command::Boot(args)) => boot::main(&args),
        None => run::main(&run::Args::default()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("exetrail: {error:#}");
        ExitCode::from(2)
    })
}
