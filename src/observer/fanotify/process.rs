//! What `/proc` says of a process while it is held.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::proc::{self, Stat, Status};
use crate::trail::{By, Later, LaterThread, printable};

/// The identity of a process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Target of the exe link; none where it cannot be read, as of a kernel thread.
    pub exe: Option<String>,
    /// Name of the leader; none when the process is gone.
    pub comm: Option<String>,
    /// Who acts in it.
    pub by: By,
    /// Name of the thread that was asked about, where it is not the leader.
    pub thread: Option<String>,
    /// Parent, 0 when it is not visible or the process is gone.
    pub ppid: i32,
}

impl Process {
    /// Reads exe, comm and parent (proc_pid_exe(5), proc_pid_stat(5)) of one thread of a process: its
    /// own exe link, which is there as long as the thread is, also when the leader has ended.
    #[must_use]
    pub fn read(tid: i32, pid: i32) -> Process {
        let stat = Stat::read(tid);
        let exe = exe(tid);
        let by = match (&stat, &exe) {
            (Some(stat), None) if is_of_kernel(stat) => By::Kernel,
            _ => By::Program,
        };
        let own = stat.as_ref().map(|stat| printable(&stat.comm));
        let (comm, thread) = match tid == pid {
            true => (own, None),
            false => (comm(pid), own),
        };
        Process {
            exe,
            comm,
            by,
            thread,
            ppid: stat.map_or(0, |stat| stat.ppid),
        }
    }

    /// What a second look finds of a thread and of its process.
    #[must_use]
    pub fn again(tid: i32, pid: i32) -> Later {
        let thread = comm(tid).map(|comm| LaterThread {
            exe: exe(tid),
            comm: Some(comm),
        });
        Later {
            exe: exe(pid),
            comm: comm(pid),
            thread,
        }
    }
}

/// Whether somebody without an exe link is a thread of the kernel, or a helper that has not executed anything: before 5.18 it has
/// the flag of one (`copy_process` and `begin_new_exec`), and later a parent that has. A program that is about to end has no exe
/// link either; nobody becomes a child of the kernel.
fn is_of_kernel(stat: &Stat) -> bool {
    let is_child = || Stat::read(stat.ppid).is_some_and(|parent| parent.is_kernel_thread());
    stat.is_kernel_thread() || !stat.is_dead() && is_child()
}

fn exe(pid: i32) -> Option<String> {
    named(proc::link(format!("/proc/{pid}/exe")))
}

/// The target of a link in `/proc`; `too-long`, which is no path as it has no slash, for one of more
/// than 4,095 bytes, which the kernel does not tell (`ENAMETOOLONG`).
#[must_use]
pub fn named(target: io::Result<PathBuf>) -> Option<String> {
    match target {
        Ok(path) => Some(printable(path.as_os_str().as_bytes())),
        Err(error) if error.raw_os_error() == Some(Errno::ENAMETOOLONG as i32) => {
            Some("too-long".to_owned())
        }
        Err(_) => None,
    }
}

fn comm(pid: i32) -> Option<String> {
    Stat::read(pid).map(|stat| printable(&stat.comm))
}

/// The process that a thread is of: field `Tgid` of proc_pid_status(5); none when it is gone.
#[must_use]
pub fn process_of(tid: i32) -> Option<i32> {
    let process = Status::read(tid)?.number("Tgid:", 0)?;
    i32::try_from(process).ok()
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
