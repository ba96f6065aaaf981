//! Where the subject begins: from the stack that exec left to `main`, with what the compiler takes
//! for granted of a C library. Compiled into that program alone (`src/subject/main.rs`).
//!
//! No library runs before `main`, so that the subject finds the state that exec left: the standard
//! library ignores SIGPIPE, handles SIGSEGV and SIGBUS and sets an alternate stack.

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::bare::{self, Given, Registers};

/// The entry point: hands the initial stack to [`begin`], whose own is aligned.
#[unsafe(naked)]
// SAFETY: no other symbol of this program has the name.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!(
        "mov [rip + {found}], rax",
        "mov [rip + {found} + 8], rbx",
        "mov [rip + {found} + 16], rcx",
        "mov [rip + {found} + 24], rdx",
        "mov [rip + {found} + 32], rsi",
        "mov [rip + {found} + 40], rdi",
        "mov [rip + {found} + 48], rbp",
        "mov [rip + {found} + 56], r8",
        "mov [rip + {found} + 64], r9",
        "mov [rip + {found} + 72], r10",
        "mov [rip + {found} + 80], r11",
        "mov [rip + {found} + 88], r12",
        "mov [rip + {found} + 96], r13",
        "mov [rip + {found} + 104], r14",
        "mov [rip + {found} + 112], r15",
        "pushfq",
        "pop qword ptr [rip + {found} + 120]",
        "mov eax, cs",
        "mov [rip + {found} + 128], rax",
        "mov eax, ss",
        "mov [rip + {found} + 136], rax",
        "mov eax, ds",
        "mov [rip + {found} + 144], rax",
        "mov eax, es",
        "mov [rip + {found} + 152], rax",
        "mov eax, fs",
        "mov [rip + {found} + 160], rax",
        "mov eax, gs",
        "mov [rip + {found} + 168], rax",
        "mov rdi, rsp",
        "xor ebp, ebp",
        "and rsp, -16",
        "call {begin}",
        begin = sym begin,
        found = sym FOUND,
    )
}

/// The registers at the first instruction, which writes them and nobody else does.
static mut FOUND: Registers = Registers {
    general: [0; 15],
    flags: 0,
    segments: [0; 6],
};

extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: exec left arguments, variables and the auxiliary vector there.
    let mut given = unsafe { given(stack) };
    // SAFETY: the only thread has written them before it came here.
    given.registers = Some(unsafe { FOUND });
    bare::exit(crate::main(&given))
}

/// Reads the initial stack.
///
/// # Safety
///
/// It is the one that exec left.
unsafe fn given(stack: *const usize) -> Given {
    /// Tags of the auxiliary vector (include/uapi/linux/auxvec.h).
    const EXECFD: usize = 2;
    const FLAGS: usize = 8;
    const SECURE: usize = 23;
    const EXECFN: usize = 31;
    let mut given = Given::default();
    // SAFETY: the count is followed by that many pointers and a null, by pointers to variables and
    // a null, and by pairs of numbers of which the last has tag 0; strings end with a NUL.
    unsafe {
        let count = *stack;
        let arguments = stack.add(1);
        given.argv = (0..count).map(|n| string(*arguments.add(n))).collect();
        let mut next = arguments.add(count + 1);
        let last = *arguments.add(count.saturating_sub(1));
        given.places = ends(["argv", "argv-last"], count, [*arguments, last]);
        let (first, mut last, mut variables) = (*next, *next, 0);
        while *next != 0 {
            let variable = string(*next);
            (last, variables) = (*next, variables + 1);
            // As the standard library counts them: a name may begin with `=`.
            if variable.iter().skip(1).any(|byte| *byte == b'=') {
                given.environment.push(variable);
            }
            next = next.add(1);
        }
        let variables = ends(["envp", "envp-last"], variables, [first, last]);
        given.places.extend(variables);
        next = next.add(1);
        while *next != 0 {
            let value = *next.add(1);
            match *next {
                EXECFD => given.execfd = Some(value as u64),
                FLAGS => given.auxiliary_flags = Some(value as u64),
                SECURE => given.secure = Some(value as u64),
                EXECFN => {
                    given.execfn = Some(string(value));
                    given.places.push(("execfn", value));
                }
                _ => {}
            }
            next = next.add(2);
        }
    }
    given
}

