//! Finds the scenarios and the snapshots, so that adding one touches no other code; names the build
//! by a hash of its sources; compiles the subject, a program without a library, and the library that an
//! observer has programs load; and, where there is a clang, the eBPF programs of the observers.
#![expect(
    clippy::expect_used,
    reason = "a build script has nobody to report to but cargo"
)]

use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
    list_scenarios(&root.join("scenarios"), &out.join("scenarios.rs"));
    pack_snapshots(&root.join("snapshots"), &out.join("snapshots.bin"));
    let build = build(&root);
    println!("cargo::rustc-env=EXETRAIL_BUILD={build:016x}");
    if let Some(commit) = commit(&root) {
        println!("cargo::rustc-env=EXETRAIL_COMMIT={commit}");
    }
    subject(&root, &out.join("exetrail-subject"));
    preload(&root, &out.join("exetrail-preload.so"));
    ebpf(&root.join("src/observer/ebpf"), &out);
    // The launcher is not relocated: it is executed at every boot, under emulation. The command is
    // position independent, as .cargo/config.toml has it by default.
    for flag in ["-no-pie", "-static"] {
        println!("cargo::rustc-link-arg-bin=exetrail-launcher={flag}");
    }
}

/// Writes a module for each file of a scenario, and the table of them.
fn list_scenarios(scenarios: &Path, out: &Path) {
    println!("cargo::rerun-if-changed=scenarios");
    let mut modules = String::new();
    let mut table = String::from("/// Every scenario, by family and name.\n");
    table.push_str("pub static SCENARIOS: &[Registered] = &[\n");
    for path in files_below(scenarios, "rs") {
        let relative = path
            .strip_prefix(scenarios)
            .expect("below it")
            .with_extension("");
        let name = relative.to_str().expect("names are ASCII").to_owned();
        let module = name.replace(['/', '-'], "_");
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(modules, "#[path = {path:?}] mod {module};").expect("memory");
        let docs = docs(&path);
        writeln!(
            table,
            "    Registered {{ name: {name:?}, docs: {docs:?}, scenario: &{module}::SCENARIO, case: None }},"
        )
        .expect("memory");
    }
    table.push_str("];\n");
    write(out, &(modules + &table));
}

/// Writes all snapshots as one file.
fn pack_snapshots(snapshots: &Path, out: &Path) {
    println!("cargo::rerun-if-changed=snapshots");
    // One file that is no text: of thousands that are rustc would keep the lines, seconds of each build.
    let mut all = vec![0xff];
    for path in files_below(snapshots, "snap") {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.strip_prefix(snapshots).expect("below it");
        let content = fs::read_to_string(&path).expect("a snapshot is text");
        for part in [name.to_str().expect("names are ASCII"), &content] {
            all.extend(
                u32::try_from(part.len())
                    .expect("a short text")
                    .to_le_bytes(),
            );
            all.extend(part.bytes());
        }
    }
    fs::write(out, all).expect("a directory of cargo's");
}

/// A hash of the sources of command and launcher.
fn build(root: &Path) -> u64 {
    let mut files = vec![
        root.join("build.rs"),
        root.join("Cargo.toml"),
        root.join("Cargo.lock"),
    ];
    for name in &files {
        println!("cargo::rerun-if-changed={}", name.display());
    }
    // Tables of `vm` are in the command.
    for directory in ["src", "scenarios", "vm"] {
        println!("cargo::rerun-if-changed={directory}");
        files.extend(files_below(&root.join(directory), ""));
    }
    let mut hash = DefaultHasher::new();
    for path in files {
        path.strip_prefix(root).expect("below it").hash(&mut hash);
        // A package without a lock is built as well.
        fs::read(&path).unwrap_or_default().hash(&mut hash);
    }
    hash.finish()
}

/// The commit whose sources these are; none where nobody knows, or they are no commit's. A later
/// commit that does not touch them builds nothing anew, and they are still those of this one.
fn commit(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        let output = git.arg("-C").arg(root).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // A package that was unpacked in somebody's checkout is not of that checkout.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        "build.rs",
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "scenarios",
        "snapshots",
        "vm",
    ])?;
    changed.is_empty().then(|| git(&["rev-parse", "HEAD"]))?
}

/// Compiles the subject: small in every profile, and with nothing that is relocated.
fn subject(root: &Path, out: &Path) {
    let target = std::env::var("TARGET").expect("cargo sets it");
    if !target.starts_with("x86_64-") {
        // `src/sys/bare.rs` says so with better words.
        write(out, "");
        return;
    }
    let mut rustc = Command::new(std::env::var_os("RUSTC").expect("cargo sets it"));
    rustc
        .args([
            "--edition=2024",
            "--crate-type=bin",
            "--crate-name=exetrail_subject",
        ])
        .args([
            "--target",
            &target,
            "-Cpanic=abort",
            "-Copt-level=s",
            "-Clto=fat",
        ])
        .args([
            "-Ccodegen-units=1",
            "-Crelocation-model=static",
            "-Cstrip=symbols",
        ])
        .args(["-Ctarget-feature=+crt-static", "-Clink-arg=-nostartfiles"])
        .args([
            "-Clink-arg=-nostdlib",
            "-Clink-arg=-static",
            "-Clink-arg=-no-pie",
        ])
        .arg("-Clink-arg=-Wl,--build-id=none")
        .arg(root.join("src/subject/main.rs"))
        .arg("-o")
        .arg(out);
    // It has modules of the others by their paths.
    let sources = ["src/subject", "src/sys", "src/trail"];
    let sources = sources.map(|directory| files_below(&root.join(directory), "rs"));
    compile(&mut rustc, &sources.concat(), out);
}

