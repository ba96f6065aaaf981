//! `/proc/PID/status` and `/proc/PID/limits`: a name and its values a line.

/// The lines of one process.
#[derive(Clone, Debug)]
pub struct Status(String);

impl Status {
    /// Reads the status of a process or a thread; none when it is gone.
    ///
    /// Source: proc_pid_status(5). A name may hold any byte, so the text is not UTF-8 of necessity.
    #[must_use]
    pub fn read(pid: i32) -> Option<Status> {
        Status::at(&format!("/proc/{pid}/status"))
    }

    /// Reads that of one thread of a process; none when it is gone.
    #[must_use]
    pub fn of_thread(pid: i32, tid: i32) -> Option<Status> {
        Status::at(&format!("/proc/{pid}/task/{tid}/status"))
    }

    /// Reads our own.
    #[must_use]
    pub fn own() -> Option<Status> {
        Status::at("/proc/self/status")
    }

    /// Reads the limits of a process; none when it is gone (proc_pid_limits(5)).
    #[must_use]
    pub fn limits(pid: i32) -> Option<Status> {
        Status::at(&format!("/proc/{pid}/limits"))
    }

    fn at(path: &str) -> Option<Status> {
        super::text(path).ok().map(Status)
    }

    /// What follows a name, such as `Tgid:` or `Max processes`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim())
    }

    /// The n-th word after a name, as a number; none where it is another word.
    #[must_use]
    pub fn number(&self, name: &str, which: usize) -> Option<u64> {
        let mut words = self.value(name)?.split_ascii_whitespace();
        words.nth(which)?.parse().ok()
    }

    /// The set of bits after a name, in hexadecimal.
    #[must_use]
    pub fn bits(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.value(name)?, 16).ok()
    }
}

/// Whether a process is this one, or has it among its ancestors.
#[must_use]
pub fn is_below(pid: i32, above: i32) -> bool {
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|pid| *pid > 1) {
        if pid == above {
            return true;
        }
        let status = Status::read(pid);
        next = status.and_then(|status| i32::try_from(status.number("PPid:", 0)?).ok());
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Status, is_below};

    fn status() -> Status {
        Status(
            "Name:\tUid:\nUid:\t1\t2\t3\t4\nCapEff:\t00ff\nMax processes   unlimited  7\n".into(),
        )
    }

    #[test]
    fn a_word_is_counted_from_the_name() {
        assert_eq!(status().number("Uid:", 1), Some(2));
    }

    #[test]
    fn a_word_that_is_not_a_number_is_none() {
        assert_eq!(status().number("Max processes", 0), None);
    }

    #[test]
    fn bits_are_hexadecimal() {
        assert_eq!(status().bits("CapEff:"), Some(255));
    }

    #[test]
    fn our_own_is_there() {
        let own = i32::try_from(std::process::id()).unwrap();
        let tgid = Status::read(own).unwrap().number("Tgid:", 0);
        assert_eq!(tgid, Some(u64::from(std::process::id())));
    }

    #[test]
    fn who_is_started_is_below_who_started_it() {
        let own = std::process::id().cast_signed();
        let mut child = std::process::Command::new("/bin/cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let below = child.id().cast_signed();
        assert!(is_below(below, own) && is_below(own, own) && !is_below(own, below));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
