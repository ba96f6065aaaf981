//! What the kernel's console says: kept, and searched for lines that explain an end.

use std::collections::VecDeque;

/// Lines that mean something, with the reason that they stand for.
const MARKERS: [(&str, &str); 6] = [
    (
        "Initramfs unpacking failed",
        "the image does not fit into the guest's memory",
    ),
    (
        "Kernel panic - not syncing: VFS: Unable to mount root",
        "the kernel found no initramfs",
    ),
    (
        "Kernel panic - not syncing: Attempted to kill init",
        "PID 1 ended",
    ),
    (
        "Kernel panic - not syncing: No working init",
        "the kernel could not execute PID 1",
    ),
    ("Kernel panic - not syncing", "the kernel panicked"),
    (
        "Out of memory: Killed process",
        "the guest ran out of memory",
    ),
];

/// What the kernel prints when it has panicked and does not restart (`vpanic` in kernel/panic.c).
const STOPPED: &str = "---[ end Kernel panic";

/// How many lines are kept.
const KEPT: usize = 400;
/// How many bytes of a line are kept; the kernel formats a record with its prefixes into no more
/// (`PRINTK_MESSAGE_MAX` of kernel/printk/internal.h).
const LONGEST: usize = 2048;
/// How many lines an error shows.
const SHOWN: usize = 12;

/// The console of one boot.
#[derive(Debug, Default)]
pub struct Console {
    lines: VecDeque<String>,
    partial: Vec<u8>,
    /// How many bytes of that line were not kept.
    more: u64,
    reason: Option<(&'static str, String)>,
    /// Whether the kernel said that it stands still.
    has_stopped: bool,
}

impl Console {
    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.line(),
                b'\r' => {}
                byte if self.partial.len() < LONGEST => self.partial.push(*byte),
                _ => self.more += 1,
            }
        }
    }

    fn line(&mut self) {
        let line = self.unfinished();
        self.partial.clear();
        self.more = 0;
        self.has_stopped |= line.contains(STOPPED);
        if self.reason.is_none() {
            let found = MARKERS.iter().find(|(marker, _)| line.contains(marker));
            let line = line
                .rsplit_once("] ")
                .map_or(line.as_str(), |(_, text)| text);
            self.reason = found.map(|(_, reason)| (*reason, line.to_owned()));
        }
        self.lines.push_back(line);
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }

    /// The line that is not at its end.
    fn unfinished(&self) -> String {
        let text = crate::trail::printable(&self.partial);
        match self.more {
            0 => text,
            more => format!("{text} ({more} bytes more)"),
        }
    }

    /// What the first line that means something stands for, with that line.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.reason
            .as_ref()
            .map(|(reason, line)| format!("{reason} (\"{line}\")"))
    }

    /// Whether the guest will only do nonsense from here on, or nothing.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        let is_cut = |(reason, _): &(&str, String)| *reason == MARKERS[0].1;
        self.has_stopped || self.reason.as_ref().is_some_and(is_cut)
    }

    /// The last lines, for an error.
    #[must_use]
    pub fn tail(&self) -> String {
        let rest = self.unfinished();
        let lines = self.lines.iter().map(String::as_str).chain([rest.as_str()]);
        let lines: Vec<_> = lines.filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::Console;

    #[test]
    fn a_line_that_comes_in_pieces_is_one_line() {
        let mut console = Console::default();
        console.feed(b"Kernel panic - not");
        assert_eq!(console.reason(), None);
        console.feed(b" syncing: sysrq\r\n");
        let reason = "the kernel panicked (\"Kernel panic - not syncing: sysrq\")";
        assert_eq!(console.reason().as_deref(), Some(reason));
    }

    #[test]
    fn a_kernel_that_panicked_and_stays_is_waited_for_no_longer() {
        let mut console = Console::default();
        console.feed(b"Kernel panic - not syncing: sysrq\nCPU: 0 PID: 1\n");
        assert!(!console.is_hopeless());
        console.feed(b"---[ end Kernel panic - not syncing: sysrq ]---\n");
        assert!(console.is_hopeless());
    }

    #[test]
    fn a_line_without_end_is_kept_to_its_limit() {
        let mut console = Console::default();
        for _ in 0..1000 {
            console.feed(&[b'x'; 4096]);
        }
        let tail = console.tail();
        assert!(tail.ends_with("x (4093952 bytes more)"), "{tail}");
        assert!(tail.len() < 3000 && console.partial.len() <= super::LONGEST);
        console.feed(b"\nnext\n");
        assert!(console.tail().ends_with("\nnext"));
    }

    #[test]
    fn the_first_reason_is_the_cause() {
        let mut console = Console::default();
        console.feed(b"Initramfs unpacking failed: write error\nKernel panic - not syncing\n");
        assert!(console.is_hopeless());
    }

    #[test]
    fn the_tail_is_the_last_lines_with_the_unfinished_one() {
        let mut console = Console::default();
        for number in 0..100 {
            console.feed(format!("line {number}\n").as_bytes());
        }
        console.feed(b"half");
        assert!(console.tail().starts_with("line 89\n") && console.tail().ends_with("half"));
    }
}
