//! What scenarios changed outside of themselves, and how it is put back.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::trail::Lab;

use crate::files;

/// Old values, undone in reverse order.
#[derive(Debug)]
pub struct Undo {
    lab: Lab,
    sysctls: Vec<(PathBuf, Vec<u8>)>,
}

impl Undo {
    /// Nothing is changed yet.
    pub fn new(lab: Lab) -> Undo {
        Undo {
            lab,
            sysctls: Vec::new(),
        }
    }

    /// Writes a setting below `/proc/sys` and remembers the old one.
    pub fn sysctl(&mut self, name: &str, value: &str) -> Result<()> {
        if self.lab == Lab::Native {
            bail!("the native lab changes no setting of the machine ({name})");
        }
        let path = Path::new("/proc/sys").join(name);
        let old = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        fs::write(&path, value)
            .with_context(|| format!("failed to write {value:?} to {}", path.display()))?;
        self.sysctls.push((path, old));
        Ok(())
    }

    /// Puts everything back; goes on when one thing fails and names the first that did.
    pub fn all(&mut self) -> Result<()> {
        let mut result = Ok(());
        while let Some((path, old)) = self.sysctls.pop() {
            let done = put_back(&path, &old)
                .with_context(|| format!("failed to put {} back", path.display()));
            result = result.and(done);
        }
        let cleaned = clear(Path::new("/tmp")).context("failed to clear /tmp");
        result.and(cleaned)
    }
}

/// Writes an old value and reads it again: a setting may take less than it was given.
fn put_back(path: &Path, old: &[u8]) -> Result<()> {
    fs::write(path, old)?;
    let now = fs::read(path)?;
    anyhow::ensure!(now == old, "it is {:?} now", String::from_utf8_lossy(&now));
    Ok(())
}

/// Removes everything in a folder.
fn clear(folder: &Path) -> Result<()> {
    for path in files::list(folder)? {
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
