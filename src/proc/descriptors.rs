//! The descriptors of a process: `/proc/PID/fdinfo`.

use nix::libc;

use super::text;

/// One descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub number: u64,
    /// Whether an exec closes it.
    pub closes: bool,
}

impl Descriptor {
    /// All descriptors of a process; none when it is gone.
    #[must_use]
    pub fn all(pid: i32) -> Vec<Descriptor> {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter();
        let names = entries.flatten().flatten().map(|entry| entry.file_name());
        let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
        numbers
            .filter_map(|number| Descriptor::of(pid, number))
            .collect()
    }

    /// One of a process; none where there is no such number.
    #[must_use]
    pub fn of(pid: i32, number: u64) -> Option<Descriptor> {
        let info = text(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
        Descriptor::parse(number, &info)
    }

    /// Source: proc_pid_fdinfo(5), `seq_show` in fs/proc/fd.c.
    fn parse(number: u64, info: &str) -> Option<Descriptor> {
        let mut lines = info.lines();
        let flags = lines.find_map(|line| line.strip_prefix("flags:"))?;
        let flags = i32::from_str_radix(flags.trim(), 8).ok()?;
        let closes = flags & libc::O_CLOEXEC != 0;
        Some(Descriptor { number, closes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closes(flags: &str) -> Option<bool> {
        let info = format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t15\n");
        Descriptor::parse(3, &info).map(|descriptor| descriptor.closes)
    }

    #[test]
    fn flags_are_octal() {
        assert_eq!(closes("02100000"), Some(true));
    }

    #[test]
    fn one_that_an_exec_leaves_open() {
        assert_eq!(closes("0100002"), Some(false));
    }

    #[test]
    fn what_is_no_number_is_no_descriptor() {
        assert_eq!(closes("rw"), None);
    }

    #[test]
    fn our_own_are_found() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(Descriptor::all(own).iter().any(|found| found.number == 0));
    }
}
