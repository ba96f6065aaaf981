//! Every input of the fuzz targets' corpora once: `cargo +nightly fuzz run TARGET` goes on from them.

#![expect(clippy::expect_used, reason = "a target fails by panicking")]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> std::process::ExitCode {
    let args = Arguments::from_args();
    let trials = targets::TARGETS
        .iter()
        .map(|(name, run)| Trial::test(*name, move || replay(name, *run)));
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

fn replay(name: &str, run: fn(&[u8])) -> Result<(), Failed> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        run(&fs::read(entry?.path())?);
        count += 1;
    }
    match count {
        0 => Err("its corpus is empty".into()),
        _ => Ok(()),
    }
}
