//! The note that a program leaves of an event, as `note.bpf.h` writes it.

use crate::event::{CUT, Child, Field, Fields, Kind, Raw, told};
use crate::observer::ended::ended;
use crate::observer::look::arguments;
use crate::stages::errno;
use crate::trail::printable;

/// Bytes of a name, and of a name with its value.
const NAME: usize = 8;
const NUMBER: usize = 16;
/// How many numbers there is room for.
const NUMBERS: usize = 8;
/// Where the numbers begin.
const HEAD: usize = 8 + 32 + 6 * 4;
/// Bytes of a text with its name, and where the text itself begins.
const TEXT: usize = 16 + 1024;
const CONTENT: usize = 16;
/// A text that could not be read.
const FAULT: u32 = u32::MAX;
/// One that is not known, which is not told.
const UNKNOWN: u32 = u32::MAX - 1;
/// Beside where a text begins: there was no room for what stands before it, or behind it.
const CUT_BEFORE: u32 = 1 << 31;
const CUT_BEHIND: u32 = 1 << 30;
/// A login user that nobody set (`AUDIT_UID_UNSET`).
const UNSET: u32 = u32::MAX;

/// Reads a note; none for what no program of ours writes.
#[must_use]
pub fn parse(note: &[u8]) -> Option<Raw> {
    let (steps, pid, tid) = (word(note, 40)?, word(note, 44)?, word(note, 48)?);
    let (numbers, texts) = (word(note, 52)? as usize, word(note, 56)? as usize);
    let mut raw = Raw {
        kind: Kind::find(&name(note, 0, 8)?)?,
        source: name(note, 8, 32)?,
        tid: tid.cast_signed(),
        pid: Some(pid.cast_signed()),
        child: None,
        after: Some(steps as usize),
        fields: Fields::new(),
    };
    for at in (0..numbers).map(|number| HEAD + number * NUMBER) {
        add_number(&mut raw, note, at)?;
    }
    for at in (0..texts).map(|text| HEAD + NUMBERS * NUMBER + text * TEXT) {
        let field = Field::find(&name(note, at, NAME)?)?;
        if let Some(text) = text(note, at, field)? {
            raw.fields.insert(field, text);
        }
    }
    Some(raw)
}

/// Adds the number that is at this place.
fn add_number(raw: &mut Raw, note: &[u8], at: usize) -> Option<()> {
    let (low, high) = (word(note, at + NAME)?, word(note, at + NAME + 4)?);
    let both = u64::from(high) << 32 | u64::from(low);
    let name = name(note, at, NAME)?;
    // A helper tells the real id alone; other programs tell real and effective.
    let single = match name.as_str() {
        "ruid" => Some((Field::Uid, low.to_string())),
        "rgid" => Some((Field::Gid, low.to_string())),
        "errno" => Some((Field::Result, errno(both.cast_signed()))),
        _ => None,
    };
    if let Some((field, value)) = single {
        raw.fields.insert(field, value);
        return Some(());
    }
    let field = Field::find(&name)?;
    let value = match field {
        Field::Child => {
            let started = low.cast_signed();
            raw.child = Some(match Some(high.cast_signed()) == raw.pid {
                true => Child::Thread(started),
                false => Child::Process(started),
            });
            return Some(());
        }
        Field::Was if low.cast_signed() == raw.tid => return Some(()),
        Field::Was => "thread".to_owned(),
        Field::Uid | Field::Gid => format!("{high}/{low}"),
        Field::Auid if low == UNSET => "unset".to_owned(),
        Field::Result => ended(low),
        _ => both.to_string(),
    };
    raw.fields.insert(field, value);
    Some(())
}

/// The text that is at this place, of this field; none within for one that is not known.
fn text(note: &[u8], at: usize, field: Field) -> Option<Option<String>> {
    let (head, length) = (word(note, at + NAME)?, word(note, at + NAME + 4)?);
    let cut = |bit: u32| if head & bit == 0 { "" } else { CUT };
    let from = at + CONTENT + (head & !(CUT_BEFORE | CUT_BEHIND)) as usize;
    let text = match length {
        FAULT => told(None),
        UNKNOWN => return Some(None),
        length => {
            let bytes = note.get(from..from + length as usize)?;
            let text = match field {
                Field::Argv => arguments(bytes),
                _ => printable(bytes.split(|byte| *byte == 0).next()?),
            };
            told(Some(&text))
        }
    };
    let text = format!("{}{text}{}", cut(CUT_BEFORE), cut(CUT_BEHIND));
    Some(Some(text))
}

