//! The mounts of our namespace: `/proc/self/mountinfo`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number.
    pub id: u64,
    /// What of the file system is mounted.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The file system's type, with its subtype after a dot.
    pub kind: String,
    /// Options of the file system, as it names them.
    pub options: Vec<String>,
}

impl Mount {
    /// Every mount of our namespace, in the order in which they were made.
    ///
    /// Source: proc_pid_mountinfo(5), `show_mountinfo` in fs/proc_namespace.c.
    ///
    /// # Errors
    ///
    /// The table cannot be read.
    pub fn all() -> Result<Vec<Mount>> {
        let text = super::bytes("/proc/self/mountinfo").context("failed to read the mounts")?;
        Ok(Mount::parse(&text))
    }

    /// The mounts of a table; a line that is not of its form is left out.
    #[must_use]
    pub fn parse(table: &[u8]) -> Vec<Mount> {
        let lines = table.split(|byte| *byte == b'\n');
        lines.filter_map(Mount::line).collect()
    }

    fn line(line: &[u8]) -> Option<Mount> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let end = fields.iter().position(|field| *field == b"-")?;
        let word = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        Some(Mount {
            id: std::str::from_utf8(fields.first()?).ok()?.parse().ok()?,
            root: unescaped(fields.get(3)?).into(),
            point: unescaped(fields.get(4)?).into(),
            kind: word(fields.get(end + 1)?),
            options: word(fields.get(end + 3)?)
                .split(',')
                .map(ToOwned::to_owned)
                .collect(),
        })
    }

    /// Whether the file system has an option.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|own| own == option)
    }
}

/// Blanks, tabs, newlines and backslashes are octal in the table (`mangle_path`, `seq_mangle_path` since 7.3).
fn unescaped(field: &[u8]) -> OsString {
    let mut path = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        path.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &rest[4..] } else { after };
    }
    OsString::from_vec(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Mount {
        let [mount] = <[Mount; 1]>::try_from(Mount::parse(line.as_bytes())).unwrap();
        mount
    }

    #[test]
    fn a_mount_point_may_have_a_blank() {
        let mount = one("22 21 0:2 / /a\\040b\\134 rw - tmpfs b rw\n");
        assert_eq!(mount.point, PathBuf::from("/a b\\"));
    }

    #[test]
    fn what_is_optional_does_not_move_the_rest() {
        let line = "37 31 0:34 /x /f rw,relatime shared:9 master:1 - cgroup cgroup rw,freezer";
        let mount = one(line);
        assert_eq!((mount.id, mount.kind.as_str()), (37, "cgroup"));
        assert_eq!(mount.root, PathBuf::from("/x"));
        assert!(mount.has("freezer") && !mount.has("free"));
    }

    #[test]
    fn a_line_of_another_form_is_left_out() {
        assert!(Mount::parse(b"22 21 0:2 / /a rw\n\n").is_empty());
    }
}
