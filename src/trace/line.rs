//! What the records of all CPUs say, in one order.

use super::{Formats, Functions, Values, records};

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A function was entered; its name without what the compiler hung on it.
    Function(String),
    /// A tracepoint or probe, with its fields.
    Event(String, Values),
    /// Our own word to ourselves, from the monitor.
    Marker(String),
}

/// One record, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The thread, by its number in the first pid namespace.
    pub tid: i32,
    /// The counter that orders everything.
    pub at: u64,
    /// What it tells.
    pub said: Said,
}

/// The word that a marker begins with.
pub const MARKER: &str = "exetrail ";
/// The event of a function that is entered, and the field with its place.
const FUNCTION: (&str, &str) = ("function", "ip");
/// The event of what is written to `trace_marker`, and the field with the text.
const PRINT: (&str, &str) = ("print", "buf");

/// Reads pages of any CPUs.
///
/// # Errors
///
/// A page that is not whole, or a record that cannot be understood: an order with a hole would be no order.
pub fn lines<'a>(
    pages: impl IntoIterator<Item = &'a [u8]>,
    formats: &Formats,
    functions: &Functions,
) -> Result<Vec<Line>, String> {
    let mut found = Vec::new();
    for page in pages {
        for record in records(page)? {
            let (tid, said) = said(record.data, formats, functions)?;
            let at = record.at;
            found.push(Line { tid, at, said });
        }
    }
    // Unique numbers from one counter for all CPUs, whatever order their pages were read in.
    found.sort_by_key(|line| line.at);
    Ok(found)
}

/// Who wrote a record, and what it says.
fn said(data: &[u8], formats: &Formats, functions: &Functions) -> Result<(i32, Said), String> {
    let id = data.first_chunk().map(|id| u16::from_ne_bytes(*id));
    let format = id.and_then(|id| formats.get(&id));
    let format = format.ok_or_else(|| format!("not understood: an event of type {id:?}"))?;
    let name = format.name.as_str();
    let cut = || format!("not understood: {name}: {data:x?}");
    let values = format.read(data).ok_or_else(cut)?;
    let tid = values.get("common_pid").and_then(super::Value::number);
    let tid = tid
        .and_then(|tid| i32::try_from(tid).ok())
        .ok_or_else(cut)?;
    let said = if name == FUNCTION.0 {
        let place = values.get(FUNCTION.1).and_then(super::Value::number);
        let place = place.ok_or_else(cut)?.cast_unsigned();
        let known = functions.at(place);
        let known = known.ok_or_else(|| format!("not understood: a function at {place:#x}"))?;
        Said::Function(known.to_owned())
    } else if name == PRINT.0 {
        let text = values.get(PRINT.1).and_then(super::Value::text);
        marker(text.ok_or_else(cut)?)
    } else {
        Said::Event(name.to_owned(), values)
    };
    Ok((tid, said))
}

/// What was written to `trace_marker`; the kernel puts a newline behind it.
fn marker(text: &str) -> Said {
    let text = text.strip_suffix("\\x0a").unwrap_or(text);
    match text.strip_prefix(MARKER) {
        Some(own) => Said::Marker(own.to_owned()),
        None => Said::Event(PRINT.0.to_owned(), Values::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::{EXEC, record};
    use super::super::{Format, Value};
    use super::*;

    const COMMON: &str = "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
                          \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n";
    const IP: &str = "\tfield:unsigned long ip;\toffset:8;\tsize:8;\tsigned:0;\n";
    const BUF: &str = "\tfield:char buf[];\toffset:16;\tsize:0;\tsigned:0;\n";

    fn formats() -> Formats {
        let function = format!("name: function\nID: 1\n{COMMON}{IP}");
        let print = format!("name: print\nID: 5\n{COMMON}{IP}{BUF}");
        let all = [EXEC, &function, &print].map(|text| Format::parse(text).unwrap());
        all.into_iter().map(|format| (format.id, format)).collect()
    }

    /// A page with this record at this time.
    fn page(at: u64, record: &[u8]) -> Vec<u8> {
        let length = record.len().next_multiple_of(4);
        let mut page = [at, length as u64 + 8].map(u64::to_ne_bytes).concat();
        page.extend(0_u32.to_ne_bytes());
        page.extend((length as u32 + 4).to_ne_bytes());
        page.extend(record);
        page.resize(24 + length, 0);
        page
    }

    fn read(pages: &[Vec<u8>]) -> Result<Vec<Line>, String> {
        let mut functions = Functions::default();
        functions.add(0x1000, "do_open_execat");
        lines(pages.iter().map(Vec::as_slice), &formats(), &functions)
    }

    fn of(id: u16, rest: &[u8]) -> Vec<u8> {
        [&id.to_ne_bytes()[..], &[0; 2], &9_i32.to_ne_bytes(), rest].concat()
    }

    #[test]
    fn a_path_that_looks_like_a_line_is_a_path() {
        let path = b"/a\n               x-1     [000] .....     5: exetrail: step 1\0";
        let lines = read(&[page(3, &record(path))]).unwrap();
        let [
            Line {
                tid: 9,
                at: 3,
                said: Said::Event(name, values),
            },
        ] = &lines[..]
        else {
            panic!("{lines:?}")
        };
        assert_eq!(name, "sched_process_exec");
        assert!(matches!(&values["filename"], Value::Text(text) if text.ends_with("step 1")));
    }

    #[test]
    fn records_stand_in_the_order_of_the_counter() {
        let pages = [page(9, &record(b"/b\0")), page(4, &record(b"/a\0"))];
        let at: Vec<_> = read(&pages).unwrap().iter().map(|line| line.at).collect();
        assert_eq!(at, [4, 9]);
    }

    #[test]
    fn a_function_is_told_by_its_place() {
        let lines = read(&[page(1, &of(1, &0x1004_u64.to_ne_bytes()))]).unwrap();
        assert_eq!(lines[0].said, Said::Function("do_open_execat".into()));
        let other = read(&[page(1, &of(1, &0x2000_u64.to_ne_bytes()))]);
        assert!(other.unwrap_err().contains("0x2000"));
    }

    #[test]
    fn a_marker_is_our_own_and_another_word_is_not() {
        let print = |text: &str| {
            let rest = [&[0; 8], text.as_bytes()].concat();
            read(&[page(1, &of(5, &rest))]).unwrap().remove(0).said
        };
        assert_eq!(print("exetrail step 1\n\0"), Said::Marker("step 1".into()));
        assert!(matches!(print("other\n\0"), Said::Event(name, _) if name == "print"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(read(&[page(1, &of(77, &[]))]).is_err());
        assert!(read(&[page(1, &of(1, &[]))]).is_err());
        assert!(read(&[vec![0; 7]]).is_err());
    }
}
