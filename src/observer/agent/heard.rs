//! What an agent says, within limits: of whatever it writes no more is kept than a scenario may take.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::keeper::Words;
use crate::trail::printable;

/// How much an agent may say of one scenario; less than the tenth part of a message that the host takes.
const FLOOD: usize = 768 << 10;
/// In how many lines: each takes its time to be read, which is the scenario's as well.
const LINES: usize = 10_000;
/// How much it may write to standard error meanwhile, and from where on only the end of what comes is looked at: most is
/// never shown.
const NOISE: usize = 4 << 20;
const MUCH: usize = 64 << 10;
const END: usize = 1 << 10;
/// The longest line of it.
const LONGEST: usize = 64 << 10;
/// How many of its last lines are kept for who looks for its fault, and how many bytes of each.
const LAST: usize = 6;
const LAST_LENGTH: usize = 300;
/// How many lines of its standard error are kept of one scenario.
const ERRORS: usize = 20;

/// Until when the keeper listens before it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Until {
    /// Not at all.
    Now,
    /// Until there is a line.
    First,
    /// Until lines have told of all these processes.
    Pids(Vec<i32>),
}

/// Which output of an agent something is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output, which is listened to.
    Report,
    /// Standard error, which is kept for a person.
    Error,
}

/// What was heard since the last answer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    lines: Vec<String>,
    errors: Vec<String>,
    /// The last lines of both outputs, as they came, whatever was answered meanwhile.
    last: VecDeque<Vec<u8>>,
    /// Lines of its standard output, empty ones as well, and bytes of both outputs.
    count: usize,
    size: usize,
    noise: usize,
    /// Processes that lines have told of, and how many lines were asked for them.
    told: (BTreeSet<i32>, usize),
    /// When the last line came.
    spoke: Option<Instant>,
}

impl Heard {
    /// Takes what an output says after the beginning of a line; returns the limit that it has passed.
    pub fn bytes(&mut self, rest: &mut Vec<u8>, stream: Stream, bytes: &[u8]) -> Option<String> {
        let is_skipped = stream == Stream::Error && self.noise >= MUCH && bytes.len() > END;
        let told = match is_skipped {
            false => bytes,
            true => {
                rest.clear();
                last_lines(bytes)
            }
        };
        for part in told.split_inclusive(|byte| *byte == b'\n') {
            rest.extend_from_slice(part);
            if rest.ends_with(b"\n") || rest.len() > LONGEST {
                let line = std::mem::take(rest);
                self.line(&line, stream);
            }
        }
        match stream {
            Stream::Report => self.size += bytes.len(),
            Stream::Error => self.noise += bytes.len(),
        }
        if self.size > FLOOD {
            Some(format!("{} KiB", FLOOD >> 10))
        } else if self.count > LINES {
            Some(format!("{LINES} lines"))
        } else if self.noise > NOISE {
            Some(format!("{} MiB to standard error", NOISE >> 20))
        } else {
            None
        }
    }

    /// Takes a line, with its newline or without.
    pub fn line(&mut self, line: &[u8], stream: Stream) {
        self.count += usize::from(stream == Stream::Report);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.is_empty() {
            return;
        }
        // Few of them are ever shown.
        let start = &line[..line.len().min(LAST_LENGTH)];
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(start.to_vec());
        match stream {
            Stream::Report => {
                self.spoke = Some(Instant::now());
                self.lines.push(String::from_utf8_lossy(line).into_owned());
            }
            Stream::Error => {
                self.errors.push(printable(start));
                if self.errors.len() > ERRORS {
                    self.errors.remove(0);
                }
            }
        }
    }

    /// Forgets the lines of its standard output, which are no report, and take their time on the way.
    pub fn forget(&mut self) {
        self.lines.clear();
        self.told.1 = 0;
    }

    /// Whether what is waited for has come.
    pub fn has_come(&mut self, until: &Until) -> bool {
        match until {
            Until::Now => true,
            Until::First => !self.lines.is_empty(),
            Until::Pids(pids) => {
                // While nobody asks, a line costs the machine no more than that it is read.
                let (told, asked) = &mut self.told;
                let names: Vec<String> = pids.iter().map(ToString::to_string).collect();
                let fresh = self.lines[*asked..].iter();
                // Of a flood of lines few are worth to be parsed.
                let fresh = fresh.filter(|line| names.iter().any(|name| line.contains(name)));
                told.extend(fresh.filter_map(|line| pid(line)));
                *asked = self.lines.len();
                pids.iter().all(|pid| told.contains(pid))
            }
        }
    }

