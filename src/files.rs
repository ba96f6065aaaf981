//! Files and directories, for everybody who walks or replaces them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

/// The paths in a directory, in the order of their names; none for a directory that does not exist.
///
/// # Errors
///
/// The directory cannot be read; the message names it.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("failed to list {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(context),
    };
    let paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.with_context(context)?;
    paths.sort();
    Ok(paths)
}

/// Writes a file as a whole or not at all: who reads it meanwhile reads the old one.
///
/// A symlink stays one, and what is no regular file, such as a terminal, is written to as it is.
///
/// # Errors
///
/// It cannot be written, and the old one is as it was; the message names it.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let context = || format!("failed to write {}", path.display());
    let place = match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path).with_context(context)?,
        Ok(_) => return pass_on(path, bytes).with_context(context),
        Err(_) => path.to_owned(),
    };
    // Hidden, and always the same: one of a writer that was killed is written over.
    let partial = place.with_file_name(format!(".{}.partial", name(&place)));
    let mut file = alone(&partial).with_context(context)?;
    let written = file
        .set_len(0)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| fs::rename(&partial, &place));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written.with_context(context)
}

/// Writes to what is no regular file. A FIFO that nobody reads is an error (ENXIO), and is not waited for.
fn pass_on(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    let mut file = options.open(path)?;
    // Who reads may be slower than we write.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))?;
    file.write_all(bytes)
}

/// Opens a file that no other writer has; one after the other, each finds one of its own.
fn alone(partial: &Path) -> io::Result<File> {
    loop {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(partial)?;
        file.lock()?;
        // Whoever had the lock before may have renamed it.
        let is_there =
            |found: fs::Metadata| found.ino() == file.metadata().map_or(0, |own| own.ino());
        if fs::metadata(partial).is_ok_and(is_there) {
            return Ok(file);
        }
    }
}

/// Writes to a file of the kernel, such as a setting.
///
/// `fs::write` asks for the file to be made where it is not there, which sysfs and procfs refuse with EACCES: not
/// to be told from a setting that is there and may not be changed.
///
/// # Errors
///
/// What open(2) and write(2) say; `NotFound` where the kernel has no such file.
pub fn set(path: &Path, value: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(value.as_bytes())
}

/// Notes on a file that it is used now: among many the one that was not used for the longest can go.
///
/// # Errors
///
/// The file is another's.
#[expect(
    clippy::disallowed_methods,
    reason = "times of files are times of day; a wrong order costs what is made anew"
)]
pub fn touch(file: &File) -> io::Result<()> {
    file.set_modified(std::time::SystemTime::now())
}

/// The last part of a path as text.
#[must_use]
pub fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        for text in ["one", "two"] {
            replace(&file, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(list(dir.path()).unwrap(), [file]);
    }

    #[test]
    fn a_fifo_that_nobody_reads_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = replace(&file, b"text").unwrap_err();
        assert!(format!("{error:#}").contains("No such device"), "{error:#}");
    }

    #[test]
    fn a_device_is_written_to() {
        replace(Path::new("/dev/null"), b"text").unwrap();
    }

    #[test]
    fn writers_side_by_side_each_write_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        let text = |writer: usize| writer.to_string().repeat(1 << 16);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (file, text) = (&file, text(writer));
                scope.spawn(move || {
                    for _ in 0..50 {
                        replace(file, text.as_bytes()).unwrap();
                    }
                });
            }
        });
        let found = fs::read_to_string(&file).unwrap();
        assert!((0..4).any(|writer| found == text(writer)));
        assert_eq!(list(dir.path()).unwrap(), [file]);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("a");
        fs::create_dir(&place).unwrap();
        let error = replace(&place, b"x").unwrap_err().to_string();
        assert_eq!(error, format!("failed to write {}", place.display()));
        assert_eq!(list(dir.path()).unwrap(), [place]);
    }

    #[test]
    fn a_setting_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("a");
        let error = set(&place, "1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let none = Path::new("/proc/sys/kernel/exetrail-has-none");
        assert_eq!(set(none, "1").unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&place, "old").unwrap();
        set(&place, "new").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
    }

    #[test]
    fn a_symlink_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&file, "one").unwrap();
        std::os::unix::fs::symlink("a", &link).unwrap();
        replace(&link, b"two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert!(link.is_symlink());
    }

    #[test]
    fn what_is_no_regular_file_is_written_to() {
        replace(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
