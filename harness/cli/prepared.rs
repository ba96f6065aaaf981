//! What is wrong with a machine where kernel and fixture are there, in a cache of these tests' own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use exetrail::project::Project;
use serde_json::json;
use sha2::{Digest as _, Sha256};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A cache with a fixture of no files, and a kernel that would not come far.
struct Cache {
    directory: tempfile::TempDir,
    kernel: PathBuf,
}

impl Cache {
    fn new() -> Cache {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        let project = Project::open_at(None, place.to_owned()).unwrap();
        let table = serde_json::to_string(&project.fixture).unwrap();
        let pinned = project.fixture_lock.of("fixture");
        let key = format!("{table}\n{}", serde_json::to_string(&pinned).unwrap());
        let key = hex(&Sha256::digest(key)[..8]);
        let fixture = place.join("fixtures").join(key);
        fs::create_dir_all(&fixture).unwrap();
        let mut contents = serde_json::Map::new();
        let sum = json!({"size": 0, "sha256": hex(&Sha256::digest(""))});
        for part in project.fixture.parts().into_iter().chain(["base"]) {
            let name = format!("{part}.cpio");
            fs::write(fixture.join(&name), "").unwrap();
            contents.insert(name, sum.clone());
        }
        let found =
            json!({"table": table, "pinned": pinned, "taken": pinned, "contents": contents});
        fs::write(fixture.join("fixture.json"), found.to_string()).unwrap();
        let kernel = place.join("vmlinux");
        fs::write(&kernel, vmlinux()).unwrap();
        Cache { directory, kernel }
    }

    /// Runs `program` on the kernel; it must end with status 2. Returns what it wrote.
    fn run(&self, program: &Path, change: impl FnOnce(&mut Command)) -> String {
        let mut command = Command::new(program);
        command
            .args(["run", "shebang", "-k"])
            .arg(&self.kernel)
            .current_dir("/")
            .env("EXETRAIL_CACHE", self.directory.path())
            .env("EXETRAIL_ACCEL", "tcg")
            .env_remove("EXETRAIL_OBSERVE")
            .env_remove("EXETRAIL_REQUIRE")
            // Without cargo's word it does not have cargo build a launcher.
            .env_remove("CARGO");
        change(&mut command);
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.concat();
        assert_eq!(status.code(), Some(2), "{text}");
        text
    }
}

/// An ELF file that says which kernel it is, and has no code.
fn vmlinux() -> Vec<u8> {
    let mut elf = vec![0; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16] = 2; // ET_EXEC
    elf[18] = 62; // EM_X86_64
    elf[20] = 1;
    elf[52] = 64;
    elf.extend(b"Linux version 6.12.1 (x@y) (gcc) #1\n\0");
    elf
}

fn holds(text: &str, part: &str) {
    assert!(text.contains(part), "\"{part}\" is not in: {text}");
}

fn ours() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_exetrail"))
}

#[test]
fn a_wrong_accelerator_is_answered_with_the_right_ones() {
    let text = Cache::new().run(ours(), |command| {
        command.env("EXETRAIL_ACCEL", "xen");
    });
    holds(&text, "\"xen\" is unknown: it is tcg, kvm or auto");
}

#[test]
fn without_qemu_the_package_is_named() {
    let text = Cache::new().run(ours(), |command| {
        command.env("PATH", "/nonexistent");
    });
    holds(&text, "install it with vm/setup (package qemu-system-x86)");
}

/// What the command says that lies in a directory of its own, with this launcher or without one.
fn beside(launcher: Option<&[u8]>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let command = dir.path().join("exetrail");
    fs::hard_link(ours(), &command)
        .or_else(|_| fs::copy(ours(), &command).map(drop))
        .unwrap();
    if let Some(launcher) = launcher {
        fs::write(dir.path().join("exetrail-launcher"), launcher).unwrap();
    }
    Cache::new().run(&command, |_| {})
}

#[test]
fn without_its_launcher_the_command_says_what_to_build() {
    let text = beside(None);
    holds(
        &text,
        "/exetrail-launcher: the command needs it beside itself",
    );
    holds(&text, "build both with `cargo build`");
}

#[test]
fn a_launcher_of_another_build_is_refused_by_name() {
    let mut launcher = fs::read(env!("CARGO_BIN_EXE_exetrail-launcher")).unwrap();
    let build = exetrail::wire::BUILD.as_bytes();
    let places: Vec<_> = memchr::memmem::find_iter(&launcher, build).collect();
    for place in places {
        launcher[place..place + build.len()].fill(b'0');
    }
    let told = format!(
        "exetrail-launcher is of another build, 0000000000000000 instead of {}",
        exetrail::wire::BUILD
    );
    holds(&beside(Some(&launcher)), &told);
}
