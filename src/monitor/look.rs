//! What is read of an event and its process while the thread is held.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::time::SystemTime;

use nix::errno::Errno;

use crate::observer::fanotify::{FanEvent, Ids, process_of};
use crate::proc::Stat;
use crate::trail::Mask;

/// One event, as it was while the thread that opens was held; bytes are as the kernel gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When it was read.
    pub time: SystemTime,
    /// All 64 bits.
    pub mask: Mask,
    /// The process; 0 when it is in no pid namespace that we see.
    pub pid: i32,
    /// The thread, where that was asked for.
    pub tid: Option<i32>,
    /// The parent; 0 when it is not visible or the process is gone.
    pub ppid: i32,
    /// When it was started, in clock ticks since boot.
    pub start: u64,
    /// Whose program it is.
    pub who: Who,
    /// Its name; empty when it is gone.
    pub comm: Vec<u8>,
    /// The file that is being opened.
    pub path: OpenName,
}

/// The name of a file that is being opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenName {
    /// Its path.
    Path(Vec<u8>),
    /// It is longer than 4,095 bytes, and the kernel does not tell it (`ENAMETOOLONG`).
    TooLong,
    /// The link cannot be read.
    Unreadable,
}

impl OpenName {
    /// The path, or a word that is not a path.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self {
            OpenName::Path(path) => path,
            OpenName::TooLong => TOO_LONG,
            OpenName::Unreadable => b"unreadable",
        }
    }

    fn of(link: nix::Result<Vec<u8>>) -> OpenName {
        match link {
            Ok(path) => OpenName::Path(path),
            Err(Errno::ENAMETOOLONG) => OpenName::TooLong,
            Err(_) => OpenName::Unreadable,
        }
    }
}

/// What stands for a path that the kernel does not tell.
const TOO_LONG: &[u8] = b"too-long";

/// What a process is, as far as its exe link tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A program; the link's target.
    Program(Vec<u8>),
    /// A thread of the kernel, or its helper before the exec: without a program.
    KernelThread,
    /// It was killed while it waited, or is at its end.
    Dead,
    /// It is in no pid namespace that we see.
    Outside,
    /// The link's target is longer than 4,095 bytes, and the kernel does not tell it.
    TooLong,
    /// The link cannot be read.
    Unreadable,
}

impl Who {
    /// The program's path, or a word that is not a path.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self {
            Who::Program(exe) => exe,
            Who::KernelThread => b"kernel-thread",
            Who::Dead => b"dead",
            Who::Outside => b"outside",
            Who::TooLong => TOO_LONG,
            Who::Unreadable => b"unreadable",
        }
    }
}

impl Look {
    /// Reads `/proc`, which no permission event can be asked for.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a line tells the time of day")]
    pub fn take(event: FanEvent, file: &OwnedFd, ids: Ids) -> Look {
        let (pid, tid) = match ids {
            Ids::Process => (event.pid, None),
            Ids::Thread => (process_of(event.pid).unwrap_or(event.pid), Some(event.pid)),
        };
        let stat = if pid > 0 { Stat::read(pid) } else { None };
        let who = who(pid, stat.as_ref());
        let (ppid, start, comm) = stat.map_or((0, 0, Vec::new()), |stat| {
            (stat.ppid, stat.start, stat.comm)
        });
        let path = read_link(&format!("/proc/self/fd/{}", file.as_raw_fd()));
        Look {
            time: SystemTime::now(),
            mask: event.mask,
            pid,
            tid,
            ppid,
            start,
            who,
            comm,
            path: OpenName::of(path),
        }
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let exe = match &self.who {
            Who::Program(exe) => exe.len(),
            _ => 0,
        };
        size_of::<Look>() + exe + self.comm.len() + self.path.name().len()
    }
}

fn who(pid: i32, stat: Option<&Stat>) -> Who {
    if pid <= 0 {
        return Who::Outside;
    }
    match (read_link(&format!("/proc/{pid}/exe")), stat) {
        (Ok(exe), _) => Who::Program(exe),
        (Err(Errno::ENAMETOOLONG), _) => Who::TooLong,
        (Err(_), None) => Who::Dead,
        // Its leader has ended; the process may have not.
        (Err(_), Some(stat)) if stat.is_dead() => thread_exe(pid).unwrap_or(Who::Dead),
        (Err(_), Some(stat)) if stat.is_kernel_thread() => Who::KernelThread,
        // A helper of the kernel before its exec: no kernel thread by its flag, and no program. Or who has ended since.
        (Err(Errno::ENOENT), Some(_)) => match Stat::read(pid).is_none_or(|stat| stat.is_dead()) {
            true => Who::Dead,
            false => Who::KernelThread,
        },
        (Err(_), Some(_)) => Who::Unreadable,
    }
}

/// The exe of a process whose leader has ended: its other threads still have it
/// (proc_pid_task(5)); none when there is none left.
fn thread_exe(pid: i32) -> Option<Who> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut ids = threads
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    ids.find_map(
        |tid| match read_link(&format!("/proc/{pid}/task/{tid}/exe")) {
            Ok(exe) => Some(Who::Program(exe)),
            Err(Errno::ENAMETOOLONG) => Some(Who::TooLong),
            Err(_) => None,
        },
    )
}

fn read_link(path: &str) -> nix::Result<Vec<u8>> {
    nix::fcntl::readlink(path).map(|target| target.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(pid: i32, ids: Ids) -> Look {
        let file = std::fs::File::open("/proc/self/comm").unwrap();
        let event = FanEvent {
            mask: Mask::OPEN,
            fd: -1,
            pid,
            part: None,
        };
        Look::take(event, &file.into(), ids)
    }

    #[test]
    fn a_program_has_its_exe_link() {
        let own = std::process::id().cast_signed();
        assert!(matches!(look(own, Ids::Process).who, Who::Program(exe) if exe[0] == b'/'));
    }

    #[test]
    fn a_process_of_another_namespace_is_outside() {
        assert_eq!(look(0, Ids::Process).who, Who::Outside);
    }

    #[test]
    fn a_process_that_is_gone_is_dead() {
        // Beyond PID_MAX_LIMIT: there is none.
        assert_eq!(look(i32::MAX, Ids::Process).who, Who::Dead);
    }

    #[test]
    fn a_thread_is_told_with_its_process() {
        let own = std::process::id().cast_signed();
        let tid = std::thread::spawn(nix::unistd::gettid).join().unwrap();
        assert_ne!(tid.as_raw(), own);
    }

    #[test]
    fn the_process_of_a_thread_is_its_thread_group() {
        let own = std::process::id().cast_signed();
        let tid = nix::unistd::gettid().as_raw();
        let look = look(tid, Ids::Thread);
        assert_eq!((look.pid, look.tid), (own, Some(tid)));
    }
}
