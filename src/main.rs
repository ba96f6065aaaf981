//! The `exetrail` command. Everything is in the library; see `src/lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    exetrail::cli::main()
}
