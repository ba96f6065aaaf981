//! Sends files of the guest to the host, as a cpio archive in pieces.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;

use crate::files;
use crate::wire::{Link, Message};

/// Sends a file, or a directory with what is in it; what cannot be read is said to the host.
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
    let packed = add(path, &name, &mut out)
        .and_then(|()| cpio::newc::trailer(&mut out).map(drop))
        .and_then(|()| out.flush());
    drop(out);
    link.send(&Message::Fetched {
        place,
        result: packed.map_err(|error| error.to_string()),
    })?;
    Ok(())
}

fn add(path: &Path, name: &str, out: &mut impl Write) -> io::Result<()> {
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
            add(&inner, &format!("{name}/{}", files::name(&inner)), out)?;
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
    }
    // Devices, pipes and sockets stay where they are.
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
