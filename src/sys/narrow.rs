//! A system call of the 32-bit table, made by a 64-bit program.

use std::ffi::{CStr, CString};

use nix::errno::Errno;
use nix::libc;

/// execve in that table (arch/x86/entry/syscalls/syscall_32.tbl).
const EXECVE: u64 = 11;
/// How much there is for path, strings and pointers.
const SIZE: usize = 1 << 16;

/// execve(2) by `int $0x80`; returns when it failed.
///
/// # Errors
///
/// What the call says; `ENOMEM` when what it is given does not fit where 32 bits reach.
pub fn execve_narrow(path: &CStr, argv: &[CString], environment: &[CString]) -> nix::Result<()> {
    // SAFETY: a new mapping, of which nobody else knows.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: the mapping is readable and writable, zero, as large as that, and ours alone.
    let place = unsafe { std::slice::from_raw_parts_mut(memory.cast::<u8>(), SIZE) };
    let base = u32::try_from(memory.expose_provenance()).map_err(|_| Errno::ENOMEM)?;
    let mut used = 0;
    let mut put = |bytes: &[u8]| {
        let at = used;
        used += bytes.len();
        let room = place.get_mut(at..used).ok_or(Errno::ENOMEM)?;
        room.copy_from_slice(bytes);
        Ok::<u32, Errno>(base + at as u32)
    };
    let array = |strings: &[CString], put: &mut dyn FnMut(&[u8]) -> nix::Result<u32>| {
        let mut pointers = Vec::new();
        for string in strings {
            pointers.extend(put(string.as_bytes_with_nul())?.to_ne_bytes());
        }
        pointers.extend([0; 4]);
        put(&pointers)
    };
    let path = put(path.to_bytes_with_nul())?;
    let argv = array(argv, &mut put)?;
    let environment = array(environment, &mut put)?;
    let mut result = EXECVE;
    // SAFETY: the kernel reads what the three point to and writes nothing; rbx, which the compiler
    // keeps for itself, is put back, and the entry by `int $0x80` may clear r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg {path}, rbx",
            "int 0x80",
            "xchg {path}, rbx",
            path = inout(reg) u64::from(path) => _,
            inout("rax") result,
            in("rcx") u64::from(argv),
            in("rdx") u64::from(environment),
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // Without a library the errno is the result, negative.
    Err(Errno::from_raw(-(result as i32)))
}
