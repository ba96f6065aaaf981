//! How much is read and unpacked at the most: an archive of a few kilobytes can hold gigabytes.
//!
//! The limits are far above what a real kernel needs, and every error names the one that was reached.

use std::fs::File;
use std::io::{BufRead, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use nix::libc::O_NONBLOCK;

mod packed;

pub use packed::plain;

/// One file that is kept in memory: a kernel, a module, a member of a package.
pub const FILE: u64 = 512 << 20;
/// Everything that a package unpacks to, kept or not.
pub const PACKAGE: u64 = 2 << 30;
/// A kernel that the user names: one with debugging information is large.
pub const IMAGE: u64 = 2 << 30;
/// A table, a lock, a snapshot.
pub const TEXT: u64 = 1 << 20;
/// A kept record.
pub const RECORD: u64 = 16 << 20;
/// The configuration that a kernel carries in itself.
pub const CONFIG: u64 = 16 << 20;
/// Memory of an xz decoder, mostly its dictionary; the kernel's own build asks for 128 MiB at most.
const XZ_MEMORY: u64 = 256 << 20;

/// Reads everything.
///
/// # Errors
///
/// What the reader reports, or that there are more than `limit` bytes.
pub fn read(from: impl Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    check(bytes.len() as u64, limit)?;
    Ok(bytes)
}

/// Reads a file that a user or a directory names; a pipe without a writer holds nobody, a device
/// without end is not begun.
///
/// # Errors
///
/// It is not a regular file, cannot be read or is larger; with its name.
pub fn file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let context = || format!("failed to read {}", path.display());
    read(open(path, limit)?, limit).with_context(context)
}

/// Opens such a file.
///
/// # Errors
///
/// As [`file`].
pub fn open(path: &Path, limit: u64) -> Result<File> {
    let context = || format!("failed to read {}", path.display());
    if !path.metadata().with_context(context)?.is_file() {
        bail!("{} is not a regular file", path.display());
    }
    let file = File::options()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)
        .with_context(context)?;
    let size = file.metadata().with_context(context)?.len();
    check(size, limit).with_context(context)?;
    Ok(file)
}

/// The same for a text.
///
/// # Errors
///
/// As [`file`], or it is no UTF-8.
pub fn text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(file(path, limit)?)
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Refuses a size that is said beforehand.
///
/// # Errors
///
/// It is more than `limit` bytes.
pub fn check(size: u64, limit: u64) -> Result<()> {
    if size > limit {
        bail!("its content is larger than the limit of {}", words(limit));
    }
    Ok(())
}

/// A decoder for every stream of an xz file whose dictionary is bounded as well.
///
/// # Errors
///
/// No memory for a decoder.
pub fn xz<R: BufRead>(from: R) -> Result<XzDecoder<R>> {
    let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)
        .context("failed to make an xz decoder")?;
    Ok(XzDecoder::new_stream(from, stream))
}

fn words(bytes: u64) -> String {
    match bytes % (1 << 20) {
        0 => format!("{} MiB", bytes >> 20),
        _ => format!("{bytes} bytes"),
    }
}

/// A reader that fails once more than its limit came through it.
#[derive(Debug)]
pub struct Bounded<R> {
    from: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Bounded<R> {
    /// Bounds a reader.
    pub fn new(from: R, limit: u64) -> Bounded<R> {
        Bounded {
            from,
            limit,
            left: limit,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(std::io::Error::other(format!(
                    "its content is larger than the limit of {}",
                    words(self.limit)
                )));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_the_limit_is_read() {
        assert_eq!(read(b"abc".as_slice(), 3).unwrap(), b"abc");
    }

    #[test]
    fn more_than_the_limit_is_an_error_that_names_it() {
        let endless = std::io::repeat(0);
        let error = read(endless, 1 << 20).unwrap_err().to_string();
        assert_eq!(error, "its content is larger than the limit of 1 MiB");
    }

    #[test]
    fn a_bounded_reader_fails_where_its_limit_ends() {
        let mut exact = Bounded::new(b"abc".as_slice(), 3);
        assert_eq!(exact.read_to_end(&mut Vec::new()).unwrap(), 3);
        let mut bytes = Vec::new();
        let error = Bounded::new(std::io::repeat(0), 5).read_to_end(&mut bytes);
        assert!(error.unwrap_err().to_string().contains("limit of 5 bytes"));
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        assert_eq!(super::text(file.path(), 3).unwrap(), "abc");
        let error = format!("{:#}", super::file(file.path(), 2).unwrap_err());
        let name = file.path().display().to_string();
        assert!(
            error.contains(&name) && error.contains("limit of 2 bytes"),
            "{error}"
        );
    }

    #[test]
    fn what_has_no_end_or_no_writer_is_not_begun() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [fifo.as_path(), Path::new("/dev/zero"), dir.path()] {
            let error = super::file(path, 1).unwrap_err().to_string();
            assert_eq!(error, format!("{} is not a regular file", path.display()));
        }
    }

    /// An xz stream whose block header asks for another dictionary (xz file format, 5.3.1).
    fn xz_with_dictionary(size: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        liblzma::read::XzEncoder::new(b"x".as_slice(), 0)
            .read_to_end(&mut bytes)
            .unwrap();
        let header = &mut bytes[12..24];
        assert_eq!(header[..4], [2, 0, 0x21, 1]);
        header[4] = size;
        let mut crc = flate2::Crc::new();
        crc.update(&header[..8]);
        header[8..].copy_from_slice(&crc.sum().to_le_bytes());
        bytes
    }

    #[test]
    fn a_dictionary_above_the_limit_is_an_error() {
        let read = |bytes: &[u8]| xz(bytes).unwrap().read_to_end(&mut Vec::new());
        // 30 is 128 MiB, 36 is 1 GiB.
        assert_eq!(read(&xz_with_dictionary(30)).unwrap(), 1);
        assert!(read(&xz_with_dictionary(36)).is_err());
    }
}
