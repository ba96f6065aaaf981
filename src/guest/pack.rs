//! Sends files of the guest to the host, as a cpio archive in pieces.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files;
use crate::trail::printable;
use crate::wire::{Link, Message, Stream};

/// How many names of what is left out are told.
const TOLD: usize = 10;

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
        format!("exetrail: --fetch {place} leaves out devices, pipes and sockets: {names}{more}\n")
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
            let inner_name = format!("{name}/{}", files::name(&inner));
            add(&inner, &inner_name, out, left_out)?;
        }
    } else if meta.is_symlink() {
        let target = fs::read_link(path)?;
        let target = target.as_os_str().as_encoded_bytes();
        let (builder, size) = header(target.len() as u64)?;
        let mut member = builder.write(&mut *out, size);
        member.write_all(target)?;
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
            "leaves out devices, pipes and sockets: {}\n",
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
}
