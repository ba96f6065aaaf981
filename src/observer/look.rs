//! What `/proc` tells of a process to somebody who has its number (proc(5)).

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use crate::event::{Field, Fields};
use crate::trail::printable;

/// Makes `/proc/PID/cgroup` tell of the one hierarchy: it does from its first mount on, and for good
/// (`cgrp_dfl_visible` in kernel/cgroup/cgroup.c).
///
/// # Errors
///
/// What mount(2) says; a kernel without cgroups has nothing to tell.
pub fn show_cgroups() -> Result<()> {
    let place = "/sys/fs/cgroup";
    match mount(
        Some("none"),
        place,
        Some("cgroup2"),
        MsFlags::empty(),
        None::<&str>,
    ) {
        Ok(()) | Err(Errno::ENODEV | Errno::ENOENT | Errno::EBUSY) => Ok(()),
        Err(errno) => Err(errno).context("failed to mount the hierarchy of cgroups"),
    }
}

/// Reads what there is of a process; nothing at all of one that is gone.
#[must_use]
pub fn look(pid: i32) -> Fields {
    let mut fields = Fields::new();
    let directory = format!("/proc/{pid}");
    let status = fs::read(format!("{directory}/status")).unwrap_or_default();
    fields.extend(of_status(&String::from_utf8_lossy(&status)));
    for (field, name) in [(Field::Exe, "exe"), (Field::Cwd, "cwd")] {
        if let Ok(path) = fs::read_link(format!("{directory}/{name}")) {
            fields.insert(field, printable(path.as_os_str().as_bytes()));
        }
    }
    if let Ok(comm) = fs::read(format!("{directory}/comm")) {
        let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
        fields.insert(Field::Comm, printable(comm));
    }
    if let Ok(line) = fs::read(format!("{directory}/cmdline")) {
        fields.insert(Field::Argv, arguments(&line));
    }
    if let Ok(groups) = fs::read_to_string(format!("{directory}/cgroup")) {
        fields.extend(of_cgroup(&groups).map(|path| (Field::Cgroup, path)));
    }
    fields
}

/// Parent, user and group: `PPid:`, and of `Uid:` and `Gid:` the real and the effective one.
fn of_status(status: &str) -> Fields {
    let mut fields = Fields::new();
    for line in status.lines() {
        let Some((name, rest)) = line.split_once(':') else {
            continue;
        };
        let mut ids = rest.split_ascii_whitespace().map(ToOwned::to_owned);
        let field = match name {
            "PPid" => Field::Parent,
            "Uid" => Field::Uid,
            "Gid" => Field::Gid,
            _ => continue,
        };
        let Some(first) = ids.next() else { continue };
        let both = |second| format!("{first}/{second}");
        let value = ids.next().map_or(first.clone(), both);
        fields.insert(field, value);
    }
    fields
}

/// The arguments of a command line, with a bar between them; each ends with a zero byte.
#[must_use]
pub fn arguments(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\0").unwrap_or(line);
    let words: Vec<_> = line.split(|byte| *byte == 0).map(printable).collect();
    words.join(" | ")
}

/// The path in the one hierarchy of version 2: `0::/path`.
fn of_cgroup(groups: &str) -> Option<String> {
    let line = groups.lines().find_map(|line| line.strip_prefix("0::"));
    line.map(|path| printable(path.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_real_and_effective() {
        let fields = of_status("Name:\ta\nPPid:\t7\nUid:\t1000\t0\t0\t0\n");
        assert_eq!(fields[&Field::Parent], "7");
        assert_eq!(fields[&Field::Uid], "1000/0");
    }

    #[test]
    fn an_empty_argument_keeps_its_place() {
        assert_eq!(arguments(b"a\0\0b\0"), "a |  | b");
        assert_eq!(arguments(b""), "");
    }

    #[test]
    fn the_cgroup_is_that_of_version_2() {
        assert_eq!(of_cgroup("1:name=x:/y\n0::/z\n").as_deref(), Some("/z"));
    }

    #[test]
    fn of_a_process_that_is_gone_nothing_is_told() {
        assert!(look(i32::MAX).is_empty());
    }
}
