//! What belongs to the architecture of the kernels under test: x86-64, the only one so far.
//!
//! Whatever differs with it stands here and nowhere else, so that a second one is a file beside this.
//! Machine code and register layouts are in `sys/`, instructions of made-up programs in the ELF writer.

use goblin::elf::header;

/// Its name in records and messages.
pub const NAME: &str = "x86-64";
/// What Debian calls it.
pub const DEBIAN: &str = "amd64";
/// What uname(2) calls it.
pub const MACHINE: &str = "x86_64";

/// The program that boots its kernels.
pub const QEMU: &str = "qemu-system-x86_64";
/// The Debian package that has it.
pub const QEMU_PACKAGE: &str = "qemu-system-x86";
/// The machine that it emulates.
pub const BOARD: &str = "pc,usb=off,vmport=off";
/// The CPU model under hardware virtualisation.
pub const CPU: &str = "qemu64";
/// The CPU model under software emulation: QEMU 7.2 emulates cmpxchg16b wrongly.
pub const CPU_EMULATED: &str = "qemu64,-cx16";
/// The serial port that is the console.
pub const CONSOLE: &str = "ttyS0";
/// The serial port of the record channel.
pub const RECORDS: &str = "/dev/ttyS1";
/// The serial port of a person's terminal.
pub const TERMINAL: &str = "/dev/ttyS2";
/// Parameters that its kernels need.
///
/// The test of the timer interrupt (`check_timer` in arch/x86/kernel/apic/io_apic.c) counts ticks while
/// QEMU may not have the CPU: on a busy host it fails at random, "IO-APIC + timer doesn't work!".
pub const PARAMETERS: &str = "no_timer_check";
/// The parameter that tells a kernel how many kHz its time stamp counter has.
pub const COUNTER: &str = "tsc_early_khz";

/// Where a build tree has its images; a bzImage is what would be installed.
pub const IMAGES: [&str; 3] = [
    "arch/x86/boot/bzImage",
    "arch/x86_64/boot/bzImage",
    "vmlinux",
];

/// Machine of its programs in an ELF header.
pub const ELF: u16 = header::EM_X86_64;
/// Machine of the 32-bit programs that it runs too, with `CONFIG_IA32_EMULATION`.
pub const ELF_NARROW: u16 = header::EM_386;

/// Debian's directories for libraries, in the order in which glibc's loader looks.
pub const LIBRARIES: &str = "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib:/usr/lib";
/// The same for 32-bit programs.
pub const LIBRARIES_NARROW: &str =
    "/lib/i386-linux-gnu:/usr/lib/i386-linux-gnu:/lib32:/usr/lib32:/lib:/usr/lib";
/// Where Debian has musl's libraries.
pub const LIBRARIES_MUSL: &str = "/usr/lib/x86_64-linux-musl";
/// The path of glibc's loader that programs name.
pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
/// The same for 32-bit programs.
pub const LOADER_NARROW: &str = "/lib/ld-linux.so.2";
/// Names under which musl's loader is also its libc.
pub const MUSL: [&str; 2] = ["libc.so", "libc.musl-x86_64.so.1"];

/// Beyond this no address is a process's: `TASK_SIZE_MAX` (arch/x86/include/asm/page_64.h).
pub const END_OF_ADDRESSES: u64 = (1 << 47) - 4096;
