//! Entries of IMA's list of measurements as events: nobody's, in the order in which they were made.
//!
//! The list is read as numbers and lengths: in the text of it a path with a newline is two entries. Source:
//! `ima_measurements_show` in security/integrity/ima/ima_fs.c, and the template ima-ng in ima_template_lib.c.

use std::fmt::Write as _;

use super::{Event, Field, Fields, Kind};
use crate::trail::{Names, Run, printable};

/// Whom an entry is of, of which the kernel tells no process.
const NOBODY: &str = "?";
const TEMPLATE: &[u8] = b"ima-ng";
/// Register and digest of an entry.
const HEAD: usize = 4 + 20;

/// The entries of a part of the list; `content` is the digest of the file that has a path now.
///
/// # Errors
///
/// What is no entry of the template.
pub fn measured(
    run: &Run,
    list: &[u8],
    content: &dyn Fn(&[u8]) -> Option<String>,
) -> Result<Vec<Event>, String> {
    let names = Names::of(run);
    let mut events = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (entry, after) = entry(rest).ok_or_else(|| {
            format!(
                "not understood: {:?}",
                printable(&rest[..rest.len().min(256)])
            )
        })?;
        rest = after;
        let path = printable(entry.path);
        let mut fields = Fields::from([(Field::File, names.path(&path))]);
        let digest = told(&entry.digest()?, content(entry.path));
        fields.insert(Field::Digest, digest.to_owned());
        events.push(Event {
            kind: Kind::Inside,
            process: NOBODY.to_owned(),
            thread: false,
            after: None,
            source: "BPRM_CHECK".to_owned(),
            fields,
        });
    }
    Ok(events)
}

/// One measurement.
struct Entry<'a> {
    /// The algorithm, a colon and a zero byte, and the digest.
    content: &'a [u8],
    path: &'a [u8],
}

impl Entry<'_> {
    /// The digest of the content, as tools write one.
    fn digest(&self) -> Result<String, String> {
        let part = self.content.iter().position(|byte| *byte == 0);
        let part = part.ok_or("not understood: a digest without its algorithm")?;
        let (algorithm, digest) = self.content.split_at(part);
        let mut text = printable(algorithm);
        for byte in &digest[1..] {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(text)
    }
}

/// The first entry, and what comes after it.
fn entry(list: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (template, rest) = field(list.get(HEAD..)?)?;
    let (data, after) = field(rest)?;
    let (content, rest) = field(data)?;
    let (path, rest) = field(rest)?;
    let path = path.strip_suffix(b"\0")?;
    let is_whole = template == TEMPLATE && rest.is_empty();
    is_whole.then_some((Entry { content, path }, after))
}

/// A length, as many bytes, and what comes after them.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_ne_bytes(*length) as usize)
}

/// What a digest is of. Zeros stand for a content that somebody could change meanwhile
/// (`ima_add_violation` in ima_api.c).
fn told(digest: &str, content: Option<String>) -> &'static str {
    let (_, hexadecimal) = digest.split_once(':').unwrap_or_default();
    match content {
        _ if hexadecimal.bytes().all(|digit| digit == b'0') => "zeros",
        None => "nobody's",
        Some(content) if content == digest => "own",
        Some(_) => "another's",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_ne_bytes()[..], bytes].concat()
    }

    fn list(template: &[u8], path: &[u8]) -> Vec<u8> {
        let fields = [sized(b"sha256:\0\x1f"), sized(path)].concat();
        [vec![7; HEAD], sized(template), sized(&fields)].concat()
    }

    fn lines(list: &[u8], content: Option<&str>) -> Result<Vec<String>, String> {
        let content = |_: &[u8]| content.map(ToOwned::to_owned);
        let events = measured(&Run::default(), list, &content)?;
        Ok(events.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_entry_has_a_path_and_nobodys_process() {
        let found = lines(&list(TEMPLATE, b"/a b\0"), Some("sha256:1f")).unwrap();
        let line = "event=inside  pid=? : BPRM_CHECK file=\"/a b\" digest=own";
        assert_eq!(found, [line]);
    }

    #[test]
    fn a_path_that_looks_like_another_entry_is_one() {
        let path = b"/a\n10 ab ima-ng sha256:1f /bin/true\0";
        let list = [list(TEMPLATE, path), list(TEMPLATE, b"/b\0")].concat();
        let found = lines(&list, None).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("/a\\x0a10 ab") && found[1].contains("file=/b "));
    }

    #[test]
    fn a_file_is_looked_for_by_its_own_name_and_not_by_the_printed_one() {
        let content = |path: &[u8]| (path == b"/a\nb").then(|| "sha256:1f".to_owned());
        let list = list(TEMPLATE, b"/a\nb\0");
        let events = measured(&Run::default(), &list, &content).unwrap();
        assert!(events[0].to_string().ends_with("digest=own"), "{events:?}");
    }

    #[test]
    fn a_digest_is_that_of_the_file_or_it_is_not() {
        assert_eq!(told("sha256:1f", Some("sha256:1f".into())), "own");
        assert_eq!(told("sha256:1f", Some("sha256:10".into())), "another's");
        assert_eq!(told("sha256:1f", None), "nobody's");
        assert_eq!(told("sha256:00", Some("sha256:1f".into())), "zeros");
    }

    #[test]
    fn an_entry_of_another_template_or_a_cut_one_is_refused() {
        assert!(lines(&list(b"ima-sig", b"/a\0"), None).is_err());
        let whole = list(TEMPLATE, b"/a\0");
        assert!(lines(&whole[..whole.len() - 1], None).is_err());
        assert!(lines(&list(TEMPLATE, b"/a"), None).is_err());
    }
}
