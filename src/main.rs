//! The `exetrail` command. Everything is in the library; see `src/lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(role) = exetrail::guest::Role::of_this_process() {
        exetrail::guest::play(role)
    } else if exetrail::guest::is_guest() {
        exetrail::guest::main()
    } else {
        exetrail::cli::main()
    }
}
