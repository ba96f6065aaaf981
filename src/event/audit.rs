//! Records of the audit subsystem as events: those of one serial are one call.
//!
//! Source: `audit_log_exit` in kernel/auditsc.c, and `audit_log_untrustedstring` in kernel/audit.c, which
//! writes a string in quotes, or in hexadecimal where it holds a space, a quote, a control character or a byte
//! beyond ASCII.

use std::collections::BTreeMap;

use super::{Field, Fields, Kind, Raw, listed};
use crate::stages::errno;
use crate::trail::printable;

/// One record: its type, and its text.
pub type AuditRecord<'a> = (u16, &'a str);

const SYSCALL: u16 = 1300;
const PATH: u16 = 1302;
const CWD: u16 = 1307;
const EXECVE: u16 = 1309;
/// Names of the records that this reads, for whoever meets another.
const KNOWN: [u16; 4] = [SYSCALL, PATH, CWD, EXECVE];
/// A login user that nobody set (`AUDIT_UID_UNSET`).
const UNSET: &str = "4294967295";

/// The calls of a list of records, in the order of their serials.
///
/// # Errors
///
/// A record that has no serial, or a call whose record says no more whose it is.
pub fn calls(records: &[AuditRecord<'_>]) -> Result<Vec<Raw>, String> {
    let mut groups: BTreeMap<u64, Vec<AuditRecord<'_>>> = BTreeMap::new();
    for (kind, text) in records.iter().filter(|(kind, _)| KNOWN.contains(kind)) {
        let (serial, rest) = serial(text).ok_or_else(|| format!("not understood: {text:?}"))?;
        groups.entry(serial).or_default().push((*kind, rest));
    }
    let calls = groups
        .values()
        .filter(|group| group.iter().any(|(kind, _)| *kind == SYSCALL));
    calls
        .map(|group| call(group).ok_or_else(|| format!("not understood: {group:?}")))
        .collect()
}

/// What AppArmor says of execs, in order: it refuses them, or would.
///
/// # Errors
///
/// A record of its that has no serial, or does not say whose it is.
pub fn complaints<'a>(records: impl Iterator<Item = AuditRecord<'a>>) -> Result<Vec<Raw>, String> {
    let own = records.filter(|(kind, text)| *kind == AVC && text.contains(EXEC));
    own.map(|(_, text)| complaint(text).ok_or_else(|| format!("not understood: {text:?}")))
        .collect()
}

/// An access-vector record of a security module (`AUDIT_AVC`).
const AVC: u16 = 1400;
/// What those of execs have.
const EXEC: &str = " operation=\"exec\"";

/// A value by its key.
fn value<'a>(values: &[(&str, &'a str)], key: &str) -> Option<&'a str> {
    let mut own = values.iter().filter(|(known, _)| *known == key);
    own.next().map(|(_, value)| *value)
}

fn complaint(text: &str) -> Option<Raw> {
    let (_, rest) = serial(text)?;
    let values = values(rest);
    let get = |key: &str| value(&values, key);
    let mut fields = Fields::new();
    for (key, field) in [("name", Field::File), ("comm", Field::Comm)] {
        fields.extend(get(key).and_then(string).map(|value| (field, value)));
    }
    fields.insert(Field::Uid, plain(get("fsuid")?));
    let verdict = get("apparmor").and_then(string)?;
    // What it fails at, told beside what it makes of its rules (`audit_pre` in security/apparmor/audit.c).
    let error = get("error").and_then(|error| error.parse().ok());
    let result = match error.map(errno) {
        Some(errno) => format!("{verdict} {errno}"),
        None => verdict,
    };
    fields.insert(Field::Result, result);
    Some(Raw {
        kind: Kind::Inside,
        source: "AVC".to_owned(),
        tid: get("pid")?.parse().ok()?,
        pid: Some(get("pid")?.parse().ok()?),
        child: None,
        after: None,
        fields,
    })
}

