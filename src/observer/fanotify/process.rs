//! What `/proc` says of a process while it is held.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

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
    /// Reads exe, comm and parent (proc_pid_exe(5), proc_pid_comm(5), proc_pid_stat(5)).
    #[must_use]
    pub fn read(pid: i32) -> Process {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let comm = fs::read(format!("/proc/{pid}/comm")).ok();
        Process {
            exe: exe.map(|path| printable(path.as_os_str().as_bytes())),
            comm: comm.map(|bytes| printable(bytes.strip_suffix(b"\n").unwrap_or(&bytes))),
            ppid: Parent::of(pid).unwrap_or(0),
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
        parse_ppid(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// Field 4 of stat; the comm in field 2 may hold spaces and parentheses.
fn parse_ppid(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_ppid;

    #[test]
    fn the_parent_is_the_second_field_behind_the_comm() {
        assert_eq!(parse_ppid(b"7 (a) S 3 7 7 0"), Some(3));
    }

    #[test]
    fn a_comm_with_parentheses_and_spaces_does_not_mislead() {
        assert_eq!(parse_ppid(b"7 (a) S 9) b) S 3 7 7 0"), Some(3));
    }

    #[test]
    fn a_cut_line_has_no_parent() {
        assert_eq!(parse_ppid(b"7 (a"), None);
    }
}
