//! Shell scripts of this checkout, and its build script, where what they call fails: copies, with programs of ours in the
//! place of cargo, of a compiler, of the monitor.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILT: &str = "target/x86_64-unknown-linux-gnu/debug/exetrail";
const TABLE: &str = "target\treached\tnot reached\twhich\nims\t1\t0\t\nold\t9\t0\t\ntwo\t7\t1\tx\n";

/// A directory with scripts, and programs that they find first.
struct Place(tempfile::TempDir);

impl Place {
    fn with(scripts: &[&str]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("bin")).unwrap();
        for name in scripts {
            place.write(
                name,
                &fs::read_to_string(Path::new(ROOT).join(name)).unwrap(),
            );
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A program, as a script of sh.
    fn program(&self, name: &str, script: &str) {
        self.write(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Calls a shell with a script and its arguments; nothing else is found but what is in `bin` and in these directories.
    fn call_among(&self, shell: &str, words: &[&str], found: &str) -> (Option<i32>, String) {
        let path = format!("{}:{found}", self.path("bin").display());
        let mut command = Command::new(shell);
        command
            .args(words)
            .current_dir(self.0.path())
            .env("PATH", path);
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let said = [stdout, stderr].concat();
        (status.code(), String::from_utf8(said).unwrap())
    }

    fn call(&self, shell: &str, words: &[&str]) -> (Option<i32>, String) {
        self.call_among(shell, words, &std::env::var("PATH").unwrap())
    }

    /// A `cargo fuzz` whose targets reach a function, `Thing::seen`, and all but `ims` have one that they do not reach.
    fn cargo_fuzz(&self) {
        let symbols = "target/symbols/x86_64-unknown-linux-gnu/release";
        fs::create_dir_all(self.path("fuzz").join(symbols)).unwrap();
        let src = self.path("src/a.rs");
        self.program(
            "bin/cargo",
            &format!(
                r#"case "$*" in *" list"*) echo two; echo ims; exit ;; esac
for target; do :; done
program={symbols}/$target
{{
    echo '#!/bin/sh'
    echo 'echo "COVERED_FUNC: hits: 1 edges: 1/2 Thing::seen {src}:1"'
    [ $target = ims ] || echo 'echo "UNCOVERED_FUNC: hits: 0 edges: 0/2 Thing::not {src}:2"'
}} >$program
chmod 755 $program"#,
                src = src.display(),
            ),
        );
    }
}

#[test]
fn a_list_of_targets_that_fails_is_no_empty_list() {
    for script in ["fuzz/run", "fuzz/functions"] {
        let place = Place::with(&[script]);
        place.write("fuzz/functions.tsv", TABLE);
        place.program("bin/cargo", "exit 101");
        let (status, said) = place.call("sh", &[script, "1"]);
        assert_eq!(status, Some(101), "{script}: {said}");
        assert_eq!(place.read("fuzz/functions.tsv"), TABLE);
    }
}

#[test]
fn without_a_number_a_script_that_fuzzes_says_how_it_is_called() {
    let place = Place::with(&["fuzz/run", "fuzz/functions"]);
    for words in [
        &["fuzz/run"][..],
        &["fuzz/run", "-n"],
        &["fuzz/run", "trail"],
        &["fuzz/functions"],
    ] {
        let (status, said) = place.call("sh", words);
        assert_eq!(status, Some(2), "{words:?}: {said}");
        assert!(
            said.contains(&format!("{} SECONDS [TARGET...]", words[0])),
            "{said}"
        );
    }
}

#[test]
fn functions_of_a_target_replace_its_own_line() {
    let place = Place::with(&["fuzz/functions"]);
    place.cargo_fuzz();
    place.write("fuzz/functions.tsv", TABLE);
    let (status, said) = place.call("sh", &["fuzz/functions", "1", "two"]);
    assert_eq!(status, Some(0), "{said}");
    let new = TABLE.replace("two\t7\t1\tx", "two\t1\t1\tThing::not");
    assert_eq!(place.read("fuzz/functions.tsv"), new);
}

#[test]
fn functions_of_all_targets_are_the_whole_table() {
    let place = Place::with(&["fuzz/functions"]);
    place.cargo_fuzz();
    place.write("fuzz/functions.tsv", TABLE);
    let (status, said) = place.call("sh", &["fuzz/functions", "1"]);
    assert_eq!(status, Some(0), "{said}");
    let head = TABLE.lines().next().unwrap();
    let new = format!("{head}\nims\t1\t0\t\ntwo\t1\t1\tThing::not\n");
    assert_eq!(place.read("fuzz/functions.tsv"), new);
}

#[test]
fn a_target_that_cannot_be_built_leaves_the_table() {
    let place = Place::with(&["fuzz/functions"]);
    place.program("bin/cargo", "exit 101");
    place.write("fuzz/functions.tsv", TABLE);
    let (status, said) = place.call("sh", &["fuzz/functions", "1", "two"]);
    assert_eq!(status, Some(101), "{said}");
    assert_eq!(place.read("fuzz/functions.tsv"), TABLE);
}

/// Two checkouts whose commands do this.
fn two_checkouts(here: &str, there: &str) -> Place {
    let place = Place::with(&["benches/against"]);
    place.program("bin/cargo", "");
    place.program("there/vm/setup", "");
    place.write("there/Cargo.toml", "");
    place.program(BUILT, here);
    place.program(&format!("there/{BUILT}"), there);
    place
}

#[test]
fn a_checkout_that_cannot_list_its_scenarios_is_not_measured() {
    let lists = "echo start/normal; echo contract/order";
    let place = two_checkouts(lists, "[ $1 != list ]");
    let (status, said) = place.call("bash", &["benches/against", "there", "1"]);
    assert_eq!((status, said.as_str()), (Some(1), ""));
}

#[test]
fn checkouts_with_nothing_in_common_are_not_measured() {
    let place = two_checkouts("echo start/normal", "echo start/renamed");
    let (status, said) = place.call("bash", &["benches/against", "there", "1"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("no scenario of start/ is in both"), "{said}");
}

#[test]
fn the_benchmark_of_the_monitor_wants_root_before_it_builds() {
    let place = Place::with(&["benches/monitor"]);
    place.program("bin/id", "echo 1000");
    place.program("bin/cargo", "echo built");
    let (status, said) = place.call("bash", &["benches/monitor"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("benches/monitor: run it as root"), "{said}");
    assert!(!said.contains("built"), "{said}");
}

#[test]
fn a_compiler_without_a_c_library_is_not_enough() {
    let place = Place::with(&["vm/packages"]);
    for name in ["qemu-system-x86_64", "clang", "cargo"] {
        place.program(&format!("bin/{name}"), "");
    }
    // As gcc answers for what it does not find.
    place.program("bin/cc", "echo libc.a");
    let (status, said) = place.call_among("/bin/sh", &["vm/packages"], "/nonexistent");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("gcc libc6-dev"), "{said}");
}

/// Runs what vm/system does in its guest: its functions, with a program of the place as the monitor, and one second for
/// everything.
fn in_guest(place: &Place, script: &str) -> String {
    let guest = place.read("vm/system-guest");
    let (functions, _) = guest.split_once("\nmapfile -t wanted").unwrap();
    let head = "exetrail=$PWD/bin/exetrail; patience=1; what=it; longest=0";
    place.write("test", &format!("{functions}\n{head}\n{script}"));
    place.call("bash", &["test", "1"]).1
}

#[test]
fn a_monitor_that_never_watches_is_bad() {
    let place = Place::with(&["vm/system-guest"]);
    place.program("bin/exetrail", "while sleep 2; do echo soon >&2; done");
    let said = in_guest(&place, "watch /");
    assert_eq!(said, "BAD it: it does not watch /: \n");
}

#[test]
fn a_monitor_that_a_key_does_not_end_is_bad_and_killed() {
    let place = Place::with(&["vm/system-guest"]);
    fs::copy("/bin/sleep", place.path("bin/exetrail")).unwrap();
    let said = in_guest(
        &place,
        "exec 4>/dev/null; $exetrail 60 & guard=$!; end_on_terminal 2>&1",
    );
    assert!(said.contains("BAD it: not done after 1 s"), "{said}");
    assert!(said.contains("BAD it: status 137 instead of 0"), "{said}");
}

#[test]
fn what_is_done_in_time_ends_with_its_own_status() {
    let place = Place::with(&["vm/system-guest"]);
    let said = in_guest(&place, "within 60 eval '(exit 7)'; echo $?");
    assert_eq!(said, "7\n");
}

/// The build script with compilers of ours, which put `good` into what they make.
struct Build(Place);

impl Build {
    const MAKES: &str = "for out; do :; done\necho good >$out";

    fn new() -> Build {
        let place = Place::with(&["build.rs"]);
        place.write("src/observer/preload/preload.c", "");
        fs::create_dir(place.path("out")).unwrap();
        place.program("bin/cc", Build::MAKES);
        place.program("bin/own-rustc", Build::MAKES);
        let made = Command::new("rustc")
            .args(["--edition=2024", "-o", "made", "build.rs"])
            .current_dir(place.0.path())
            .status();
        assert!(made.unwrap().success());
        Build(place)
    }

    /// What it says; it ends with status 0 or not.
    fn run(&self, compiler: &str) -> Result<(), String> {
        let script = format!(
            "CARGO_MANIFEST_DIR=$PWD OUT_DIR=$PWD/out TARGET=x86_64-unknown-linux-gnu RUSTC=own-rustc \
             CC='{compiler}' CLANG=no-clang RUST_BACKTRACE=0 ./made"
        );
        match self.0.call("sh", &["-c", &script]) {
            (Some(0), _) => Ok(()),
            (_, said) => Err(said),
        }
    }
}

#[test]
fn what_a_compiler_left_that_failed_is_not_built_in() {
    let build = Build::new();
    build.run("cc").unwrap();
    let source = "src/observer/preload/preload.c";
    build.0.write(source, "broken");
    build
        .0
        .program("bin/cc", "for out; do :; done\n: >$out\nexit 1");
    build.run("cc").unwrap_err();
    build.0.write(source, "");
    build.0.program("bin/cc", Build::MAKES);
    build.run("cc").unwrap();
    assert_eq!(build.0.read("out/exetrail-preload.so"), "good\n");
}

#[test]
fn a_c_compiler_may_be_two_words() {
    let build = Build::new();
    build.run("env cc").unwrap();
    assert_eq!(build.0.read("out/exetrail-preload.so"), "good\n");
    let said = build.run("no-ccache cc").unwrap_err();
    assert!(
        said.contains("failed to run \"no-ccache\" \"cc\""),
        "{said}"
    );
}