/// The first and the last of so many strings, by these names; one alone is the first.
fn ends(names: [&'static str; 2], count: usize, places: [usize; 2]) -> Vec<(&'static str, usize)> {
    names.into_iter().zip(places).take(count).collect()
}

/// Copies a string.
///
/// # Safety
///
/// The address is that of a string which ends with a NUL.
unsafe fn string(address: usize) -> Vec<u8> {
    // SAFETY: as the caller promises.
    let string = unsafe { CStr::from_ptr(core::ptr::with_exposed_provenance(address)) };
    string.to_bytes().to_vec()
}

/// Memory that is only taken: the subject says one line and ends.
struct Arena {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

/// Twice what arguments and variables together may be by default (execve(2), "Limits on size of arguments and environment").
const SIZE: usize = 4 << 20;

#[global_allocator]
static ARENA: Arena = Arena {
    memory: UnsafeCell::new([0; SIZE]),
    used: AtomicUsize::new(0),
};

// SAFETY: there is one thread, and what was taken is never given out again.
unsafe impl Sync for Arena {}

// SAFETY: pieces are apart, inside of the memory and aligned.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get().cast::<u8>();
        let start =
            (base.addr() + self.used.load(Ordering::Relaxed)).next_multiple_of(layout.align());
        let start = start - base.addr();
        let Some(end) = start.checked_add(layout.size()).filter(|end| *end <= SIZE) else {
            return core::ptr::null_mut();
        };
        self.used.store(end, Ordering::Relaxed);
        // SAFETY: it is inside, as was just checked.
        unsafe { base.add(start) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    bare::exit(98)
}

/// What the prebuilt `alloc` names for unwinding, which a panic here does not do.
// SAFETY: no other symbol of this program has the name, and nobody calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// See [`rust_eh_personality`].
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    bare::exit(97)
}

// What the compiler calls by name (memcpy(3) and its like). By instructions, because a loop would
// be compiled to a call of the function that it is in.

// SAFETY: no other symbol of this program has the name; so for those below.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    // SAFETY: the caller's places are as long as it says.
    unsafe {
        asm!("rep movsb", inout("rcx") size => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= size {
        // SAFETY: going upwards reads every byte before it is overwritten.
        return unsafe { memcpy(to, from, size) };
    }
    // SAFETY: as for memcpy; downwards, from the last byte, and the direction is restored.
    unsafe {
        let (last_to, last_from) = (
            to.wrapping_add(size).wrapping_sub(1),
            from.wrapping_add(size).wrapping_sub(1),
        );
        asm!("std", "rep movsb", "cld", inout("rcx") size => _, inout("rdi") last_to => _,
            inout("rsi") last_from => _, options(nostack));
    }
    to
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, size: usize) -> *mut u8 {
    // SAFETY: the caller's place is as long as it says.
    unsafe {
        asm!("rep stosb", inout("rcx") size => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    to
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, size: usize) -> i32 {
    for place in 0..size {
        // SAFETY: the caller's places are as long as it says; volatile, so that it stays a loop.
        let (one, other) = unsafe {
            (
                one.add(place).read_volatile(),
                other.add(place).read_volatile(),
            )
        };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
    }
    0
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, size: usize) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { memcmp(one, other, size) }
}

// SAFETY: as for memcpy.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const u8) -> usize {
    let mut size = 0;
    // SAFETY: the caller's string ends with a NUL; volatile, so that it stays a loop.
    while unsafe { string.add(size).read_volatile() } != 0 {
        size += 1;
    }
    size
}
