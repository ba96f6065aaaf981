//! A guest's memory: in a file in memory while it boots, in the cache without its empty pages.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Whence, lseek64};

/// What is left out where it is empty.
const PAGE: usize = 4096;
/// How much is read at once.
const PIECE: usize = 256 * PAGE;

/// The memory of a machine that is to be saved.
///
/// # Errors
///
/// There is not so much memory.
pub fn new_memory(mebibytes: u64) -> Result<File> {
    let memory = memfd_create(c"exetrail-memory", MFdFlags::MFD_CLOEXEC)
        .context("failed to make a file in memory")?;
    let file = File::from(memory);
    file.set_len(mebibytes << 20)
        .context("failed to size a file in memory")?;
    Ok(file)
}

/// Copies what is not empty; the rest is a hole.
pub(super) fn copy(from: &File, to: &File) -> Result<()> {
    let size = from.metadata().context("failed to measure memory")?.len();
    to.set_len(size).context("failed to size a state")?;
    let mut piece = vec![0; PIECE];
    let mut place = 0;
    while let Some(data) = data_from(from, place)? {
        let length = read(from, &mut piece, data)?;
        let pages = piece[..length].chunks(PAGE);
        for (number, page) in (0..).zip(pages) {
            if page.iter().any(|byte| *byte != 0) {
                to.write_all_at(page, data + number * PAGE as u64)
                    .context("failed to write a state")?;
            }
        }
        place = data + length as u64;
    }
    Ok(())
}

/// Where the next data is (lseek(2), `SEEK_DATA`), from the start of its page; none at the end.
fn data_from(file: &File, place: u64) -> Result<Option<u64>> {
    let offset = i64::try_from(place).context("a memory that is too large")?;
    match lseek64(file, offset, Whence::SeekData) {
        Ok(found) => Ok(Some(found.unsigned_abs())),
        Err(Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno).context("failed to look for memory"),
    }
}

fn read(file: &File, piece: &mut [u8], place: u64) -> Result<usize> {
    loop {
        match file.read_at(piece, place) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // To whole pages: the next read goes on where this one ended.
            result => return result.context("failed to read memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_is_copied_is_the_same_and_empty_pages_take_no_room() {
        let from = new_memory(4).unwrap();
        // A page that was written and is empty, then one that is not.
        from.write_all_at(&[0; 2 * PAGE], 1 << 20).unwrap();
        from.write_all_at(b"x", (1 << 20) + PAGE as u64).unwrap();
        let to = tempfile::tempfile().unwrap();
        copy(&from, &to).unwrap();
        let mut bytes = vec![0; 4 << 20];
        to.read_exact_at(&mut bytes, 0).unwrap();
        let found: Vec<_> = bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte != 0)
            .collect();
        assert_eq!(found, [((1 << 20) + PAGE, &b'x')]);
        assert!(to.metadata().unwrap().blocks() * 512 < 1 << 20);
    }
}
