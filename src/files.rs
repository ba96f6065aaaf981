//! Files and directories, for everybody who walks or replaces them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::unistd::geteuid;

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
/// It has the mode of the old one. A symlink stays one, also where it leads to what is not there yet, and what is no
/// regular file, such as a terminal, is written to as it is.
///
/// # Errors
///
/// It cannot be written, and the old one is as it was; the message names it.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let context = || format!("failed to write {}", path.display());
    let (place, old) = match fs::metadata(path) {
        Ok(found) if found.is_file() => (
            fs::canonicalize(path).with_context(context)?,
            Some(found.permissions().mode() & 0o777),
        ),
        Ok(_) => return pass_on(path, bytes).with_context(context),
        Err(error) if error.kind() == ErrorKind::NotFound => (led_to(path), None),
        Err(error) => return Err(error).with_context(context),
    };
    // Hidden, and always the same: one of a writer that was killed is written over.
    let partial = place.with_file_name(format!(".{}.partial", name(&place)));
    let mut file = alone(&partial).with_context(context)?;
    let written = file
        .set_len(0)
        .and_then(|()| match old {
            Some(mode) => file.set_permissions(fs::Permissions::from_mode(mode)),
            None => Ok(()),
        })
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

/// Where a symlink leads whose end is not there; any other path is what it is.
fn led_to(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    // No more than the kernel follows (path_resolution(7)): somebody may be making a loop.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&place) else {
            break;
        };
        place = place.parent().unwrap_or(Path::new("")).join(target);
    }
    place
}

/// Opens a file that no other writer has; one after the other, each finds one of its own.
///
/// In a directory that is another's its name can stand for anything: nothing is opened but what we made.
fn alone(partial: &Path) -> io::Result<File> {
    let in_the_way = || io::Error::other(format!("{} is in the way: remove it", partial.display()));
    let open = || match File::options().write(true).create_new(true).open(partial) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut options = File::options();
            options
                .write(true)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
            let file = match options.open(partial) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => match error.raw_os_error() {
                    Some(libc::ELOOP | libc::ENXIO) => return Err(in_the_way()),
                    _ => return Err(error),
                },
            };
            let found = file.metadata()?;
            let ours = found.is_file() && found.uid() == geteuid().as_raw();
            // None where it was renamed or removed meanwhile, more than one where it is another file as well.
            match ours && found.nlink() < 2 {
                true => Ok(Some(file)),
                false => Err(in_the_way()),
            }
        }
        opened => opened.map(Some),
    };
    locked(partial, open)
}

/// Holds a file against others who hold it so, until the result is dropped; makes an empty one where there is none.
///
/// Who reads and replaces it ([`replace`]) meanwhile is alone with it.
///
/// # Errors
///
/// It is no regular file, or cannot be written; the message names it.
pub fn hold(path: &Path) -> Result<File> {
    let open = || {
        let mut options = File::options();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_NONBLOCK);
        let file = options.open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(Some(file)),
            false => Err(io::Error::other("it is not a regular file")),
        }
    };
    locked(path, open).with_context(|| format!("failed to lock {}", path.display()))
}

/// Opens and locks a file until it is the one at its path: whoever had the lock before may have renamed another there, or
/// renamed it away while it was looked at (none).
fn locked(path: &Path, open: impl Fn() -> io::Result<Option<File>>) -> io::Result<File> {
    loop {
        let Some(file) = open()? else {
            continue;
        };
        file.lock()?;
        let own = file.metadata()?;
        let same = |found: fs::Metadata| (found.dev(), found.ino()) == (own.dev(), own.ino());
        if fs::metadata(path).is_ok_and(same) {
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
    fn a_symlink_to_what_is_not_there_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("b");
        std::os::unix::fs::symlink("a", &link).unwrap();
        replace(&link, b"two").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "two");
        assert!(link.is_symlink());
    }

    #[test]
    fn what_stands_where_a_part_is_written_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("a"), dir.path().join("other"));
        let partial = dir.path().join(".a.partial");
        fs::write(&other, "other").unwrap();
        let ways: [&dyn Fn(); 3] = [
            &|| std::os::unix::fs::symlink("other", &partial).unwrap(),
            &|| fs::hard_link(&other, &partial).unwrap(),
            &|| nix::unistd::mkfifo(&partial, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        ];
        for make in ways {
            make();
            let error = format!("{:#}", replace(&file, b"text").unwrap_err());
            assert!(error.contains(".a.partial is in the way"), "{error}");
            fs::remove_file(&partial).unwrap();
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
    }

    #[test]
    fn what_a_writer_left_who_was_killed_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".a.partial"), "longer than it").unwrap();
        replace(&dir.path().join("a"), b"text").unwrap();
        let found = fs::read_to_string(dir.path().join("a")).unwrap();
        assert_eq!(found, "text");
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn who_holds_a_file_reads_what_others_wrote_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _held = hold(&file).unwrap();
                        let text = fs::read_to_string(&file).unwrap() + "x";
                        replace(&file, text.as_bytes()).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&file).unwrap().len(), 80);
    }

    #[test]
    fn what_is_no_regular_file_is_written_to() {
        replace(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
