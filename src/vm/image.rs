//! The initramfs: our program, the fixture, modules and the plan. Same input, same bytes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use goblin::elf::Elf;
use goblin::elf::program_header::PT_INTERP;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::tree::{Entry, Tree};
use crate::wire::Plan;

/// What every image of a run shares.
#[derive(Clone, Debug)]
pub struct Ingredients {
    program: Vec<u8>,
    fixture: Vec<u8>,
}

/// An initramfs in memory.
#[derive(Debug)]
pub struct Image {
    /// The file.
    pub file: OwnedFd,
    /// Its size in bytes.
    pub size: u64,
}

impl Ingredients {
    /// Reads our program and the fixture's archive.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or a program that is not linked statically.
    pub fn read(program: &Path, fixture: &Path) -> Result<Ingredients> {
        let bytes = std::fs::read(program)
            .with_context(|| format!("failed to read {}", program.display()))?;
        let fixture = std::fs::read(fixture)
            .with_context(|| format!("failed to read {}", fixture.display()))?;
        let program =
            loadable(&bytes).with_context(|| format!("{} cannot be PID 1", program.display()))?;
        Ok(Ingredients { program, fixture })
    }

    /// Our program, without what is never loaded.
    #[must_use]
    pub fn program(&self) -> &[u8] {
        &self.program
    }

    /// The fixture's archive.
    #[must_use]
    pub fn fixture(&self) -> &[u8] {
        &self.fixture
    }

    /// Builds the initramfs of one boot.
    ///
    /// # Errors
    ///
    /// No memory for the image, or a module whose name is no file name.
    pub fn image(&self, modules: &BTreeMap<String, Arc<[u8]>>, plan: &Plan) -> Result<Image> {
        let mut tree = Tree::default();
        let file = |bytes| Entry::File { mode: 0o755, bytes };
        // The kernel opens /dev/console from here before PID 1 can mount anything.
        tree.add("dev", Entry::Folder(0o755))?;
        tree.add("exetrail/launcher", file(self.program.clone()))?;
        tree.add("exetrail/fixture.cpio", file(self.fixture.clone()))?;
        tree.add("exetrail/plan.json", file(serde_json::to_vec(plan)?))?;
        // The program under its own name, for `exetrail boot KERNEL -- exetrail ...`.
        tree.add("exetrail/exetrail", Entry::Link("launcher".into()))?;
        for (name, bytes) in modules {
            tree.add(&format!("exetrail/modules/{name}.ko"), file(bytes.to_vec()))?;
        }
        let memory = memfd_create(c"exetrail-initramfs", MFdFlags::MFD_CLOEXEC)
            .context("failed to make a file in memory")?;
        let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::from(memory));
        tree.write_cpio(&mut out)
            .context("failed to write the initramfs")?;
        out.flush().context("failed to write the initramfs")?;
        let file = out.into_inner().context("failed to write the initramfs")?;
        let size = file
            .metadata()
            .context("failed to measure the initramfs")?
            .len();
        Ok(Image {
            file: file.into(),
            size,
        })
    }
}

/// A program without what is never loaded: section headers, symbols, debug information.
///
/// # Errors
///
/// The program is no 64-bit ELF file, or asks for an interpreter.
fn loadable(bytes: &[u8]) -> Result<Vec<u8>> {
    let elf = Elf::parse(bytes).context("it is no ELF file")?;
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
    use crate::wire::Job;

    #[test]
    fn this_very_program_is_static_and_gets_smaller() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let program = loadable(&bytes).unwrap();
        assert!(program.len() < bytes.len());
        assert!(Elf::parse(&program).unwrap().section_headers.is_empty());
    }

    #[test]
    fn a_dynamic_program_is_refused_with_the_likely_cause() {
        // Two program headers' worth of an ELF file whose second one is PT_INTERP.
        let mut elf = std::fs::read("/proc/self/exe").unwrap();
        let first = usize::try_from(Elf::parse(&elf).unwrap().header.e_phoff).unwrap();
        elf[first..first + 4].copy_from_slice(&PT_INTERP.to_le_bytes());
        assert!(format!("{:#}", loadable(&elf).unwrap_err()).contains("RUSTFLAGS"));
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let ingredients = Ingredients {
            program: b"p".to_vec(),
            fixture: b"f".to_vec(),
        };
        let plan = Plan {
            job: Job::Scenarios(vec!["a".into()]),
            ..Plan::default()
        };
        let bytes = || {
            let image = ingredients.image(&BTreeMap::new(), &plan).unwrap();
            let mut file = std::fs::File::from(image.file);
            std::io::Seek::rewind(&mut file).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(), bytes());
    }
}
