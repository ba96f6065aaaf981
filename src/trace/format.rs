//! How the record of an event is made up, as the kernel tells it: `events/GROUP/NAME/format` of tracefs.

use std::collections::BTreeMap;

use crate::trail::printable;

/// What a record tells, by the name of the field.
pub type Values = BTreeMap<String, Value>;

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, or a pointer.
    Number(i64),
    /// Text up to its zero byte, made printable.
    Text(String),
    /// Text that the kernel could not read: it has no byte, not even the last one.
    Unread,
}

impl Value {
    /// The number.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text; none that could not be read.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Where a field lies in a record, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    name: String,
    offset: usize,
    size: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    /// Characters, as many as it has room for; those of a marker go on to the record's end.
    Characters,
    /// Characters elsewhere in the record: their place in the lower half of a word, how many in the upper one.
    Elsewhere,
}

/// How one event is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The number that its records begin with.
    pub id: u16,
    /// Its name.
    pub name: String,
    fields: Vec<Place>,
}

/// The formats of events by the number that their records begin with.
pub type Formats = BTreeMap<u16, Format>;

impl Format {
    /// Reads the text of a `format` file; none for what is not one.
    ///
    /// Source: `f_show` in kernel/trace/trace_events.c.
    #[must_use]
    pub fn parse(text: &str) -> Option<Format> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let fields = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("field:"))
            .map(place);
        let name = value("name: ")?.trim();
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            return None;
        }
        Some(Format {
            id: value("ID: ")?.trim().parse().ok()?,
            name: name.to_owned(),
            fields: fields.collect::<Option<_>>()?,
        })
    }

    /// What a record of this event tells; none for one that is too short.
    #[must_use]
    pub fn read(&self, record: &[u8]) -> Option<Values> {
        let mut values = Values::new();
        for place in &self.fields {
            if let Some(value) = place.read(record)? {
                values.insert(place.name.clone(), value);
            }
        }
        Some(values)
    }
}

/// `TYPE NAME; offset:8; size:4; signed:1;`; an array has `[N]` behind its name.
fn place(line: &str) -> Option<Place> {
    let mut parts = line.split(';').map(str::trim);
    let (kind, name) = parts.next()?.rsplit_once(' ')?;
    let mut number = |key: &str| {
        let part = parts.next()?.strip_prefix(key)?;
        part.parse::<usize>().ok()
    };
    let (offset, size) = (number("offset:")?, number("size:")?);
    let signed = number("signed:")?;
    let (name, array) = match name.split_once('[') {
        Some((name, _)) => (name, true),
        None => (name, false),
    };
    let kind = match (kind, signed) {
        _ if kind.starts_with("__data_loc ") => Kind::Elsewhere,
        ("char", _) if array || size == 0 => Kind::Characters,
        (_, 0) => Kind::Unsigned,
        _ => Kind::Signed,
    };
    Some(Place {
        name: name.to_owned(),
        offset,
        size,
        kind,
    })
}

impl Place {
    /// The field of a record; within, none for one that is neither number nor text.
    fn read(&self, record: &[u8]) -> Option<Option<Value>> {
        let end = match (self.kind, self.size) {
            (Kind::Characters, 0) => record.len(),
            _ => self.offset.checked_add(self.size)?,
        };
        let bytes = record.get(self.offset..end)?;
        Some(match self.kind {
            Kind::Characters => Some(text(bytes)),
            Kind::Elsewhere => {
                let word = number(bytes, Kind::Unsigned)?;
                let (from, length) = ((word & 0xffff) as usize, (word >> 16) as usize);
                Some(match length {
                    0 => Value::Unread,
                    _ => text(record.get(from..from + length)?),
                })
            }
            kind => number(bytes, kind).map(Value::Number),
        })
    }
}

fn text(bytes: &[u8]) -> Value {
    let end = bytes.iter().position(|byte| *byte == 0);
    Value::Text(printable(&bytes[..end.unwrap_or(bytes.len())]))
}

