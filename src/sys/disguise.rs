//! How a program takes another's name, arguments and exe link. Compiled into the subject alone
//! (`src/subject/main.rs`).

use alloc::vec::Vec;

use crate::bare::{Failed, call, read};

/// Options of prctl(2) (include/uapi/linux/prctl.h).
const SET_NAME: usize = 15;
const SET_MM: usize = 35;
const MM_ARG_START: usize = 8;
const MM_ARG_END: usize = 9;
const MM_EXE_FILE: usize = 13;

/// System calls (arch/x86/entry/syscalls/syscall_64.tbl).
const MPROTECT: usize = 10;
const MREMAP: usize = 25;
const PRCTL: usize = 157;

const PAGE: usize = 4096;

/// Gives this process the exe link, the comm and the arguments of a program that it is not, whose file is open.
///
/// The kernel lets a process change its exe when nothing of the old file is mapped any more
/// (`replace_mm_exe_file` in kernel/fork.c): so each mapping of it is replaced by a copy, in one step that
/// the code survives that runs in it.
///
/// # Errors
///
/// What a call says: `EPERM` without CAP_SYS_RESOURCE.
pub fn disguise(file: usize, name: &[u8], arguments: &[u8]) -> Result<(), Failed> {
    let mut title = Vec::from(arguments);
    let mut comm = Vec::from(name);
    comm.push(0);
    for (start, end) in mapped_files(&read("/proc/self/maps")?) {
        copy_over(start, end)?;
    }
    let start = title.as_mut_ptr().expose_provenance();
    // SAFETY: the option wants a descriptor; then addresses of memory that is never given back, and
    // that lies below the arguments, so that start is never above end; then a string with its NUL.
    unsafe {
        call(PRCTL, [SET_MM, MM_EXE_FILE, file, 0, 0])?;
        call(PRCTL, [SET_MM, MM_ARG_START, start, 0, 0])?;
        call(PRCTL, [SET_MM, MM_ARG_END, start + title.len(), 0, 0])?;
        call(PRCTL, [SET_NAME, comm.as_ptr().expose_provenance(), 0, 0, 0])?;
    }
    core::mem::forget(title);
    Ok(())
}

/// Start and end of every mapping that has a path (proc_pid_maps(5)).
fn mapped_files(maps: &[u8]) -> Vec<(usize, usize)> {
    let lines = maps.split(|byte| *byte == b'\n');
    let files = lines.filter(|line| line.contains(&b'/'));
    let range = |line: &[u8]| {
        let line = core::str::from_utf8(line).ok()?;
        let (start, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        Some((number(start)?, number(end)?))
    };
    files.filter_map(range).collect()
}

/// Puts a copy of a mapping, which belongs to no file, in its place.
fn copy_over(start: usize, end: usize) -> Result<(), Failed> {
    /// `PROT_READ`, `_WRITE` and `_EXEC`; `MREMAP_MAYMOVE` and `_FIXED`.
    const ALL: usize = 7;
    const HERE: usize = 3;
    let length = end - start;
    // The allocator's memory is anonymous, and what is taken of it is never used again.
    let mut copy = Vec::<u8>::with_capacity(length + PAGE);
    let place = copy.as_mut_ptr().expose_provenance().next_multiple_of(PAGE);
    core::mem::forget(copy);
    let to = core::ptr::with_exposed_provenance_mut::<u8>(place);
    let from = core::ptr::with_exposed_provenance::<u8>(start);
    // SAFETY: the copy is as long as the mapping, whose content is readable; nothing is written between the
    // copy and the moment when it takes the place.
    unsafe {
        call(MPROTECT, [place, length, ALL, 0, 0])?;
        core::ptr::copy_nonoverlapping(from, to, length);
        call(MREMAP, [place, length, length, HERE, start])?;
    }
    Ok(())
}
