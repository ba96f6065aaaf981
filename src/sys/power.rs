//! What a process may: capabilities, and attributes set by prctl(2).

use std::ffi::CStr;

use nix::errno::Errno;
use nix::libc;

/// Sets an attribute of this process by two integers (prctl(2)).
///
/// # Errors
///
/// What prctl says.
pub fn set_attribute_of_process(option: i32, first: u64, second: u64) -> nix::Result<()> {
    // SAFETY: only options that take integers are set by this; none has a pointer.
    Errno::result(unsafe { libc::prctl(option, first, second, 0, 0) }).map(drop)
}

/// Permitted, effective and inheritable capabilities, a bit each (capset(2)).
///
/// # Errors
///
/// What capset says.
pub fn set_capabilities(permitted: u64, effective: u64, inheritable: u64) -> nix::Result<()> {
    // `_LINUX_CAPABILITY_VERSION_3`, this process.
    let header = [0x2008_0522_u32, 0];
    let half = |set: u64, shift: u32| (set >> shift) as u32;
    let words =
        [0, 32].map(|shift| [effective, permitted, inheritable].map(|set| half(set, shift)));
    // SAFETY: header and sets have the form that the version asks for.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), words.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Sets the nice value of this process (setpriority(2)).
///
/// # Errors
///
/// What setpriority says.
pub fn set_nice(value: i32) -> nix::Result<()> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) }).map(drop)
}

/// The inheritable capabilities of this process, a bit each; the others stay.
///
/// # Errors
///
/// What capget(2) or capset(2) says.
pub fn set_inheritable(inheritable: u64) -> nix::Result<()> {
    let [effective, permitted, _] = capabilities()?;
    set_capabilities(permitted, effective, inheritable)
}

/// Effective, permitted and inheritable capabilities of this process, a bit each: of the first two, those that AppArmor lets
/// it use (capget(2)).
///
/// # Errors
///
/// What capget says.
pub fn capabilities() -> nix::Result<[u64; 3]> {
    let header = [0x2008_0522_u32, 0];
    let mut words = [[0_u32; 3]; 2];
    // SAFETY: header and sets have the form that the version asks for.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), words.as_mut_ptr()) };
    Errno::result(result)?;
    let [low, high] = words;
    Ok([0, 1, 2].map(|set| u64::from(high[set]) << 32 | u64::from(low[set])))
}

/// The capabilities of a file (capabilities(7), "File capabilities"), a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCapabilities {
    /// The permitted ones.
    pub permitted: u64,
    /// The inheritable ones.
    pub inheritable: u64,
    /// They are effective at once.
    pub effective: bool,
}

/// Gives a file these capabilities, permitted and effective.
///
/// # Errors
///
/// What setxattr(2) says.
pub fn set_file_capabilities(path: &CStr, permitted: u64) -> nix::Result<()> {
    let sets = FileCapabilities {
        permitted,
        inheritable: 0,
        effective: true,
    };
    set_file_capability_sets(path, sets)
}

/// Gives a file these sets of capabilities.
///
/// # Errors
///
/// What setxattr(2) says.
pub fn set_file_capability_sets(path: &CStr, sets: FileCapabilities) -> nix::Result<()> {
    // VFS_CAP_REVISION_2 with the effective bit, then permitted and inheritable, the low halves
    // before the high ones.
    let words = [
        0x0200_0000 | u32::from(sets.effective),
        sets.permitted as u32,
        sets.inheritable as u32,
        (sets.permitted >> 32) as u32,
        (sets.inheritable >> 32) as u32,
    ];
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    super::setxattr(path, c"security.capability", &value)
}

/// prctl(2) with an option that takes a number or nothing.
///
/// # Errors
///
/// What prctl says.
pub fn prctl(option: i32, argument: u64) -> nix::Result<i32> {
    // SAFETY: only options without a pointer are asked for here; all arguments are integers.
    Errno::result(unsafe { libc::prctl(option, argument, 0, 0, 0) })
}