/// A number of 1, 2, 4 or 8 bytes; what is unsigned and needs all 64 bits keeps its bits.
fn number(bytes: &[u8], kind: Kind) -> Option<i64> {
    let signed = kind == Kind::Signed;
    Some(match *bytes {
        [byte] if signed => i64::from(byte.cast_signed()),
        [byte] => i64::from(byte),
        [a, b] if signed => i64::from(i16::from_ne_bytes([a, b])),
        [a, b] => i64::from(u16::from_ne_bytes([a, b])),
        [a, b, c, d] if signed => i64::from(i32::from_ne_bytes([a, b, c, d])),
        [a, b, c, d] => i64::from(u32::from_ne_bytes([a, b, c, d])),
        _ => i64::from_ne_bytes(bytes.try_into().ok()?),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As 6.12 has it, but for the number and for one field.
    pub(crate) const EXEC: &str = "\
name: sched_process_exec
ID: 300
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;
\tfield:char comm[4];\toffset:16;\tsize:4;\tsigned:0;
\tfield:unsigned long args[2];\toffset:0;\tsize:16;\tsigned:0;

print fmt: \"filename=%s pid=%d\", __get_str(filename), REC->pid
";

    /// A record of it: thread 9, process 7.
    pub(crate) fn record(path: &[u8]) -> Vec<u8> {
        let mut record = 300_u16.to_ne_bytes().to_vec();
        record.extend([0, 0]);
        record.extend(9_i32.to_ne_bytes());
        record.extend((20 | (path.len() as u32) << 16).to_ne_bytes());
        record.extend(7_i32.to_ne_bytes());
        record.extend(*b"a b\0");
        record.extend(path);
        record
    }

    #[test]
    fn a_field_ends_where_its_length_says_whatever_it_holds() {
        let format = Format::parse(EXEC).unwrap();
        assert_eq!((format.id, &*format.name), (300, "sched_process_exec"));
        let values = format.read(&record(b"/a\n b pid=1\0")).unwrap();
        assert_eq!(values["filename"].text(), Some("/a\\x0a b pid=1"));
        assert_eq!(values["comm"].text(), Some("a b"));
        assert_eq!(
            (values["pid"].number(), values["common_pid"].number()),
            (Some(7), Some(9))
        );
        assert!(!values.contains_key("args"));
    }

    #[test]
    fn text_without_a_byte_could_not_be_read() {
        let values = Format::parse(EXEC).unwrap().read(&record(b"")).unwrap();
        assert_eq!(values["filename"], Value::Unread);
    }

    #[test]
    fn a_record_that_is_cut_is_none() {
        let format = Format::parse(EXEC).unwrap();
        let record = record(b"/a\0");
        for length in [0, 8, 19, record.len() - 1] {
            assert_eq!(format.read(&record[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_marker_goes_on_to_the_end_of_its_record() {
        let text = "name: print\nID: 5\n\tfield:char buf;\toffset:2;\tsize:0;\tsigned:0;\n";
        let values = Format::parse(text)
            .unwrap()
            .read(b"\x05\0ab\n\0\0")
            .unwrap();
        assert_eq!(values["buf"].text(), Some("ab\\x0a"));
    }

    #[test]
    fn numbers_have_their_sign() {
        assert_eq!(number(&[0xfe], Kind::Signed), Some(-2));
        assert_eq!(number(&[0xfe, 0xff], Kind::Unsigned), Some(0xfffe));
        assert_eq!(number(&(-2_i32).to_ne_bytes(), Kind::Signed), Some(-2));
        assert_eq!(number(&(-2_i64).to_ne_bytes(), Kind::Unsigned), Some(-2));
        assert_eq!(number(&[0; 3], Kind::Signed), None);
    }

    #[test]
    fn what_is_no_format_is_none() {
        assert_eq!(Format::parse("name: a\n"), None);
        assert_eq!(Format::parse("name: a b\nID: 1\n"), None);
        assert_eq!(
            Format::parse("name: a\nID: 1\n\tfield:int a;\toffset:x;\n"),
            None
        );
    }
}
