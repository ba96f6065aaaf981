//! The first instruction of a program or loader, by a uprobe on its ELF entry point.
//!
//! Registration looks the path up and opens nothing (`kern_path` in `__trace_uprobe_create`), so
//! that it makes no step. It happens while the file's opener is held: when the file is mapped, the
//! probe is there.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use goblin::elf::program_header::{PF_W, PT_LOAD, ProgramHeader};
use goblin::elf::{Elf, header};

use super::Marker;
use super::instance::{GROUP, TRACING};

/// Whether the first instruction of a file will be seen.
pub(super) enum Sight {
    /// It will.
    Clear,
    /// The file is nothing that could run.
    NoProgram,
    /// It will not, for this reason.
    Blind(&'static str),
}

/// Watches the first instruction of an open file, as the probe `eNUMBER`.
pub(super) fn watch(marker: &mut Marker, number: usize, file: BorrowedFd<'_>) -> Result<Sight> {
    let own = file
        .try_clone_to_owned()
        .context("failed to look at the file of a step")?;
    let own = File::from(own);
    let data = own
        .metadata()
        .context("failed to look at the file of a step")?;
    let key = (data.dev(), data.ino());
    if !data.is_file() || marker.known.contains(&key) {
        return Ok(Sight::NoProgram);
    }
    // Headers of what somebody ships are in the first page or two.
    let mut start = vec![0; 8192];
    let length = own.read_at(&mut start, 0).unwrap_or(0);
    let (offset, writable) = match entry(&start[..length]) {
        Some(found) => found,
        None => return Ok(Sight::NoProgram),
    };
    marker.known.push(key);
    if offset >= data.size() {
        return Ok(Sight::NoProgram);
    }
    if writable {
        // Source: `valid_vma` in kernel/events/uprobes.c.
        return Ok(Sight::Blind(
            "its code is mapped writable, where no uprobe is set",
        ));
    }
    let rule = format!(
        "p:{GROUP}/e{number} /proc/self/fd/{}:{offset:#x}",
        file.as_raw_fd()
    );
    if write(&Path::new(TRACING).join("uprobe_events"), &rule).is_err() {
        return Ok(Sight::Blind("the kernel sets no uprobe there"));
    }
    let enable = marker
        .folder
        .join(format!("events/{GROUP}/e{number}/enable"));
    match write(&enable, "1") {
        Ok(()) => Ok(Sight::Clear),
        Err(_) => Ok(Sight::Blind("the kernel sets no uprobe there")),
    }
}

/// Appends: opened for writing alone, the list of probes would be emptied.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let context = || format!("failed to write {text:?} to {}", path.display());
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)
}

/// Where the first instruction lies in the file, and whether its segment is writable.
fn entry(start: &[u8]) -> Option<(u64, bool)> {
    let head = Elf::parse_header(start).ok()?;
    if !matches!(head.e_type, header::ET_EXEC | header::ET_DYN) || head.e_entry == 0 {
        return None;
    }
    let context = goblin::container::Ctx::new(head.container().ok()?, head.endianness().ok()?);
    let (at, count) = (
        usize::try_from(head.e_phoff).ok()?,
        usize::from(head.e_phnum),
    );
    let headers = ProgramHeader::parse(start, at, count, context).ok()?;
    let inside = |segment: &&ProgramHeader| {
        let end = segment.p_vaddr.checked_add(segment.p_filesz);
        segment.p_type == PT_LOAD
            && segment.p_vaddr <= head.e_entry
            && end.is_some_and(|end| head.e_entry < end)
    };
    let segment = headers.iter().find(inside)?;
    let offset = (head.e_entry - segment.p_vaddr).checked_add(segment.p_offset)?;
    Some((offset, segment.p_flags & PF_W != 0))
}

#[cfg(test)]
mod tests {
    use super::entry;
    use crate::scenario::Elf;

    #[test]
    fn the_entry_point_of_a_program_is_found_in_its_file() {
        let bytes = Elf::new().build();
        let (offset, writable) = entry(&bytes).unwrap();
        // xor edi, edi: the first instruction that the builder writes.
        assert_eq!(&bytes[offset as usize..][..2], [0x31, 0xff]);
        assert!(writable);
    }

    #[test]
    fn a_script_has_no_entry_point() {
        assert!(entry(b"#!/usr/bin/bash\n").is_none());
    }
}
