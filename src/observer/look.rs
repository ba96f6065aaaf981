//! What `/proc` tells of a process to somebody who has its number (proc(5)).

use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use crate::event::{Field, Fields, listed};
use crate::proc::{self, Cgroups, Status};
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
    if let Some(status) = Status::read(pid) {
        fields.extend(of_status(&status));
    }
    for (field, name) in [(Field::Exe, "exe"), (Field::Cwd, "cwd")] {
        if let Ok(path) = proc::link(format!("{directory}/{name}")) {
            fields.insert(field, printable(path.as_os_str().as_bytes()));
        }
    }
    if let Ok(comm) = proc::bytes(format!("{directory}/comm")) {
        let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
        fields.insert(Field::Comm, printable(comm));
    }
    if let Ok(line) = proc::bytes(format!("{directory}/cmdline")) {
        fields.insert(Field::Argv, arguments(&line));
    }
    let groups = Cgroups::of(pid);
    fields.extend(
        groups
            .v2()
            .map(|path| (Field::Cgroup, printable(path.as_bytes()))),
    );
    fields
}

/// Parent, user and group: `PPid:`, and of `Uid:` and `Gid:` the real and the effective one.
fn of_status(status: &Status) -> Fields {
    let both = |name| {
        let (real, effective) = (status.number(name, 0)?, status.number(name, 1)?);
        Some(format!("{real}/{effective}"))
    };
    let found = [
        (
            Field::Parent,
            status.number("PPid:", 0).map(|pid| pid.to_string()),
        ),
        (Field::Uid, both("Uid:")),
        (Field::Gid, both("Gid:")),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(field, value)| Some((field, value?)))
        .collect()
}

/// The arguments of a command line, with a bar between them; each ends with a zero byte.
#[must_use]
pub fn arguments(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\0").unwrap_or(line);
    listed(line.split(|byte| *byte == 0).map(printable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_ourselves_have_a_parent_and_ids_real_and_effective() {
        let fields = look(std::process::id().cast_signed());
        assert!(fields[&Field::Parent].parse::<i32>().unwrap() > 0);
        assert!(fields[&Field::Uid].contains('/'), "{fields:?}");
    }

    #[test]
    fn an_empty_argument_keeps_its_place() {
        assert_eq!(arguments(b"a\0\0b\0"), "a |  | b");
        assert_eq!(arguments(b""), "");
    }

    #[test]
    fn of_a_process_that_is_gone_nothing_is_told() {
        assert!(look(i32::MAX).is_empty());
    }
}