/// How the file is called that says of what another was made.
const STAMP: &str = "made-of";

/// Runs a compiler, unless what it would write is there already, made by the same call of the same files: a
/// scenario that is edited compiles none of these anew.
fn compile(compiler: &mut Command, sources: &[PathBuf], out: &Path) {
    let mut hash = DefaultHasher::new();
    // With the compiler's name and arguments.
    format!("{compiler:?}").hash(&mut hash);
    // What the first word starts may be named by the second: `ccache gcc`.
    let words = compiler
        .get_args()
        .take_while(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let version = Command::new(compiler.get_program())
        .args(words)
        .arg("--version")
        .output();
    version
        .map_or(Vec::new(), |output| output.stdout)
        .hash(&mut hash);
    for source in sources {
        fs::read(source).expect("a readable source").hash(&mut hash);
    }
    let made_of = format!("{:016x}", hash.finish());
    let stamp = out.with_extension(STAMP);
    if out.exists() && fs::read_to_string(&stamp).is_ok_and(|known| known == made_of) {
        return;
    }
    // A compiler that fails may leave half of a file, which the old stamp would vouch for once its source is as before.
    let _ = fs::remove_file(&stamp);
    let status = compiler
        .status()
        .unwrap_or_else(|error| panic!("failed to run {compiler:?}: {error}"));
    assert!(
        status.success(),
        "failed to make {}: {status}",
        out.display()
    );
    write(&stamp, &made_of);
}

/// Compiles the library that an observer has the loader bring into programs; by the C compiler that links this
/// program as well.
fn preload(root: &Path, out: &Path) {
    let source = root.join("src/observer/preload/preload.c");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-env-changed=CC");
    let mut compiler = c_compiler();
    compiler
        .args(["-shared", "-fPIC", "-O2", "-s", "-Wall", "-Wextra"])
        .args(["-ffreestanding", "-nostdlib", "-fno-stack-protector"])
        .args(["-fvisibility=hidden", "-Wl,--build-id=none"])
        .arg("-Wl,-z,noseparate-code")
        .arg(&source)
        .arg("-o")
        .arg(out);
    compile(&mut compiler, &[source], out);
}

/// The C compiler of the environment: a path, or several words such as `ccache gcc`. The crate cc, which builds libraries
/// for us, takes both as well.
fn c_compiler() -> Command {
    let named = std::env::var("CC").unwrap_or_default();
    if Path::new(&named).exists() {
        return Command::new(named);
    }
    let mut words = named.split_whitespace();
    let mut compiler = Command::new(words.next().unwrap_or("cc"));
    compiler.args(words);
    compiler
}

/// Compiles the programs of the observers that are eBPF. Without a clang the objects are empty, which
/// the observers say; where nothing may be left out it is an error.
fn ebpf(sources: &Path, out: &Path) {
    let clang = std::env::var_os("CLANG").unwrap_or_else(|| "clang".into());
    println!("cargo::rerun-if-env-changed=CLANG");
    let found = Command::new(&clang).arg("--version").output();
    let found = found.is_ok_and(|output| output.status.success());
    let headers = files_below(sources, "h");
    for source in files_below(sources, "c") {
        let name = source.file_stem().expect("it ends with .c");
        let object = out.join(name).with_extension("bpf.o");
        if !found {
            write(&object, "");
            // Nor is it taken for what a clang has made.
            let _ = fs::remove_file(object.with_extension(STAMP));
            continue;
        }
        let mut clang = Command::new(&clang);
        clang.args([
            "-target", "bpf", "-mcpu=v2", "-O2", "-g", "-Wall", "-Werror",
        ]);
        clang.args(["-Wno-unused-function", "-Wno-unused-variable"]);
        clang.arg("-c").arg(&source).arg("-o").arg(&object);
        compile(
            &mut clang,
            &[headers.as_slice(), &[source]].concat(),
            &object,
        );
    }
    if found {
        println!("cargo::rustc-cfg=exetrail_ebpf");
        return;
    }
    println!("cargo::rerun-if-env-changed=EXETRAIL_REQUIRE");
    // A clang that is installed later changes one of these.
    let path = std::env::var_os("PATH").unwrap_or_default();
    for directory in std::env::split_paths(&path).filter(|path| path.is_absolute() && path.exists())
    {
        println!("cargo::rerun-if-changed={}", directory.display());
    }
    let what = format!(
        "the observers that are eBPF are not built in: there is no {}; vm/setup installs clang",
        clang.display()
    );
    match std::env::var("EXETRAIL_REQUIRE").as_deref() {
        Ok("all") => println!("cargo::error={what}"),
        _ => println!("cargo::warning={what}"),
    }
}

/// The `//!` lines at the head of a scenario: its documentation, for people and for reports.
fn docs(path: &Path) -> String {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let docs: Vec<_> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert!(
        !docs.is_empty(),
        "{} has no documentation (//! lines)",
        path.display()
    );
    docs.join("\n")
}

/// The files below a directory that end so; all of them for no ending.
fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return files;
    };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            files.extend(files_below(&path, extension));
        } else if extension.is_empty() || path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
