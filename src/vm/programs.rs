//! The command and the launcher beside it, which must be of one build.
//!
//! Two files of one package, which `cargo build`, `cargo install` and a release put into one
//! directory. (`cargo run` builds the command alone: then the launcher is built here.) The third
//! program, the subject, is a part of the command.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use goblin::elf::Elf;
use goblin::elf::program_header::PT_INTERP;

use crate::wire::{BUILD, MARKER};

/// Name of the launcher's file.
const LAUNCHER: &str = "exetrail-launcher";

/// Command and launcher of one build.
#[derive(Clone, Debug)]
pub struct Programs {
    command: PathBuf,
    executable: PathBuf,
    launcher: Vec<u8>,
}

impl Programs {
    /// The launcher that lies beside a command.
    ///
    /// # Errors
    ///
    /// There is none, it is of another build, or it is not linked statically.
    pub fn beside(command: &Path) -> Result<Programs> {
        let executable = command.with_file_name(LAUNCHER);
        let launcher = match read(&executable) {
            Err(_) if is_of_cargo_run() => {
                build(command)?;
                read(&executable)?
            }
            result => result?,
        };
        Ok(Programs {
            command: command.to_owned(),
            executable,
            launcher,
        })
    }

    /// The launcher without what is never loaded.
    #[must_use]
    pub fn launcher(&self) -> &[u8] {
        &self.launcher
    }

    /// The launcher's file.
    #[must_use]
    pub fn executable(&self) -> &Path {
        &self.executable
    }

    /// The command without what is never loaded, to be run inside of a guest.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is not linked statically.
    pub fn command(&self) -> Result<Vec<u8>> {
        file(&self.command)
    }
}

#[cfg(test)]
impl Programs {
    /// A launcher that nobody will execute.
    pub(super) fn of_launcher(bytes: &[u8]) -> Programs {
        Programs {
            command: PathBuf::new(),
            executable: PathBuf::new(),
            launcher: bytes.to_vec(),
        }
    }
}

fn file(path: &Path) -> Result<Vec<u8>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    loadable(&bytes).with_context(|| format!("{} cannot run in a guest", path.display()))
}

/// Reads a launcher of this build.
fn read(path: &Path) -> Result<Vec<u8>> {
    let help = "build both with `cargo build`, or install both with `cargo install --path .`";
    if !path.exists() {
        bail!(
            "there is no {}: the command needs it beside itself; {help}",
            path.display()
        );
    }
    let launcher = file(path)?;
    match build_of(&launcher) {
        Some(BUILD) => Ok(launcher),
        Some(other) => bail!(
            "{} is of another build, {other} instead of {BUILD}; {help}",
            path.display()
        ),
        None => bail!("{} is not a launcher of exetrail; {help}", path.display()),
    }
}

/// The build that a program says of itself.
fn build_of(program: &[u8]) -> Option<&str> {
    let places = memchr::memmem::find_iter(program, MARKER);
    let builds = places.filter_map(|place| {
        let start = place + MARKER.len();
        let build = program.get(start..start + BUILD.len())?;
        // Elsewhere the marker is followed by something else.
        let hex = build.iter().all(u8::is_ascii_hexdigit);
        (hex && program.get(start + BUILD.len()) == Some(&b'.')).then_some(build)
    });
    let builds: Vec<_> = builds.collect();
    std::str::from_utf8(builds.first()?).ok()
}

/// Whether `cargo run` executed this command: cargo says where the package is (environment
/// variables of its book, "Environment variables Cargo sets for crates").
fn is_of_cargo_run() -> bool {
    std::env::var_os("CARGO").is_some()
        && std::env::var_os("CARGO_MANIFEST_DIR")
            .is_some_and(|dir| dir == *env!("CARGO_MANIFEST_DIR"))
}

/// Builds the launcher as the command was built, whose directory has the name of the profile.
fn build(command: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").context("cargo has not said where it is")?;
    let profile = command.parent().and_then(Path::file_name);
    let profile = match profile.and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(cargo);
    cargo
        .args(["build", "--quiet", "--bin", LAUNCHER, "--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = cargo.status().context("failed to run cargo")?;
    if !status.success() {
        bail!("failed to build {LAUNCHER}: cargo ended with {status}");
    }
    Ok(())
}

/// A program without what is never loaded: section headers, symbols, debug information.
///
/// # Errors
///
/// The program is no ELF file, is cut, or asks for an interpreter.
pub fn loadable(bytes: &[u8]) -> Result<Vec<u8>> {
    let elf = Elf::parse(bytes).context("it is not an ELF file")?;
    if elf
        .program_headers
        .iter()
        .any(|header| header.p_type == PT_INTERP)
    {
        bail!(
            "it is linked dynamically (PT_INTERP): .cargo/config.toml links it statically, but \
             RUSTFLAGS in the environment replaces that setting; unset it and build again"
        );
    }
    let ends = elf
        .program_headers
        .iter()
        .map(|header| header.p_offset + header.p_filesz);
    let end = usize::try_from(ends.max().unwrap_or(0)).unwrap_or(usize::MAX);
    let mut program = bytes.get(..end).context("it is truncated")?.to_vec();
    // e_shoff, then e_shnum and e_shstrndx of the ELF header (elf(5)): there are no sections.
    program
        .get_mut(0x28..0x30)
        .context("it is truncated")?
        .fill(0);
    program
        .get_mut(0x3c..0x40)
        .context("it is truncated")?
        .fill(0);
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_static_and_gets_smaller() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let program = loadable(&bytes).unwrap();
        assert!(program.len() < bytes.len());
        assert!(Elf::parse(&program).unwrap().section_headers.is_empty());
    }

    #[test]
    fn a_dynamic_program_is_refused_with_the_likely_cause() {
        // This program, with PT_INTERP as its first program header.
        let mut elf = std::fs::read("/proc/self/exe").unwrap();
        let first = usize::try_from(Elf::parse(&elf).unwrap().header.e_phoff).unwrap();
        elf[first..first + 4].copy_from_slice(&PT_INTERP.to_le_bytes());
        assert!(format!("{:#}", loadable(&elf).unwrap_err()).contains("RUSTFLAGS"));
    }

    #[test]
    fn a_build_is_found_in_a_program_and_only_there() {
        let program = |build: &str| format!("x{MARKER}\0{MARKER}{build}.").into_bytes();
        assert_eq!(build_of(&program(BUILD)), Some(BUILD));
        assert_eq!(
            build_of(&program("0123456789abcdef")),
            Some("0123456789abcdef")
        );
        assert_eq!(build_of(&program("0123456789abcdeg")), None);
        assert_eq!(build_of(b""), None);
    }
}
