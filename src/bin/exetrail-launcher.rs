//! PID 1 of a guest, launcher and monitor. Everything is in the library; see `src/guest/mod.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    exetrail::guest::main()
}
