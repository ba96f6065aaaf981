//! The initramfs: our programs, the fixture, modules and the plan. Same input, same bytes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::programs::Programs;
use super::tree::{Entry, Tree};
use crate::subject::SUBJECT;
use crate::wire::{Job, Plan};

/// What every image of a run shares.
#[derive(Clone, Debug)]
pub struct Ingredients {
    programs: Programs,
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
    /// Reads the fixture's archive.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(programs: Programs, fixture: &Path) -> Result<Ingredients> {
        let fixture = std::fs::read(fixture)
            .with_context(|| format!("failed to read {}", fixture.display()))?;
        Ok(Ingredients { programs, fixture })
    }

    /// Our own programs.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
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
    /// No memory for the image, a module whose name is not a file name, or a command that cannot be
    /// read for a guest that runs one.
    pub fn image(&self, modules: &BTreeMap<String, Arc<[u8]>>, plan: &Plan) -> Result<Image> {
        let mut tree = Tree::default();
        let file = |bytes| Entry::File { mode: 0o755, bytes };
        // The kernel opens /dev/console from here before PID 1 can mount anything.
        tree.add("dev", Entry::Directory(0o755))?;
        tree.add("exetrail/launcher", file(self.programs.launcher().to_vec()))?;
        tree.add("exetrail/subject", file(SUBJECT.to_vec()))?;
        tree.add("exetrail/fixture.cpio", file(self.fixture.clone()))?;
        tree.add("exetrail/plan.json", file(serde_json::to_vec(plan)?))?;
        if let Job::Command { .. } = plan.job {
            // For `exetrail boot KERNEL -- exetrail ...`.
            tree.add("exetrail/exetrail", file(self.programs.command()?))?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let ingredients = Ingredients {
            programs: Programs::of_launcher(b"p"),
            fixture: b"f".to_vec(),
        };
        let plan = Plan {
            job: Job::Cases { seeds: 0..7 },
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
