//! What `/proc` says of a process while it is held.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::proc::Stat;
use crate::trail::printable;

/// The identity of a process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Target of the exe link; none for a kernel thread or a dead process.
    pub exe: Option<String>,
    /// Name of at most 15 bytes; none when the process is gone.
    pub comm: Option<String>,
    /// Parent, 0 when it is not visible or the process is gone.
    pub ppid: i32,
}

impl Process {
    /// Reads exe, comm and parent (proc_pid_exe(5), proc_pid_stat(5)).
    #[must_use]
    pub fn read(pid: i32) -> Process {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let stat = Stat::read(pid);
        Process {
            exe: exe.map(|path| printable(path.as_os_str().as_bytes())),
            ppid: stat.as_ref().map_or(0, |stat| stat.ppid),
            comm: stat.map(|stat| printable(&stat.comm)),
        }
    }
}

/// The parent of a process.
#[derive(Debug)]
pub struct Parent;

impl Parent {
    /// Reads the parent's id; none when the process is gone.
    #[must_use]
    pub fn of(pid: i32) -> Option<i32> {
        Some(Stat::read(pid)?.ppid)
    }
}
