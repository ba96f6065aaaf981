//! A capability that a file gives.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::Result;

use crate::sys;

/// CAP_NET_RAW of capabilities(7).
pub const NET_RAW: u64 = 13;

/// Gives a file [`NET_RAW`], effective at once.
///
/// # Errors
///
/// What setxattr(2) says.
pub fn give_net_raw(file: &Path) -> Result<()> {
    let path = CString::new(file.as_os_str().as_bytes())?;
    Ok(sys::set_file_capabilities(&path, 1 << NET_RAW)?)
}