/// `audit(1700000000.123:45): key=value ...`.
fn serial(text: &str) -> Option<(u64, &str)> {
    let (head, rest) = text.strip_prefix("audit(")?.split_once("): ")?;
    let (_, serial) = head.split_once(':')?;
    Some((serial.parse().ok()?, rest))
}

fn call(group: &[AuditRecord<'_>]) -> Option<Raw> {
    let mut fields = Fields::new();
    let (mut tid, mut names) = (None, Vec::new());
    for (kind, text) in group {
        let values = values(text);
        let get = |key: &str| value(&values, key);
        match *kind {
            SYSCALL => {
                tid = get("pid").and_then(|pid| pid.parse().ok());
                for (key, field) in [("ppid", Field::Parent), ("auid", Field::Auid)] {
                    let value = get(key)?;
                    let value = if value == UNSET { "unset" } else { value };
                    fields.insert(field, plain(value));
                }
                for (field, real, effective) in
                    [(Field::Uid, "uid", "euid"), (Field::Gid, "gid", "egid")]
                {
                    let both = format!("{}/{}", get(real)?, get(effective)?);
                    fields.insert(field, plain(&both));
                }
                for (key, field) in [("comm", Field::Comm), ("exe", Field::Exe)] {
                    fields.extend(string(get(key)?).map(|value| (field, value)));
                }
                fields.insert(Field::Result, errno(get("exit")?.parse().ok()?));
            }
            CWD => fields.extend(string(get("cwd")?).map(|cwd| (Field::Cwd, cwd))),
            EXECVE => {
                fields.insert(Field::Argv, listed(arguments(&values)));
            }
            _ => names.extend(get("name").and_then(string)),
        }
    }
    let mut names = names.into_iter();
    fields.extend(names.next().map(|name| (Field::Path, name)));
    let more: Vec<_> = names.collect();
    if !more.is_empty() {
        fields.insert(Field::Items, listed(more));
    }
    Some(Raw {
        kind: Kind::Return,
        source: "SYSCALL".to_owned(),
        tid: tid?,
        pid: None,
        child: None,
        after: None,
        fields,
    })
}

/// `key=value` and `key="value"`, in order.
fn values(text: &str) -> Vec<(&str, &str)> {
    let mut values = Vec::new();
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let end = match after.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(after.len(), |end| end + 2),
            None => after.find(' ').unwrap_or(after.len()),
        };
        values.push((key.trim(), &after[..end]));
        rest = &after[end..];
    }
    values
}

/// A string as the kernel writes those that it does not trust; none for `(null)`.
fn string(value: &str) -> Option<String> {
    if let Some(quoted) = value.strip_prefix('"') {
        // A backslash stands as it is there, and so does what the kernel takes for text.
        let inner = quoted.strip_suffix('"').unwrap_or(quoted);
        return Some(printable(inner.as_bytes()));
    }
    if value == "(null)" || value == "?" {
        return None;
    }
    let pairs = value.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    match bytes.collect::<Option<Vec<u8>>>() {
        Some(bytes) => Some(printable(&bytes)),
        None => Some(plain(value)),
    }
}

/// A number, or whatever else stands without quotes.
fn plain(value: &str) -> String {
    printable(value.as_bytes())
}

