//! The whole of a file that the kernel makes while it is read.

use std::io::{self, Read as _};
use std::path::Path;

/// The kernel makes such a file anew for each read(2), a page at the most of it, and tells no size. Who reads it with a buffer
/// that grows, as the standard library does, calls it three times as often.
const PAGE: usize = 4096;

/// Reads a file of `/proc`.
///
/// # Errors
///
/// What opening and reading say.
pub fn bytes(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut file = super::held::open(path.as_ref())?;
    let mut bytes = Vec::new();
    let mut page = [0; PAGE];
    loop {
        match file.read(&mut page) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&page[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a file of `/proc` that is text; bytes that are none are replaced.
///
/// # Errors
///
/// As for [`bytes`].
pub fn text(path: impl AsRef<Path>) -> io::Result<String> {
    bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_a_page_is_read_to_its_end() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(own.len() > PAGE);
        assert_eq!(bytes("/proc/self/exe").unwrap(), own);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        let error = text("/proc/self/nothing").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
