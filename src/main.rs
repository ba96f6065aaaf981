//! The `exetrail` command. Everything is in the library; see `src/lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if exetrail::guest::is_guest() {
        exetrail::guest::main()
    } else {
        exetrail::cli::main()
    }
}
