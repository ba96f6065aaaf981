//! Out of the cgroup that could be frozen.
//!
//! What freezes the monitor must not freeze its guard. A process that is frozen by cgroup v2 can still be
//! killed (Documentation/admin-guide/cgroup-v2.rst, `cgroup.freeze`). By the freezer of v1 it cannot until it
//! is thawed (seen on 6.18), so that the monitor must not be in a cgroup of that either.

use std::path::{Path, PathBuf};

/// Whether this process can be frozen together with those that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the root, which cannot be frozen.
    Root,
    /// It stayed where it was, because of this.
    Within(String),
}

/// Goes to the root of the cgroup2 hierarchy.
///
/// Call it before anything is watched: it opens files.
#[must_use]
pub fn leave() -> Standing {
    to_root(&own("0::"), |fields| fields.kind == "cgroup2")
}

/// Goes to the root of the freezer of cgroup v1, where there is one.
#[must_use]
pub fn leave_freezer() -> Standing {
    to_root(&own_freezer(), |fields| {
        fields.kind == "cgroup" && fields.options.split(',').any(|option| option == "freezer")
    })
}

/// What a line of proc_pid_mountinfo(5) says of a cgroup hierarchy.
struct Fields<'a> {
    root: &'a str,
    place: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Fields<'a> {
    fn read(line: &'a str) -> Option<Fields<'a>> {
        let (mount, rest) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, place) = (mount.next()?, mount.next()?);
        let mut rest = rest.split(' ');
        Some(Fields {
            root,
            place,
            kind: rest.next()?,
            options: rest.nth(1)?,
        })
    }
}

fn to_root(own: &str, is_it: impl Fn(&Fields<'_>) -> bool) -> Standing {
    if own.is_empty() || own == "/" {
        return Standing::Root;
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let found = mounts
        .lines()
        .filter_map(Fields::read)
        .find(|fields| is_it(fields) && fields.root == "/");
    let Some(fields) = found else {
        return Standing::Within(format!("the root of cgroup {own} is not mounted"));
    };
    let procs: PathBuf = Path::new(fields.place).join("cgroup.procs");
    match std::fs::write(&procs, "0") {
        Ok(()) => Standing::Root,
        Err(error) => Standing::Within(format!("{}: {error}", procs.display())),
    }
}

/// The path of this process in a hierarchy (cgroups(7), `/proc/[pid]/cgroup`); empty without one.
fn own(prefix: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = text.lines().find_map(|line| line.strip_prefix(prefix));
    path.unwrap_or_default().to_owned()
}

fn own_freezer() -> String {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|name| name == "freezer")
            .then_some(path)
    });
    path.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_a_hierarchy_is_understood() {
        let line =
            "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime shared:9 - cgroup cgroup rw,freezer";
        let fields = Fields::read(line).unwrap();
        let all = [fields.root, fields.place, fields.kind, fields.options];
        assert_eq!(all, ["/", "/sys/fs/cgroup/freezer", "cgroup", "rw,freezer"]);
    }

    #[test]
    fn the_root_is_not_left() {
        assert_eq!(to_root("/", |_| true), Standing::Root);
    }

    #[test]
    fn a_hierarchy_that_is_not_mounted_is_said() {
        let Standing::Within(reason) = to_root("/a", |_| false) else {
            panic!("it cannot have left");
        };
        assert!(reason.contains("/a"));
    }
}
