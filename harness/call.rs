//! The command, called as its user calls it, for tests of what it says and how it ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// This checkout.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The command in this cache, with nothing of the environment that would change its mind.
pub fn exetrail(arguments: &[&str], directory: &Path, cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exetrail"));
    command
        .args(arguments)
        .current_dir(directory)
        .env("EXETRAIL_CACHE", cache);
    for name in ["EXETRAIL_ACCEL", "EXETRAIL_OBSERVE", "EXETRAIL_REQUIRE"] {
        command.env_remove(name);
    }
    command
}

/// Holds that a command ends with status 2 and says this on standard error.
pub fn fails(mut command: Command, wanted: &[&str]) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stderr);
    for part in wanted {
        assert!(text.contains(part), "\"{part}\" is not in: {text}");
    }
    assert_eq!(status.code(), Some(2), "{text}");
}

/// A checkout with the tables of this one, changed.
pub fn checkout(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("vm")).unwrap();
    let tables = [
        "kernels.toml",
        "kernels.lock",
        "fixture.toml",
        "fixture.lock",
    ];
    for file in ["Cargo.toml".to_owned()]
        .into_iter()
        .chain(tables.map(|name| format!("vm/{name}")))
    {
        fs::copy(Path::new(ROOT).join(&file), dir.path().join(&file)).unwrap();
    }
    change(dir.path());
    dir
}
