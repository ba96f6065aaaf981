//! Extended attributes of files (xattr(7)).

use std::ffi::CStr;

use nix::errno::Errno;
use nix::libc;

/// Sets an extended attribute of a file (setxattr(2)).
///
/// # Errors
///
/// What the call says.
pub fn setxattr(path: &CStr, name: &CStr, value: &[u8]) -> nix::Result<()> {
    // SAFETY: path and name end with NUL, the value is as long as is said.
    let result = unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    Errno::result(result).map(drop)
}

/// Reads an extended attribute of a file, at most 64 bytes of it (getxattr(2)).
///
/// # Errors
///
/// What the call says; `ENODATA` when there is no such attribute.
pub fn getxattr(path: &CStr, name: &CStr) -> nix::Result<Vec<u8>> {
    let mut value = vec![0; 64];
    let (buffer, room) = (value.as_mut_ptr().cast(), value.len());
    // SAFETY: path and name end with NUL; the buffer is as long as is said.
    let size = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), buffer, room) };
    value.truncate(usize::try_from(Errno::result(size)?).unwrap_or_default());
    Ok(value)
}