fn word(note: &[u8], at: usize) -> Option<u32> {
    let bytes = note.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// A name up to its first zero byte.
fn name(note: &[u8], at: usize, length: usize) -> Option<String> {
    let name = note.get(at..at + length)?.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes.resize(length, 0);
        bytes
    }

    /// A note of thread 8 of process 7, after 2 steps.
    fn note(kind: &str, numbers: &[(&str, u64)], texts: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut note = padded(kind.as_bytes(), 8);
        note.extend(padded(b"place", 32));
        let counts = [2, 7, 8, numbers.len() as u32, texts.len() as u32, 0];
        note.extend(counts.iter().flat_map(|word| word.to_ne_bytes()));
        for (name, value) in numbers {
            note.extend(padded(name.as_bytes(), NAME));
            note.extend(value.to_ne_bytes());
        }
        note.resize(HEAD + NUMBERS * NUMBER, 0);
        for (name, from, bytes) in texts {
            note.extend(padded(name.as_bytes(), NAME));
            note.extend(from.to_ne_bytes());
            note.extend((bytes.len() as u32 - from).to_ne_bytes());
            note.extend(padded(bytes, TEXT - CONTENT));
        }
        note
    }

    fn of(numbers: &[(&str, u64)], texts: &[(&str, u32, &[u8])]) -> Fields {
        parse(&note("exec", numbers, texts)).unwrap().fields
    }

    #[test]
    fn a_note_has_its_kind_source_place_and_thread() {
        let raw = parse(&note("exec", &[], &[])).unwrap();
        assert_eq!((raw.kind, raw.source.as_str()), (Kind::Exec, "place"));
        assert_eq!((raw.pid, raw.tid, raw.after), (Some(7), 8, Some(2)));
    }

    #[test]
    fn ids_are_two_and_a_login_that_nobody_set_is_said_to_be_so() {
        let fields = of(&[("uid", 5 << 32 | 6), ("auid", u64::from(UNSET))], &[]);
        assert_eq!(fields[&Field::Uid], "5/6");
        assert_eq!(fields[&Field::Auid], "unset");
    }

    #[test]
    fn what_is_started_in_the_same_process_is_a_thread() {
        let child = |id: u64| parse(&note("fork", &[("child", id)], &[])).unwrap().child;
        assert_eq!(child(9 << 32 | 9), Some(Child::Process(9)));
        assert_eq!(child(7 << 32 | 9), Some(Child::Thread(9)));
    }

    #[test]
    fn a_call_that_failed_has_its_errno_and_a_helper_tells_one_id() {
        let fields = of(&[("errno", (-2_i64).cast_unsigned()), ("ruid", 5)], &[]);
        assert_eq!(fields[&Field::Result], "ENOENT");
        assert_eq!(fields[&Field::Uid], "5");
    }

    #[test]
    fn a_text_ends_with_its_zero() {
        assert_eq!(of(&[], &[("comm", 0, b"a\0\0b")])[&Field::Comm], "a");
    }

    #[test]
    fn a_thread_was_another_only_where_it_had_another_number() {
        assert_eq!(of(&[("was", 9)], &[])[&Field::Was], "thread");
        assert!(of(&[("was", 8)], &[]).is_empty());
    }

    #[test]
    fn a_text_begins_where_it_says_and_may_be_empty() {
        let fields = of(&[], &[("file", 2, b"xx/bin/ls"), ("path", 0, b"")]);
        assert_eq!(fields[&Field::File], "/bin/ls");
        assert_eq!(fields[&Field::Path], "");
    }

    #[test]
    fn a_text_that_was_cut_says_so_on_its_side() {
        let of = |bit: u32| {
            let mut note = note("exec", &[], &[("path", 0, b"/a")]);
            let at = HEAD + NUMBERS * NUMBER + NAME;
            note[at..at + 4].copy_from_slice(&bit.to_ne_bytes());
            parse(&note).unwrap().fields[&Field::Path].clone()
        };
        assert_eq!(of(CUT_BEFORE), ".../a");
        assert_eq!(of(CUT_BEHIND), "/a...");
        assert_eq!(of(0), "/a");
    }

    #[test]
    fn arguments_are_told_apart() {
        assert_eq!(of(&[], &[("argv", 0, b"a\0b\0")])[&Field::Argv], "a | b");
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_and_what_is_not_known_is_left_out() {
        let of = |length: u32| {
            let mut note = note("exec", &[], &[("path", 0, b"")]);
            let at = HEAD + NUMBERS * NUMBER + NAME + 4;
            note[at..at + 4].copy_from_slice(&length.to_ne_bytes());
            parse(&note).unwrap().fields.get(&Field::Path).cloned()
        };
        assert_eq!(of(FAULT).as_deref(), Some("(fault)"));
        assert_eq!(of(UNKNOWN), None);
    }

    #[test]
    fn a_note_that_is_cut_or_has_another_name_is_none() {
        assert_eq!(parse(&note("exec", &[], &[])[..50]), None);
        assert_eq!(parse(&note("exec", &[("x", 1)], &[])), None);
        assert_eq!(parse(&note("x", &[], &[])), None);
    }
}
