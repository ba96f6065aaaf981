//! How a program takes another's name, arguments and exe link, with a privilege and without one. Compiled into the subject
//! alone (`src/subject/main.rs`).

use alloc::vec::Vec;

use crate::bare::{Failed, call, read};

/// Options of prctl(2) (include/uapi/linux/prctl.h).
const SET_NAME: usize = 15;
const SET_MM: usize = 35;
const MM_ARG_START: usize = 8;
const MM_ARG_END: usize = 9;
const MM_EXE_FILE: usize = 13;
const MM_MAP: usize = 14;

/// `CLONE_NEWUSER` (include/uapi/linux/sched.h).
const NEW_USER: usize = 0x1000_0000;

/// System calls (arch/x86/entry/syscalls/syscall_64.tbl).
const MPROTECT: usize = 10;
const BRK: usize = 12;
const MREMAP: usize = 25;
const PRCTL: usize = 157;
const UNSHARE: usize = 272;

const PAGE: usize = 4096;

/// What a call is and what it said.
pub type Said = (&'static str, Result<usize, Failed>);

/// What a program wants to be taken for.
pub struct Guise {
    /// The program's file, open.
    file: usize,
    /// The comm, with its NUL.
    comm: &'static [u8],
    /// The arguments, each with its NUL.
    arguments: &'static [u8],
}

impl Guise {
    /// That of a program whose file is open.
    #[must_use]
    pub fn of(file: usize, comm: &[u8], arguments: &[u8]) -> Guise {
        // The kernel reads the arguments there for as long as the process lives.
        let arguments = Vec::from(arguments).leak();
        let comm = Vec::from(comm).leak();
        Guise {
            file,
            comm,
            arguments,
        }
    }

    /// Gives this process the exe link, the comm and the arguments of another program, each by an option of its own.
    ///
    /// # Errors
    ///
    /// What a call says: `EPERM` without CAP_SYS_RESOURCE.
    pub fn take(&self) -> Result<(), Failed> {
        leave_own_file()?;
        self.set_exe_file()?;
        let (start, end) = self.argument_range();
        // SAFETY: the options want addresses of memory that is never given back; it lies below the arguments,
        // so that start is never above end.
        unsafe {
            call(PRCTL, [SET_MM, MM_ARG_START, start, 0, 0])?;
            call(PRCTL, [SET_MM, MM_ARG_END, end, 0, 0])?;
        }
        self.set_comm()
    }

    /// The same for who has no capability: what changes exe is tried, then tried again in a user namespace of the
    /// process's own. Says what each of these calls said.
    ///
    /// # Errors
    ///
    /// What another call says.
    pub fn take_unprivileged(&self) -> Result<Vec<Said>, Failed> {
        leave_own_file()?;
        let map = self.map()?;
        let mut said = Vec::from([
            ("PR_SET_MM_EXE_FILE", self.set_exe_file()),
            ("PR_SET_MM_MAP", set_map(&map)),
        ]);
        // SAFETY: the call takes a number.
        let unshared = unsafe { call(UNSHARE, [NEW_USER, 0, 0, 0, 0]) };
        said.extend([
            ("unshare CLONE_NEWUSER", unshared),
            ("PR_SET_MM_EXE_FILE after unshare", self.set_exe_file()),
            ("PR_SET_MM_MAP after unshare", set_map(&map)),
        ]);
        self.set_comm()?;
        Ok(said)
    }

    fn set_exe_file(&self) -> Result<usize, Failed> {
        // SAFETY: the option wants a descriptor.
        unsafe { call(PRCTL, [SET_MM, MM_EXE_FILE, self.file, 0, 0]) }
    }

    fn set_comm(&self) -> Result<(), Failed> {
        let comm = self.comm.as_ptr().expose_provenance();
        // SAFETY: the option wants a string, which has its NUL.
        unsafe { call(PRCTL, [SET_NAME, comm, 0, 0, 0]) }.map(drop)
    }

    fn argument_range(&self) -> (usize, usize) {
        let start = self.arguments.as_ptr().expose_provenance();
        (start, start + self.arguments.len())
    }

    /// `struct prctl_mm_map` (include/uapi/linux/prctl.h): the addresses that this process has, but for its arguments; no
    /// auxiliary vector, which leaves the old one; and the file.
    fn map(&self) -> Result<[u64; 13], Failed> {
        let stat = read("/proc/self/stat")?;
        // The comm, in parentheses, is the second field (proc_pid_stat(5)) and may have spaces.
        let comm = stat.iter().rposition(|byte| *byte == b')').unwrap_or(0);
        let after = core::str::from_utf8(&stat[comm..]).unwrap_or_default();
        let fields: Vec<u64> = after
            .split_ascii_whitespace()
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        // What is not there is 0, which the kernel takes for no address.
        let field = |number: usize| fields.get(number - 2).copied().unwrap_or(0);
        // SAFETY: an address that is too low changes nothing.
        let brk = unsafe { call(BRK, [0; 5]) }?;
        let (arguments, arguments_end) = self.argument_range();
        Ok([
            field(26), // start_code
            field(27), // end_code
            field(45), // start_data
            field(46), // end_data
            field(47), // start_brk
            brk as u64,
            field(28), // start_stack
            arguments as u64,
            arguments_end as u64,
            field(50), // env_start
            field(51), // env_end
            0,         // auxv
            // auxv_size and exe_fd, four bytes each.
            (self.file as u64) << 32,
        ])
    }
}

fn set_map(map: &[u64; 13]) -> Result<usize, Failed> {
    let place = map.as_ptr().expose_provenance();
    // SAFETY: the option wants the structure and its size; its addresses are those that the process has.
    unsafe { call(PRCTL, [SET_MM, MM_MAP, place, size_of_val(map), 0]) }
}

/// Puts copies in the place of what is mapped of this program's file.
///
/// The kernel lets a process change its exe when nothing of the old file is mapped any more
/// (`replace_mm_exe_file` in kernel/fork.c): so each mapping of it is replaced by a copy, in one step that
/// the code survives that runs in it.
fn leave_own_file() -> Result<(), Failed> {
    for (start, end) in mapped_files(&read("/proc/self/maps")?) {
        copy_over(start, end)?;
    }
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