/// `a0`, `a1` and so on; a long one comes in pieces, `a1[0]`, `a1[1]`, after its length.
fn arguments(values: &[(&str, &str)]) -> Vec<String> {
    let mut arguments: Vec<(u32, String)> = Vec::new();
    for (key, value) in values {
        let Some(rest) = key.strip_prefix('a') else {
            continue;
        };
        let number = rest
            .split('[')
            .next()
            .and_then(|number| number.parse().ok());
        let (Some(number), Some(text)) = (number, string(value)) else {
            continue;
        };
        match arguments.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => known.push_str(&text),
            None => arguments.push((number, text)),
        }
    }
    arguments.into_iter().map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_about_an_exec_has_the_file_and_who_would_execute_it() {
        let exec = "audit(1.2:3): apparmor=\"ALLOWED\" operation=\"exec\" profile=\"x\" name=\"/usr/bin/ls\" \
                    pid=7 comm=\"sh\" requested_mask=\"x\" denied_mask=\"x\" fsuid=0 ouid=0 target=\"x//y\"";
        let open = exec.replace("exec", "open");
        let raw = complaints([(1400, exec), (1400, &*open), (1300, exec)].into_iter()).unwrap();
        assert_eq!(raw.len(), 1);
        assert_eq!(
            (raw[0].tid, &*raw[0].fields[&Field::File]),
            (7, "/usr/bin/ls")
        );
        assert_eq!(raw[0].fields[&Field::Result], "ALLOWED");
    }

    #[test]
    fn a_complaint_about_a_name_that_cannot_be_had_has_an_errno() {
        let exec = "audit(1.2:3): apparmor=\"ALLOWED\" operation=\"exec\" info=\"Failed name lookup\" error=-13 \
                    profile=\"x\" name=\"/dev/fd/5\" pid=7 comm=\"sh\" fsuid=0 ouid=0";
        let raw = complaints([(1400, exec)].into_iter()).unwrap();
        assert_eq!(raw[0].fields[&Field::Result], "ALLOWED EACCES");
    }

    const CALL: &str = "audit(1700000000.123:45): arch=c000003e syscall=59 success=yes exit=0 \
        a0=1 a1=2 a2=3 a3=8 items=2 ppid=7 pid=9 auid=4294967295 uid=0 gid=0 euid=5 suid=0 fsuid=0 \
        egid=0 sgid=0 fsgid=0 tty=(none) ses=4294967295 comm=\"ls\" exe=\"/usr/bin/ls\" key=(null)";

    fn one(records: &[AuditRecord<'_>]) -> Raw {
        calls(records).unwrap().remove(0)
    }

    #[test]
    fn records_of_one_serial_are_one_call() {
        let raw = one(&[
            (SYSCALL, CALL),
            (
                EXECVE,
                "audit(1700000000.123:45): argc=2 a0=\"ls\" a1=61206220",
            ),
            (CWD, "audit(1700000000.123:45): cwd=\"/\""),
            (
                PATH,
                "audit(1700000000.123:45): item=0 name=\"/usr/bin/ls\" inode=3",
            ),
            (
                PATH,
                "audit(1700000000.123:45): item=1 name=\"/lib/ld\" inode=4",
            ),
            (
                PATH,
                "audit(1700000000.123:46): item=0 name=\"/other\" inode=4",
            ),
        ]);
        let get = |field| raw.fields[&field].as_str();
        assert_eq!(
            (raw.tid, get(Field::Path), get(Field::Items)),
            (9, "/usr/bin/ls", "/lib/ld")
        );
        assert_eq!((get(Field::Argv), get(Field::Cwd)), ("ls | a b ", "/"));
        assert_eq!((get(Field::Uid), get(Field::Auid)), ("0/5", "unset"));
    }

    #[test]
    fn a_call_that_failed_has_its_errno() {
        let raw = one(&[(SYSCALL, &CALL.replace("exit=0", "exit=-2"))]);
        assert_eq!(raw.fields[&Field::Result], "ENOENT");
    }

    #[test]
    fn a_long_argument_comes_in_pieces() {
        let values = values("argc=1 a0_len=4 a0[0]=\"ab\" a0[1]=\"cd\"");
        assert_eq!(arguments(&values), ["abcd"]);
    }

    #[test]
    fn a_backslash_of_a_name_is_written_as_everywhere() {
        assert_eq!(string("\"/tmp/a\\b\""), Some("/tmp/a\\x5cb".to_owned()));
    }

    #[test]
    fn a_string_that_is_not_there_is_none() {
        assert_eq!(string("(null)"), None);
        assert_eq!(string("\"\""), Some(String::new()));
    }

    #[test]
    fn records_of_other_kinds_are_left_out() {
        assert!(
            calls(&[(1327, "audit(1.2:3): proctitle=61")])
                .unwrap()
                .is_empty()
        );
        assert!(calls(&[(SYSCALL, "nonsense")]).is_err());
    }
}
