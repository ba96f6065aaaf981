//! What the library says, as events; `preload.c` has the form of its messages.

use crate::event::{Child, Field, Fields, Kind, Raw};
use crate::stages::errno;
use crate::trail::printable;

/// The event of a message that this process sent; none for one that is cut.
#[must_use]
pub fn parse(pid: i32, after: usize, message: &[u8]) -> Option<Raw> {
    let (what, rest) = message.split_first()?;
    let rest = rest.strip_suffix(b"\0").unwrap_or(rest);
    let mut words = rest.split(|byte| *byte == 0);
    let mut fields = Fields::new();
    let name = |word: &[u8]| String::from_utf8(word.to_vec()).ok();
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<i32>().ok();
    let mut child = None;
    let (kind, source) = match what {
        b'C' => (Kind::Call, name(words.next()?)?),
        b'R' => {
            let source = name(words.next()?)?;
            let result = errno(i64::from(number(words.next()?)?));
            fields.insert(Field::Result, result);
            (Kind::Return, source)
        }
        b'S' => {
            let source = name(words.next()?)?;
            child = Some(Child::Process(number(words.next()?)?));
            (Kind::Fork, source)
        }
        b'L' => (Kind::Look, "loaded".to_owned()),
        _ => return None,
    };
    let path = match what {
        b'L' => Some(Field::Exe),
        b'R' => None,
        _ => Some(Field::Path),
    };
    if let Some(field) = path {
        fields.insert(field, printable(words.next()?));
        let argv: Vec<_> = words.map(printable).collect();
        fields.insert(Field::Argv, argv.join(" | "));
    }
    Some(Raw {
        kind,
        source,
        tid: pid,
        pid: Some(pid),
        child,
        after: Some(after),
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_function_path_and_arguments() {
        let raw = parse(7, 2, b"Cexecvp\0ls\0ls\0\0").unwrap();
        assert_eq!((raw.kind, raw.source.as_str()), (Kind::Call, "execvp"));
        assert_eq!(raw.fields[&Field::Path], "ls");
        assert_eq!(raw.fields[&Field::Argv], "ls | ");
    }

    #[test]
    fn a_failure_has_its_errno_by_name() {
        let raw = parse(7, 2, b"Rexecve\x002\0").unwrap();
        assert_eq!(raw.fields[&Field::Result], "ENOENT");
    }

    #[test]
    fn what_was_started_is_a_process() {
        let raw = parse(7, 2, b"Sposix_spawn\x0099\0/a\0a\0").unwrap();
        assert_eq!(raw.child, Some(Child::Process(99)));
    }

    #[test]
    fn who_was_loaded_says_its_exe() {
        let raw = parse(7, 2, b"L/bin/ls\0ls\0").unwrap();
        assert_eq!(
            (raw.kind, &*raw.fields[&Field::Exe]),
            (Kind::Look, "/bin/ls")
        );
    }

    #[test]
    fn a_message_that_is_cut_is_none() {
        assert_eq!(parse(7, 2, b""), None);
        assert_eq!(parse(7, 2, b"Sposix_spawn\0"), None);
    }
}
