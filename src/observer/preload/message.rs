//! What the library says, as events; `preload.c` has the form of its messages.

use crate::event::{CUT, Child, Field, Fields, Kind, Raw, listed, told};
use crate::stages::errno;
use crate::trail::printable;

/// How long a message can be; one of this length goes on (`struct message` of `preload.c`).
pub const FULL: usize = 4096;

/// The event of a message that this process sent; none for one that ends too early.
#[must_use]
pub fn parse(pid: i32, after: usize, message: &[u8]) -> Option<Raw> {
    let (what, rest) = message.split_first()?;
    let rest = rest.strip_suffix(b"\0").unwrap_or(rest);
    let goes_on = if message.len() < FULL { "" } else { CUT };
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
        let path = printable(words.next()?);
        let argv: Vec<_> = words.map(printable).collect();
        let is_alone = argv.is_empty();
        let (path, argv) = (told(Some(&path)), told(Some(&listed(argv))));
        let (path, argv) = match is_alone {
            true => (path + goes_on, String::new()),
            false => (path, argv + goes_on),
        };
        fields.insert(field, path);
        fields.insert(Field::Argv, argv);
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
    fn what_fills_a_message_is_cut_and_says_so() {
        let filled = |start: &str| {
            let message = format!("{start}{}", "a".repeat(FULL - start.len()));
            let raw = parse(7, 2, message.as_bytes()).unwrap();
            [Field::Path, Field::Argv].map(|field| raw.fields[&field].ends_with("a..."))
        };
        assert_eq!(filled("Cexecve\0/a\0b\0"), [false, true]);
        assert_eq!(filled("Cexecve\0/a"), [true, false]);
    }

    #[test]
    fn a_message_that_ends_too_early_is_none() {
        assert_eq!(parse(7, 2, b""), None);
        assert_eq!(parse(7, 2, b"Sposix_spawn\0"), None);
    }
}
