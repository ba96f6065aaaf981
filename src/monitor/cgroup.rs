//! Out of the cgroup that could be frozen.
//!
//! What freezes the monitor must not freeze its guard. A process that is frozen by cgroup v2 can still be
//! killed (Documentation/admin-guide/cgroup-v2.rst, `cgroup.freeze`). By the freezer of v1 it cannot until it
//! is thawed (seen on 6.18), so that the monitor must not be in a cgroup of that either.

use std::path::Path;

use crate::proc::{Cgroups, Mount};

/// Whether this process can be frozen together with those that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the root, which cannot be frozen (but from outside of a cgroup namespace).
    Root,
    /// It stayed where it was, because of this.
    Within(String),
}

/// Goes to the root of the cgroup2 hierarchy.
///
/// Call it before anything is watched: it opens files.
#[must_use]
pub fn leave() -> Standing {
    let own = Cgroups::own();
    to_root(own.v2().unwrap_or_default(), |mount| {
        mount.kind == "cgroup2"
    })
}

/// Goes to the root of the freezer of cgroup v1, where there is one.
#[must_use]
pub fn leave_freezer() -> Standing {
    let own = Cgroups::own();
    to_root(own.v1("freezer").unwrap_or_default(), |mount| {
        mount.kind == "cgroup" && mount.has("freezer")
    })
}

fn to_root(own: &str, is_it: impl Fn(&Mount) -> bool) -> Standing {
    if own.is_empty() || own == "/" {
        return Standing::Root;
    }
    let mounts = Mount::all().unwrap_or_default();
    let found = mounts
        .iter()
        .find(|mount| is_it(mount) && mount.root == Path::new("/"));
    let Some(mount) = found else {
        return Standing::Within(format!("the root of cgroup {own} is not mounted"));
    };
    let procs = mount.point.join("cgroup.procs");
    match std::fs::write(&procs, "0") {
        Ok(()) => Standing::Root,
        Err(error) => Standing::Within(format!("{}: {error}", procs.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