    /// Takes out what was heard, and begins anew; `until` is what was waited for.
    pub fn answer(&mut self, until: Option<&Until>, end: Option<&str>) -> Words {
        let came = until.is_some_and(|until| self.has_come(until));
        let last = std::mem::take(&mut self.last);
        let heard = std::mem::take(self);
        let silent = heard.spoke.map(|spoke| spoke.elapsed().as_millis());
        let words = Words {
            lines: heard.lines,
            last: last.iter().map(|line| printable(line)).collect(),
            end: end.map(ToOwned::to_owned),
            came,
            silent_ms: silent.map(|time| u64::try_from(time).unwrap_or(u64::MAX)),
            errors: heard.errors,
        };
        self.last = last;
        words
    }
}

/// The whole lines at the end of much; nothing of one that is longer.
fn last_lines(bytes: &[u8]) -> &[u8] {
    let end = &bytes[bytes.len().saturating_sub(END)..];
    let mut parts = end.splitn(2, |byte| *byte == b'\n').skip(1);
    parts.next().unwrap_or_default()
}

/// The process that a line tells of.
fn pid(line: &str) -> Option<i32> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    i32::try_from(value.get("pid")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_its_process_and_an_empty_one_of_nothing() {
        let mut heard = Heard::default();
        heard.line(b"{\"pid\":7}\n", Stream::Report);
        heard.line(b"\n", Stream::Report);
        assert_eq!(heard.lines, ["{\"pid\":7}"]);
        assert_eq!(pid(&heard.lines[0]), Some(7));
    }

    #[test]
    fn what_is_said_elsewhere_is_kept_for_a_person_alone() {
        let mut heard = Heard::default();
        heard.line(b"trouble", Stream::Error);
        assert!(heard.lines.is_empty());
        assert_eq!(heard.last, [b"trouble"]);
        assert_eq!(heard.errors, ["trouble"]);
    }

    #[test]
    fn of_what_is_said_elsewhere_the_last_lines_are_kept() {
        let mut heard = Heard::default();
        for number in 0..=ERRORS {
            heard.line(number.to_string().as_bytes(), Stream::Error);
        }
        assert_eq!(heard.errors.len(), ERRORS);
        assert_eq!(heard.errors[0], "1");
    }

    #[test]
    fn after_much_noise_the_line_that_comes_last_is_kept() {
        let mut heard = Heard::default();
        let mut rest = Vec::new();
        let noise = "noise\n".repeat(MUCH / 6 + 1);
        heard.bytes(&mut rest, Stream::Error, noise.as_bytes());
        // Two reads, as of a program that writes as it goes.
        for part in ["it ", "died\n"] {
            heard.bytes(&mut rest, Stream::Error, part.as_bytes());
        }
        assert_eq!(heard.errors.last().map(String::as_str), Some("it died"));
        // Of one long read it is the end that is looked at.
        let long = noise + "again\n";
        heard.bytes(&mut rest, Stream::Error, long.as_bytes());
        assert_eq!(heard.errors.last().map(String::as_str), Some("again"));
    }

    #[test]
    fn an_agent_that_floods_passes_a_limit_and_its_last_lines_are_kept() {
        let mut heard = Heard::default();
        let mut line = vec![b'x'; 1000];
        line.push(b'\n');
        let passed = |_| heard.bytes(&mut Vec::new(), Stream::Report, &line);
        let passed = (0..=FLOOD / 1000).find_map(passed);
        assert_eq!(passed.as_deref(), Some("768 KiB"));
        assert_eq!(heard.last.len(), LAST);
    }

    #[test]
    fn whatever_an_agent_floods_with_passes_a_limit() {
        for (stream, bytes, limit) in [
            (Stream::Report, "\n", "10000 lines"),
            (Stream::Report, "{}\n", "10000 lines"),
            (Stream::Error, "trouble\n", "4 MiB to standard error"),
        ] {
            let mut heard = Heard::default();
            let bytes = bytes.repeat((16 << 10) / bytes.len());
            let passed = |_| heard.bytes(&mut Vec::new(), stream, bytes.as_bytes());
            let passed = (0..=NOISE / bytes.len()).find_map(passed);
            assert_eq!(passed.as_deref(), Some(limit));
        }
    }

    #[test]
    fn processes_are_waited_for_one_and_all() {
        let mut heard = Heard::default();
        let until = Until::Pids(vec![7, 8]);
        heard.line(b"{\"pid\":7}", Stream::Report);
        assert!(!heard.has_come(&until));
        heard.line(b"{\"pid\":8}", Stream::Report);
        assert!(heard.has_come(&until));
    }

    #[test]
    fn an_answer_takes_out_what_was_heard_and_leaves_the_last_lines() {
        let mut heard = Heard::default();
        heard.line(b"{\"pid\":7}", Stream::Report);
        let until = Until::Pids(vec![7]);
        let words = heard.answer(Some(&until), None);
        assert!(words.came && words.lines.len() == 1);
        let words = heard.answer(Some(&until), Some("ended with status 1"));
        assert!(!words.came && words.lines.is_empty());
        assert_eq!(words.last, ["{\"pid\":7}"]);
    }
}
