//! The text of a report, as snapshots have it, and its parser. See `docs/observers.md`.

use std::fmt::{self, Write as _};

use super::{Event, Field, Fields, Kind, Report};
use crate::trail::{is_visible, printable};

/// What stands for a report without an event.
const NOTHING: &str = "nothing";
/// What comes before the lines of the trail that are others.
const FOOTPRINT: &str = "footprint:";

/// One line an event.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    if let Some(deaf) = &report.deaf {
        let _ = writeln!(text, "deaf: {deaf}");
    }
    if !report.absent.is_empty() {
        let _ = writeln!(text, "absent: {}", report.absent.join(" "));
    }
    if report.events.is_empty() {
        let _ = writeln!(text, "{NOTHING}");
    }
    for event in &report.events {
        let _ = writeln!(text, "{event}");
    }
    if let Some(lines) = &report.footprint {
        let none = if lines.is_empty() { " none" } else { "" };
        let _ = writeln!(text, "{FOOTPRINT}{none}");
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event={:<7} pid={}", self.kind.as_str(), self.process)?;
        if self.thread {
            write!(f, " thread")?;
        }
        if let Some(after) = self.after {
            write!(f, " after={after}")?;
        }
        write!(f, " : {}", self.source)?;
        let mut fields = self.fields.iter();
        fields.try_for_each(|(field, value)| write!(f, " {field}={}", quoted(value)))
    }
}

/// A value that ends at the next space, or in quotes. Values hold no backslash of their own that
/// would mean anything but `\xNN` ([`crate::trail::printable`]).
fn quoted(value: &str) -> String {
    match value.is_empty() || value.contains([' ', '"']) {
        true => format!("\"{}\"", value.replace('"', "\\x22")),
        false => value.to_owned(),
    }
}

/// A line that no report has.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is nothing that an observer reports: {text}")]
pub struct ParseError {
    line: usize,
    text: String,
}

/// Reads what [`text`] wrote.
///
/// # Errors
///
/// The first line that it would not have written.
pub fn parse(text: &str) -> Result<Report, ParseError> {
    let mut report = Report::default();
    // A carriage return is a part of its line.
    for (number, line) in (1..).zip(text.split_terminator('\n')) {
        let wrong = || ParseError {
            line: number,
            text: printable(line.as_bytes()),
        };
        if !line.chars().all(is_visible) {
            return Err(wrong());
        }
        if line == NOTHING {
            continue;
        }
        if let Some(deaf) = line.strip_prefix("deaf: ") {
            report.deaf = Some(deaf.to_owned());
        } else if let Some(absent) = line.strip_prefix("absent: ") {
            report.absent = absent.split(' ').map(ToOwned::to_owned).collect();
        } else if line == FOOTPRINT || line.strip_prefix(FOOTPRINT) == Some(" none") {
            report.footprint = Some(Vec::new());
        } else if let Some(lines) = &mut report.footprint
            && (line.starts_with("- ") || line.starts_with("+ "))
        {
            lines.push(line.to_owned());
        } else {
            report.events.push(event(line).ok_or_else(wrong)?);
        }
    }
    Ok(report)
}

fn event(line: &str) -> Option<Event> {
    let (head, rest) = line.strip_prefix("event=")?.split_once(" : ")?;
    let mut words = head.split_ascii_whitespace();
    let kind = Kind::find(words.next()?)?;
    let process = words.next()?.strip_prefix("pid=")?.to_owned();
    let (mut thread, mut after) = (false, None);
    for word in words {
        match word.strip_prefix("after=") {
            Some(number) => after = Some(number.parse().ok()?),
            None if word == "thread" => thread = true,
            None => return None,
        }
    }
    let (source, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Event {
        kind,
        process,
        thread,
        after,
        source: source.to_owned(),
        fields: fields(rest)?,
    })
}

fn fields(mut rest: &str) -> Option<Fields> {
    let mut fields = Fields::new();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let (value, left) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => behind.split_at(behind.find(' ').unwrap_or(behind.len())),
        };
        fields.insert(Field::find(name)?, value.replace("\\x22", "\""));
        rest = match left.is_empty() {
            true => "",
            false => left.strip_prefix(' ')?,
        };
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(line: &str) {
        let report = parse(line).unwrap();
        assert_eq!(text(&report), line);
    }

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        again("event=exec    pid=p1 after=4 : sched_process_exec path=/bin/ls comm=ls\n");
        again("event=exit    pid=p1 thread : EXIT\n");
    }

    #[test]
    fn a_value_with_spaces_and_quotes_reads_back() {
        let value = "a \"b\" comm=c";
        let mut report = parse("event=exec    pid=p1 : EXEC\n").unwrap();
        report.events[0]
            .fields
            .insert(Field::Argv, value.to_owned());
        let back = parse(&text(&report)).unwrap();
        assert_eq!(back.events[0].get(Field::Argv), Some(value));
    }

    #[test]
    fn a_quote_reads_back_as_one_wherever_it_stands() {
        let report = parse("event=exec    pid=p1 : EXEC path=a\\x22b\n").unwrap();
        assert_eq!(report.events[0].get(Field::Path), Some("a\"b"));
    }

    #[test]
    fn what_is_not_seen_is_in_no_report() {
        for hidden in ["\r", "\u{1b}", "\u{202e}"] {
            let error = parse(&format!("absent: open_exec{hidden}\n")).unwrap_err();
            assert!(!error.to_string().contains(hidden), "{error}");
        }
    }

    #[test]
    fn an_empty_value_is_there() {
        let report = parse("event=exec    pid=p1 : x path=\"\"\n").unwrap();
        assert_eq!(report.events[0].get(Field::Path), Some(""));
    }

    #[test]
    fn a_report_without_events_says_so() {
        again("nothing\n");
        again("deaf: lsm= has no bpf\nnothing\n");
        again("absent: sched_prepare_exec\nnothing\n");
    }

    #[test]
    fn a_field_that_there_is_not_is_refused_with_its_line() {
        let error = parse("nothing\nevent=exec pid=p1 : x y=1\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
    }

    #[test]
    fn every_word_leads_to_its_kind_and_field() {
        for kind in Kind::ALL {
            assert_eq!(Kind::find(kind.as_str()), Some(kind));
        }
        for field in Field::ALL {
            assert_eq!(Field::find(field.as_str()), Some(field));
        }
    }
}
