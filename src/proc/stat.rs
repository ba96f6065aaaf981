//! One line that tells most of a process: `/proc/PID/stat`.

use std::path::Path;

/// `PF_EXITING`, `PF_KTHREAD` and `PF_NPROC_EXCEEDED` of include/linux/sched.h, which stat shows as they are.
const EXITING: u32 = 0x0000_0004;
const KERNEL_THREAD: u32 = 0x0020_0000;
const TOO_MANY: u32 = 0x0000_1000;

/// The fields that we use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Name of at most 15 bytes (longer for kernel workers); any byte but NUL.
    pub comm: Vec<u8>,
    /// Parent's id, 0 when it is not visible.
    pub ppid: i32,
    /// When it was started, in clock ticks since boot: with the id, its identity.
    pub start: u64,
    state: u8,
    flags: u32,
}

impl Stat {
    /// Reads it in one go; none when the process is gone.
    ///
    /// Source: proc_pid_stat(5), `do_task_stat` in fs/proc/array.c.
    #[must_use]
    pub fn read(pid: i32) -> Option<Stat> {
        let path = format!("/proc/{pid}/stat");
        let file = super::held::open(Path::new(&path)).ok()?;
        // 52 numbers of at most 20 digits and a comm of 64 bytes.
        let mut buffer = [0; 1200];
        let length = nix::unistd::read(&file, &mut buffer).ok()?;
        Stat::parse(&buffer[..length])
    }

    /// The comm is everything between the first and the last parenthesis, whatever it holds.
    fn parse(line: &[u8]) -> Option<Stat> {
        let start = line.iter().position(|byte| *byte == b'(')?;
        let end = line.iter().rposition(|byte| *byte == b')')?;
        let comm = line.get(start + 1..end)?.to_vec();
        let rest = std::str::from_utf8(line.get(end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let ppid = fields.next()?.parse().ok()?;
        let flags = fields.nth(4)?.parse().ok()?;
        let start = fields.nth(12)?.parse().ok()?;
        Some(Stat {
            comm,
            ppid,
            start,
            state,
            flags,
        })
    }

    /// The state as one letter: `R`, `S`, `Z`, ...
    #[must_use]
    pub fn state(&self) -> char {
        char::from(self.state)
    }

    /// Whether it became another user when that one had too many processes.
    #[must_use]
    pub fn has_too_many_processes(&self) -> bool {
        self.flags & TOO_MANY != 0
    }

    /// Whether it has ended or is about to: its memory and its exe link are gone.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') || self.flags & EXITING != 0
    }

    /// Whether it was started as a kernel thread; a helper of the kernel is one until its exec on
    /// older kernels only.
    #[must_use]
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    fn line(comm: &str, state: &str, flags: &str) -> Vec<u8> {
        format!("7 ({comm}) {state} 3 7 7 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 1 0 4711 99\n")
            .into_bytes()
    }

    #[test]
    fn the_parent_is_the_second_field_behind_the_comm() {
        assert_eq!(Stat::parse(&line("a", "S", "0")).unwrap().ppid, 3);
    }

    #[test]
    fn the_start_is_field_22() {
        assert_eq!(Stat::parse(&line("a", "S", "0")).unwrap().start, 4711);
    }

    #[test]
    fn a_comm_with_parentheses_and_spaces_does_not_mislead() {
        let stat = Stat::parse(&line("a) S 9) (b", "S", "0")).unwrap();
        assert_eq!((stat.comm.as_slice(), stat.ppid), (&b"a) S 9) (b"[..], 3));
    }

    #[test]
    fn a_cut_line_is_no_process() {
        assert_eq!(Stat::parse(b"7 (a) S 3 7"), None);
    }

    #[test]
    fn a_zombie_and_an_exiting_process_are_dead() {
        assert!(Stat::parse(&line("a", "Z", "0")).unwrap().is_dead());
        assert!(Stat::parse(&line("a", "R", "4")).unwrap().is_dead());
        assert!(!Stat::parse(&line("a", "R", "0")).unwrap().is_dead());
    }

    #[test]
    fn a_kernel_thread_is_known_by_its_flag() {
        assert!(
            Stat::parse(&line("a", "S", "2097152"))
                .unwrap()
                .is_kernel_thread()
        );
    }

    #[test]
    fn we_ourselves_are_alive_and_no_kernel_thread() {
        let stat = Stat::read(std::process::id().cast_signed()).unwrap();
        assert!(!stat.is_dead() && !stat.is_kernel_thread() && stat.start > 0);
    }
}
