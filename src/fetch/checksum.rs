//! Size and SHA-256 of a file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a file's bytes are known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Checksum {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn of(file: &Path) -> Result<Checksum> {
        let context = || format!("failed to read {}", file.display());
        let mut input = File::open(file).with_context(context)?;
        let mut digest = Sha256::new();
        let mut size = 0;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = input.read(&mut buffer).with_context(context)?;
            if count == 0 {
                break;
            }
            digest.update(buffer.get(..count).unwrap_or_default());
            size += count as u64;
        }
        let sha256 = hexadecimal(&digest.finalize());
        Ok(Checksum { size, sha256 })
    }

    /// Compares with what a file should be.
    ///
    /// # Errors
    ///
    /// Both sizes, or both checksums.
    pub fn expect(&self, expected: &Checksum) -> Result<()> {
        if self.size != expected.size {
            bail!(
                "it has {} bytes, it should have {}",
                self.size,
                expected.size
            );
        }
        if self.sha256 != expected.sha256 {
            bail!(
                "its sha256 is {}, it should be {}",
                self.sha256,
                expected.sha256
            );
        }
        Ok(())
    }
}

/// Bytes as people write checksums.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_abc_is_that_of_fips_180() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        let sum = Checksum::of(&file).unwrap();
        assert_eq!(sum.size, 3);
        assert_eq!(
            sum.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
