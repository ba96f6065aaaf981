//! Entries of IMA's list of measurements as events: nobody's, in the order in which they were made.
//!
//! Source: `ima_ascii_measurements_show` in security/integrity/ima/ima_fs.c, and the template ima-ng in
//! ima_template.c: register, digest of the entry, name of the template, digest of the content, path.

use super::{Event, Field, Fields, Kind};
use crate::trail::{Names, Run, printable};

/// Whom an entry is of, of which the kernel tells no process.
const NOBODY: &str = "?";
const TEMPLATE: &[u8] = b"ima-ng";

/// The entries of a part of the list; `content` is the digest of the file that has a path now.
///
/// # Errors
///
/// A line that is no entry of the template.
pub fn measured(
    run: &Run,
    list: &[u8],
    content: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Event>, String> {
    let names = Names::of(run);
    let lines = list.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let event = |line: &[u8]| {
        let (digest, path) =
            entry(line).ok_or_else(|| format!("not understood: {:?}", printable(line)))?;
        let path = printable(path);
        let mut fields = Fields::from([(Field::File, names.path(&path))]);
        fields.insert(Field::Digest, told(digest, content(&path)).to_owned());
        Ok(Event {
            kind: Kind::Inside,
            process: NOBODY.to_owned(),
            thread: false,
            after: None,
            source: "BPRM_CHECK".to_owned(),
            fields,
        })
    };
    lines.map(event).collect()
}

/// Digest of the content and path.
fn entry(line: &[u8]) -> Option<(&str, &[u8])> {
    let mut words = line.trim_ascii_start().splitn(5, |byte| *byte == b' ');
    let (_register, _entry) = (words.next()?, words.next()?);
    let template = words.next()?;
    let digest = std::str::from_utf8(words.next()?).ok()?;
    (template == TEMPLATE).then_some((digest, words.next()?))
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

    fn lines(list: &str, content: Option<&str>) -> Result<Vec<String>, String> {
        let content = |_: &str| content.map(ToOwned::to_owned);
        let events = measured(&Run::default(), list.as_bytes(), &content)?;
        Ok(events.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_entry_has_a_path_and_nobodys_process() {
        let found = lines("10 ab ima-ng sha256:1f /a b\n", Some("sha256:1f")).unwrap();
        let line = "event=inside  pid=? : BPRM_CHECK file=\"/a b\" digest=own";
        assert_eq!(found, [line]);
    }

    #[test]
    fn a_digest_is_that_of_the_file_or_it_is_not() {
        assert_eq!(told("sha256:1f", Some("sha256:1f".into())), "own");
        assert_eq!(told("sha256:1f", Some("sha256:10".into())), "another's");
        assert_eq!(told("sha256:1f", None), "nobody's");
        assert_eq!(told("sha256:00", Some("sha256:1f".into())), "zeros");
    }

    #[test]
    fn an_entry_of_another_template_is_refused() {
        assert!(lines("10 ab ima-sig sha256:1f /a \n", None).is_err());
        assert!(lines("10 ab\n", None).is_err());
    }
}
