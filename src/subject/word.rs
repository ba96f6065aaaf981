//! What a process has to say, as one line: the JSON of a [`SelfReport`](crate::trail::SelfReport), written
//! without serde, which would be larger than the whole subject.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

/// One thing that was found: its name and its value.
pub type Finding = (&'static str, String);

/// What the kernel told a program; the fields of [`Told`](crate::trail::Told).
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// `AT_EXECFN`.
    pub execfn: Option<String>,
    /// `AT_EXECFD`.
    pub execfd: Option<u64>,
    /// Where that descriptor leads.
    pub execfd_path: Option<String>,
    /// Its comm.
    pub comm: String,
    /// Target of its exe link.
    pub exe: Option<String>,
    /// Its arguments.
    pub argv: Vec<String>,
}

/// The line, with its newline.
#[must_use]
pub fn line(pid: i32, told: Option<&Heard>, found: &[Finding]) -> String {
    let mut line = format!("{{\"pid\":{pid}");
    if let Some(told) = told {
        line.push_str(",\"told\":{\"execfn\":");
        optional(&mut line, told.execfn.as_deref());
        match told.execfd {
            // Writing to a String cannot fail.
            Some(fd) => drop(write!(line, ",\"execfd\":{fd}")),
            None => line.push_str(",\"execfd\":null"),
        }
        line.push_str(",\"execfd_path\":");
        optional(&mut line, told.execfd_path.as_deref());
        line.push_str(",\"comm\":");
        string(&mut line, &told.comm);
        line.push_str(",\"exe\":");
        optional(&mut line, told.exe.as_deref());
        line.push_str(",\"argv\":[");
        for (place, argument) in told.argv.iter().enumerate() {
            if place > 0 {
                line.push(',');
            }
            string(&mut line, argument);
        }
        line.push_str("]}");
    }
    line.push_str(",\"found\":[");
    for (place, (name, value)) in found.iter().enumerate() {
        line.push_str(if place > 0 {
            ",{\"name\":"
        } else {
            "{\"name\":"
        });
        string(&mut line, name);
        line.push_str(",\"value\":");
        string(&mut line, value);
        line.push('}');
    }
    line.push_str("]}\n");
    line
}

fn optional(line: &mut String, text: Option<&str>) {
    match text {
        Some(text) => string(line, text),
        None => line.push_str("null"),
    }
}

/// A string of JSON (RFC 8259, section 7): quote, backslash and control characters are escaped.
fn string(line: &mut String, text: &str) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            '\0'..' ' => drop(write!(line, "\\u{:04x}", u32::from(character))),
            _ => line.push(character),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::SelfReport;

    fn read(line: &str) -> SelfReport {
        assert!(line.ends_with('\n'));
        assert_eq!(line.matches('\n').count(), 1);
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn what_was_told_is_read_as_it_was_said() {
        let report = Heard {
            execfn: Some("/tmp/a \"b\" \\x0a".into()),
            execfd: Some(3),
            execfd_path: None,
            comm: "größe".into(),
            exe: None,
            argv: vec!["one".into(), String::new(), "t\two\n".into()],
        };
        let word = read(&line(7, Some(&report), &[]));
        let told = word.told.unwrap();
        assert_eq!((word.pid, word.found.len()), (7, 0));
        assert_eq!(told.execfn, report.execfn);
        assert_eq!((told.execfd, told.execfd_path), (Some(3), None));
        assert_eq!((told.comm, told.exe), (report.comm, None));
        assert_eq!(told.argv, report.argv);
    }

    #[test]
    fn what_was_found_is_read_as_it_was_said() {
        let found = [("umask", "0022".to_owned()), ("argv", "'\u{1}'".to_owned())];
        let word = read(&line(8, None, &found));
        assert_eq!(word.told, None);
        let read: Vec<_> = word
            .found
            .iter()
            .map(|fact| (fact.name.as_str(), fact.value.clone()))
            .collect();
        assert_eq!(read, found);
    }
}
