//! The first instruction of a program or loader, by a uprobe on its ELF entry point.
//!
//! Registration looks the path up and opens nothing (`kern_path` in `__trace_uprobe_create`, `trace_uprobe_create` on 5.10), so
//! that it makes no step. It happens while the file's opener is held: when the file is mapped, the
//! probe is there.
//!
//! A probe carries the file's identity in its name. Those of files on the fixture's file system, a
//! scenario's own in `/tmp` among them, stay for the whole boot, because the kernel takes its
//! time to give one up (`uprobe_unregister_sync`, where there is one, waits for a grace period of tasks). A
//! probe holds its inode, so that no later file has this identity, and its mount: on a file system
//! that a scenario mounts it would keep that, and is taken away.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use goblin::elf::header::header64;
use goblin::elf::program_header::{PF_W, PT_LOAD, ProgramHeader};
use goblin::elf::{Elf, header};

use super::instance::GROUP;
use super::marker::Marker;
use crate::observer::tracefs::{TRACING, append as write};
use crate::stages::{BRIEF, LASTING};

/// A file, by device and inode; written as in the name of its probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u64, u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}_{:x}", self.0, self.1)
    }
}

/// Whether the first instruction of a file will be seen.
pub(super) enum Sight {
    /// It will.
    Clear(Id),
    /// The file is nothing that could run, or is watched already.
    Nothing,
    /// It will not, for this reason, which holds for each start of the file.
    Blind(&'static str),
}

/// Why a first instruction is not seen where the kernel does not say.
const REFUSED: &str = "the kernel sets no uprobe there";
/// A uprobe's file is named by a path, which leads through `/proc`.
const COVERED: &str = "/proc is covered by a mount, and a uprobe is set by path";

/// Watches the first instruction of an open file.
pub(super) fn watch(marker: &mut Marker, file: BorrowedFd<'_>) -> Result<Sight> {
    let own = file
        .try_clone_to_owned()
        .context("failed to look at the file of a step")?;
    let own = File::from(own);
    let data = own
        .metadata()
        .context("failed to look at the file of a step")?;
    let id = Id(data.dev(), data.ino());
    if !data.is_file() {
        return Ok(Sight::Nothing);
    }
    if let Some(why) = marker.known.get(&id) {
        return Ok(why.map_or(Sight::Nothing, Sight::Blind));
    }
    let events = marker.directory.join("events").join(GROUP);
    let enable = |name: &str| events.join(name).join("enable");
    if enable(&format!("{LASTING}{id}")).exists() {
        marker.known.insert(id, None);
        return Ok(Sight::Clear(id));
    }
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        let length = own.read_at(&mut bytes, at).unwrap_or(0);
        bytes.truncate(length);
        bytes
    };
    let (offset, writable) = match entry(read) {
        Some(found) => found,
        // A copy that is still to be filled is looked at again.
        None => return Ok(Sight::Nothing),
    };
    marker.known.insert(id, None);
    if offset >= data.size() {
        return Ok(Sight::Nothing);
    }
    let mut blind = |why| {
        marker.known.insert(id, Some(why));
        Ok(Sight::Blind(why))
    };
    if writable {
        // Source: `valid_vma` in kernel/events/uprobes.c.
        return blind("its code is mapped writable, where no uprobe is set");
    }
    let fixture = fs::metadata("/").context("failed to look at the fixture")?;
    let lasts = fixture.dev() == data.dev();
    let begin = if lasts { LASTING } else { BRIEF };
    let name = format!("{begin}{id}");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let rule = format!("p:{GROUP}/{name} {path}:{offset:#x}");
    if write(&Path::new(TRACING).join("uprobe_events"), &rule).is_err() {
        return blind(why(Path::new(&path)));
    }
    match write(&enable(&name), "1") {
        Ok(()) => Ok(Sight::Clear(id)),
        Err(_) => blind(REFUSED),
    }
}

/// Why the kernel sets no uprobe in a file that this path leads to, where nothing is in its way.
fn why(path: &Path) -> &'static str {
    match path.exists() {
        true => REFUSED,
        false => COVERED,
    }
}

/// Where the first instruction lies in the file that is read so, and whether its segment is writable.
fn entry(read: impl Fn(u64, usize) -> Vec<u8>) -> Option<(u64, bool)> {
    let head = Elf::parse_header(&read(0, header64::SIZEOF_EHDR)).ok()?;
    if !matches!(head.e_type, header::ET_EXEC | header::ET_DYN) || head.e_entry == 0 {
        return None;
    }
    let context = goblin::container::Ctx::new(head.container().ok()?, head.endianness().ok()?);
    let count = usize::from(head.e_phnum);
    // As many as there can be are 3.5 MiB; the kernel takes at most 64 KiB (`load_elf_phdrs` in fs/binfmt_elf.c).
    let size = ProgramHeader::size(context).checked_mul(count)?.min(65_536);
    let headers = ProgramHeader::parse(&read(head.e_phoff, size), 0, count, context).ok()?;
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
    use super::*;
    use crate::elf::Elf as Builder;

    /// Where the builder's first instruction, xor edi, edi, is looked for in a program.
    fn is_found(bytes: &[u8]) {
        let read = |at: u64, length: usize| {
            let from = bytes.get(at as usize..).unwrap_or_default();
            from[..length.min(from.len())].to_vec()
        };
        let (offset, writable) = entry(read).unwrap();
        assert_eq!(&bytes[offset as usize..][..2], [0x31, 0xff]);
        assert!(writable);
    }

    #[test]
    fn the_entry_point_of_a_program_is_found_in_its_file() {
        is_found(&Builder::new().build());
    }

    #[test]
    fn where_the_path_of_a_file_is_covered_that_is_the_reason() {
        let file = tempfile::tempfile().unwrap();
        let path = |root: &str| format!("{root}/self/fd/{}", file.as_raw_fd());
        assert_eq!(why(Path::new(&path("/proc"))), REFUSED);
        assert_eq!(why(Path::new(&path("/sys"))), COVERED);
    }

    #[test]
    fn it_is_found_behind_many_headers() {
        is_found(&Builder::new().unused_headers(1000).build());
    }
}
