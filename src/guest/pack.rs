//! Sends files of the guest to the host, as a cpio archive in pieces.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files;
use crate::trail::printable;
use crate::wire::{Link, Message, Stream};

/// How many names of what is left out are told.
const TOLD: usize = 10;
/// A file of no more than that is read first: one that the kernel makes may say any size.
const WHOLE: u64 = 1 << 20;

/// Sends a file, or a directory with what is in it; what cannot be read, or is left out of the directory, is said to the host.
///
/// # Errors
///
/// The host cannot be reached.
pub fn send(path: &Path, link: &Link) -> Result<()> {
    let place = path.display().to_string();
    let mut out = io::BufWriter::with_capacity(
        48 * 1024,
        Pieces {
            place: &place,
            link,
        },
    );
    let name = files::name(path);
    let mut left_out = Vec::new();
    let packed = add(path, &name, &mut out, &mut left_out)
        .and_then(|()| cpio::newc::trailer(&mut out).map(drop))
        .and_then(|()| out.flush());
    drop(out);
    let packed = match left_out.as_slice() {
        [only] if only.as_path() == path => Err(io::Error::other(
            "a device, a pipe or a socket, which is not brought back",
        )),
        _ => packed,
    };
    if let (Ok(()), Some(text)) = (&packed, told(&place, &left_out)) {
        link.send(&Message::Output {
            stream: Stream::Stderr,
            bytes: text.into_bytes(),
        })?;
    }
    link.send(&Message::Fetched {
        place,
        result: packed.map_err(|error| error.to_string()),
    })?;
    Ok(())
}

/// A line on what no archive takes of a directory; none where that is nothing.
fn told(place: &str, left_out: &[PathBuf]) -> Option<String> {
    let names = left_out.iter().take(TOLD);
    let names: Vec<_> = names
        .map(|path| printable(path.as_os_str().as_bytes()))
        .collect();
    let more = match left_out.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("exetrail: --fetch {place} leaves out devices, pipes, sockets and names that are not UTF-8: {names}{more}\n")
    })
}

fn add(
    path: &Path,
    name: &str,
    out: &mut impl Write,
    left_out: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    let header = |size: u64| {
        let size = u32::try_from(size).map_err(|_| io::Error::other("a file of 4 GiB or more"))?;
        let builder = cpio::newc::Builder::new(name).mode(meta.mode()).nlink(1);
        Ok::<_, io::Error>((builder, size))
    };
    if meta.is_dir() {
        let (builder, _) = header(0)?;
        builder.write(&mut *out, 0).finish()?;
        for inner in files::list(path).map_err(io::Error::other)? {
            // Two names that are no text may become the same one.
            match inner.file_name().and_then(OsStr::to_str) {
                Some(inner_name) => add(&inner, &format!("{name}/{inner_name}"), out, left_out)?,
                None => left_out.push(inner),
            }
        }
    } else if meta.is_symlink() {
        let target = fs::read_link(path)?;
        let target = target.as_os_str().as_encoded_bytes();
        let (builder, size) = header(target.len() as u64)?;
        let mut member = builder.write(&mut *out, size);
        member.write_all(target)?;
        member.finish()?;
    } else if meta.is_file() && meta.len() > WHOLE {
        let (builder, size) = header(meta.len())?;
        let mut member = builder.write(&mut *out, size);
        whole(fs::File::open(path)?, size.into(), &mut member)?;
        member.finish()?;
    } else if meta.is_file() {
        let content = fs::read(path)?;
        let (builder, size) = header(content.len() as u64)?;
        let mut member = builder.write(&mut *out, size);
        member.write_all(&content)?;
        member.finish()?;
    } else {
        left_out.push(path.to_owned());
    }
    Ok(())
}

/// Passes on a file of this size, which may grow or be cut meanwhile.
fn whole(file: impl Read, size: u64, out: &mut impl Write) -> io::Result<()> {
    match io::copy(&mut file.take(size), out)? {
        copied if copied == size => Ok(()),
        copied => Err(io::Error::other(format!(
            "a file of {size} bytes was read and has {copied}"
        ))),
    }
}

/// Every write as a message.
struct Pieces<'a> {
    place: &'a str,
    link: &'a Link,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Message::Piece {
            place: self.place.to_owned(),
            bytes: bytes.to_vec(),
        };
        self.link.send(&piece).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// What is said of the outcome, and what is told beside it, where this is sent.
    fn sent(path: &Path) -> (Result<(), String>, String) {
        let (ours, theirs) = Link::pair().unwrap();
        let sends = std::thread::spawn({
            let path = path.to_owned();
            move || send(&path, &theirs).unwrap()
        });
        let mut ours = ours;
        let mut said = String::new();
        let until = Instant::now() + Duration::from_secs(60);
        let result = loop {
            match ours.receive(until).unwrap() {
                Message::Output { bytes, .. } => said.push_str(&String::from_utf8(bytes).unwrap()),
                Message::Fetched { result, .. } => break result,
                _ => {}
            }
        };
        sends.join().unwrap();
        (result, said)
    }

    #[test]
    fn a_pipe_is_left_out_of_a_directory_by_name_and_is_an_error_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert_eq!(sent(dir.path()), (Ok(()), String::new()));
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (result, said) = sent(dir.path());
        assert_eq!(result, Ok(()));
        let told = format!(
            "leaves out devices, pipes, sockets and names that are not UTF-8: {}\n",
            pipe.display()
        );
        assert!(said.ends_with(&told), "{said}");
        assert!(
            sent(&pipe)
                .0
                .unwrap_err()
                .contains("a device, a pipe or a socket")
        );
    }
    #[test]
    fn names_that_are_not_utf_8_are_left_out_by_name() {
        use std::os::unix::ffi::OsStrExt as _;

        let dir = tempfile::tempdir().unwrap();
        for name in [b"a\xfe", b"a\xff"] {
            std::fs::write(dir.path().join(OsStr::from_bytes(name)), "x").unwrap();
        }
        let (result, said) = sent(dir.path());
        assert_eq!(result, Ok(()));
        assert!(
            said.contains("a\\xfe, ") && said.ends_with("a\\xff\n"),
            "{said}"
        );
    }

    #[test]
    fn a_large_file_is_passed_on_and_one_that_is_cut_meanwhile_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("file")).unwrap();
        file.set_len(WHOLE + 1).unwrap();
        assert_eq!(sent(&dir.path().join("file")).0, Ok(()));
        let mut out = Vec::new();
        whole(b"abc".as_slice(), 2, &mut out).unwrap();
        assert_eq!(out, b"ab");
        let error = whole(b"abc".as_slice(), 4, &mut out).unwrap_err();
        assert!(error.to_string().contains("4 bytes"), "{error}");
    }
}
