//! The table of pages of this process (proc_pid_pagemap(5)).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const PAGE: usize = 4096;
/// Bit 63 of an entry: the page is there.
const PRESENT: u64 = 1 << 63;

/// Whether the page of an address is in the table, so that reading there takes no fault.
///
/// # Errors
///
/// There is no table to read: nothing is mounted at `/proc`, or the kernel has no `CONFIG_PROC_PAGE_MONITOR`.
pub fn is_present(address: usize) -> io::Result<bool> {
    let mut entry = [0; 8];
    let place = address / PAGE * entry.len();
    File::open("/proc/self/pagemap")?.read_exact_at(&mut entry, place as u64)?;
    Ok(u64::from_ne_bytes(entry) & PRESENT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_there_when_it_was_used() {
        let used = 1_u8;
        assert!(is_present((&raw const used).addr()).unwrap());
        // More than malloc(3) ever takes from what it has (mallopt(3), `M_MMAP_THRESHOLD`), and behind its first huge page.
        let unused = Vec::<u8>::with_capacity(1 << 26);
        assert!(!is_present(unused.as_ptr().addr() + (1 << 25)).unwrap());
    }
}
