//! The initramfs, composed of declared parts: programs, the root, modules and the plan. Same input, same
//! bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, anyhow};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::programs::Programs;
use super::tree::{Entry, Tree};
use crate::subject::SUBJECT;
use crate::wire::{GuestPlan, Job};

/// What the images of a run are made from.
#[derive(Debug)]
pub struct Ingredients {
    programs: Programs,
    fixture: BTreeMap<String, PathBuf>,
    /// Roots that were put together already.
    roots: Mutex<BTreeMap<Load, Arc<[u8]>>>,
}

/// What a guest's root is put together from, as those declare it who run there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Load {
    /// Parts of the fixture, the base among them where the fixture is the root.
    pub parts: BTreeSet<String>,
    /// Archives that are unpacked over it, in this order.
    pub over: Vec<Arc<[u8]>>,
}

/// An initramfs in memory.
#[derive(Debug)]
pub struct Initramfs {
    /// The file.
    pub file: OwnedFd,
    /// Its size in bytes.
    pub size: u64,
}

/// The part of the fixture that a guest has without asking for it.
pub const BASE: &str = "base";

impl Default for Load {
    /// The fixture's base.
    fn default() -> Load {
        Load {
            parts: [BASE.to_owned()].into(),
            over: Vec::new(),
        }
    }
}

impl Load {
    /// One archive, and nothing of the fixture.
    #[must_use]
    pub fn own(archive: Arc<[u8]>) -> Load {
        Load {
            parts: BTreeSet::new(),
            over: vec![archive],
        }
    }

    /// The fixture's base and these parts.
    #[must_use]
    pub fn with(parts: impl IntoIterator<Item = impl Into<String>>) -> Load {
        let mut load = Load::default();
        load.parts.extend(parts.into_iter().map(Into::into));
        load
    }
}

impl Ingredients {
    /// Our programs, and the archive of each part of the fixture.
    #[must_use]
    pub fn new(programs: Programs, fixture: BTreeMap<String, PathBuf>) -> Ingredients {
        Ingredients {
            programs,
            fixture,
            roots: Mutex::default(),
        }
    }

    /// Our own programs.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The archives of the fixture, by part.
    #[must_use]
    pub fn fixture(&self) -> &BTreeMap<String, PathBuf> {
        &self.fixture
    }

    /// Everything that the fixture has.
    #[must_use]
    pub fn whole(&self) -> Load {
        Load::with(self.fixture.keys())
    }

    /// The archives of a root, one after the other.
    ///
    /// # Errors
    ///
    /// A part that the fixture does not have, or whose archive cannot be read.
    pub fn root(&self, load: &Load) -> Result<Arc<[u8]>> {
        let roots = self.roots.lock();
        let mut roots = roots.map_err(|_| anyhow!("putting a root together panicked"))?;
        if let Some(root) = roots.get(load) {
            return Ok(root.clone());
        }
        let mut root = Vec::new();
        // The base first: it has the modes of the directories.
        let rest = load.parts.iter().filter(|part| *part != BASE);
        for part in load.parts.get(BASE).into_iter().chain(rest) {
            let archive = self.fixture.get(part).with_context(|| {
                let known: Vec<_> = self.fixture.keys().map(String::as_str).collect();
                format!(
                    "the fixture has no part {part}, it has {}",
                    known.join(", ")
                )
            })?;
            let bytes = std::fs::read(archive)
                .with_context(|| format!("failed to read {}", archive.display()))?;
            root.extend(bytes);
        }
        for archive in &load.over {
            root.extend_from_slice(archive);
        }
        let root: Arc<[u8]> = root.into();
        roots.insert(load.clone(), root.clone());
        Ok(root)
    }

    /// What an image without a plan is made from: the same pieces make the same image.
    #[must_use]
    pub fn pieces<'a>(
        &'a self,
        modules: &'a BTreeMap<String, Arc<[u8]>>,
        root: &'a [u8],
    ) -> Vec<&'a [u8]> {
        let modules = modules.iter();
        let modules = modules.flat_map(|(name, bytes)| [name.as_bytes(), &**bytes]);
        let own = [self.programs.launcher(), SUBJECT, root];
        own.into_iter().chain(modules).collect()
    }

    /// Builds the initramfs of one boot; without a plan its guest waits for one.
    ///
    /// # Errors
    ///
    /// No memory for the image, a part of the root that is not there, a module whose name is no file
    /// name, or a command that cannot be read for a guest that runs one.
    pub fn image(
        &self,
        modules: &BTreeMap<String, Arc<[u8]>>,
        load: &Load,
        plan: Option<&GuestPlan>,
    ) -> Result<Initramfs> {
        let mut tree = Tree::default();
        let file = |bytes| Entry::File { mode: 0o755, bytes };
        // /dev/console, which PID 1 begins with, is in it by the kernel's own initramfs (usr/default_cpio_list).
        tree.add("dev", Entry::Directory(0o755))?;
        tree.add("exetrail/launcher", file(self.programs.launcher().into()))?;
        tree.add("exetrail/subject", file(SUBJECT.into()))?;
        tree.add("exetrail/root.cpio", file(self.root(load)?))?;
        if let Some(plan) = plan {
            tree.add("exetrail/plan.json", file(serde_json::to_vec(plan)?.into()))?;
            if let Job::Command { .. } = plan.job {
                // For `exetrail boot KERNEL -- exetrail ...`.
                tree.add("exetrail/exetrail", file(self.programs.command()?.into()))?;
            }
        }
        for (name, bytes) in modules {
            tree.add(&format!("exetrail/modules/{name}.ko"), file(bytes.clone()))?;
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
        Ok(Initramfs {
            file: file.into(),
            size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ingredients whose parts have their names as archives.
    fn ingredients(parts: &[&str]) -> (tempfile::TempDir, Ingredients) {
        let dir = tempfile::tempdir().unwrap();
        let archive = |part: &&str| {
            let file = dir.path().join(part);
            std::fs::write(&file, format!("{part};")).unwrap();
            ((*part).to_owned(), file)
        };
        let fixture = parts.iter().map(archive).collect();
        let ingredients = Ingredients::new(Programs::of_launcher(b"p"), fixture);
        (dir, ingredients)
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let (_dir, ingredients) = ingredients(&[BASE]);
        let plan = GuestPlan {
            job: Job::Cases {
                seeds: 0..7,
                keep: false,
            },
            ..GuestPlan::default()
        };
        let bytes = || {
            let image = ingredients.image(&BTreeMap::new(), &Load::default(), Some(&plan));
            let mut file = std::fs::File::from(image.unwrap().file);
            std::io::Seek::rewind(&mut file).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn a_root_has_what_is_declared_and_the_base_first() {
        let (_dir, ingredients) = ingredients(&["a", BASE, "c"]);
        let root = |load: &Load| ingredients.root(load).unwrap().to_vec();
        assert_eq!(root(&Load::default()), b"base;");
        let mut load = Load::with(["a"]);
        load.over.push(b"own;".as_slice().into());
        assert_eq!(root(&load), b"base;a;own;");
        assert_eq!(root(&ingredients.whole()), b"base;a;c;");
    }

    #[test]
    fn a_part_that_is_not_there_is_an_error_that_names_those_that_are() {
        let (_dir, ingredients) = ingredients(&[BASE, "musl"]);
        let error = ingredients.root(&Load::with(["python"])).unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "the fixture has no part python, it has base, musl");
    }
}
