//! A guest's memory: in a file in memory while it boots, in the cache without its empty pages.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, bail};
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
    let file = new_file()?;
    file.set_len(mebibytes << 20)
        .context("failed to size a file in memory")?;
    Ok(file)
}

fn new_file() -> Result<File> {
    memfd_create(c"exetrail-memory", MFdFlags::MFD_CLOEXEC)
        .context("failed to make a file in memory")
        .map(File::from)
}

/// Copies what is not empty; the rest is a hole.
pub(super) fn copy(from: &File, to: &File) -> Result<()> {
    let size = from.metadata().context("failed to measure memory")?.len();
    to.set_len(size).context("failed to size a state")?;
    let mut piece = vec![0; PIECE];
    let mut place = 0;
    while let Some(data) = next(from, place, Whence::SeekData)? {
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

/// Copies what was kept into a file in memory.
///
/// # Errors
///
/// It cannot be read, or there is not so much memory.
pub fn load(kept: &File) -> Result<File> {
    let context = "failed to read a memory that was kept";
    let memory = new_file()?;
    let size = kept.metadata().context(context)?.len();
    memory
        .set_len(size)
        .context("failed to size a file in memory")?;
    let mut place = 0;
    while let Some(data) = next(kept, place, Whence::SeekData)? {
        // The end of a file is a hole.
        place = next(kept, data, Whence::SeekHole)?.unwrap_or(size);
        (&*kept).seek(SeekFrom::Start(data)).context(context)?;
        (&memory)
            .seek(SeekFrom::Start(data))
            .context("failed to fill memory")?;
        let length = place - data;
        if io::copy(&mut kept.take(length), &mut &memory).context(context)? != length {
            bail!("a memory that was kept became shorter");
        }
    }
    Ok(memory)
}

/// Where the next data or hole is (lseek(2)), from the start of its page; none at the end.
fn next(file: &File, place: u64, what: Whence) -> Result<Option<u64>> {
    let offset = i64::try_from(place).context("a memory that is too large")?;
    match lseek64(file, offset, what) {
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

    #[test]
    fn what_is_loaded_is_what_was_kept() {
        let kept = tempfile::NamedTempFile::new().unwrap();
        let file = kept.as_file();
        file.set_len(3 << 20).unwrap();
        file.write_all_at(&[1; 3 * PAGE], 0).unwrap();
        file.write_all_at(b"x", 2 << 20).unwrap();
        let mut bytes = [vec![0; 3 << 20], vec![7]];
        load(file).unwrap().read_exact_at(&mut bytes[0], 0).unwrap();
        bytes[1] = std::fs::read(kept.path()).unwrap();
        assert!(bytes[0] == bytes[1]);
    }
}
