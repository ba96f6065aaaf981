//! Whoever counts what a task does can lose sight of it when an exec gives it rights.
//!
//! An exec can take a counter of perf_event_open(2) on one task off it: `begin_new_exec` calls `perf_event_exit_task` when
//! the new credentials are set and the dumpable attribute is not 1 (fs/exec.c). These execs do that:
//! - An exec that changes the effective IDs of the task or gives it capabilities that it was not permitted before
//!   (`cred_cap_issubset` in kernel/cred.c).
//! - An exec of a program that its user may not read.
//! - Any exec by a process whose real and effective IDs differ.
//!
//! Where fs.suid_dumpable is 1, no exec does. The call comes before the tracepoint `sched_process_exec`, so even this exec is
//! not counted. Root's counters go too, although root could watch the program in other ways. A counter on the CPUs, with a
//! filter for the process, goes on.
//!
//! Whoever takes a count of zero to mean that no program was started mistakes a program that such an exec started and that
//! faults by itself for an exec that failed past the point of no return.
//!
//! Our own program gets no instructions here and exits with 2.
//!
//! See perf_event_open(2), and proc_sys_fs(5), `suid_dumpable`.

use std::ffi::{CStr, CString};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::unistd::{chown, pipe, read, setresgid, setresuid, write};

use crate::need::needs::EXECS;
use crate::scenario::{Scenario, System, USER, fork_start, give_net_raw, needs, prepared, reap};
use crate::sys::{Invocation, Passes};

pub const SCENARIO: Scenario = Scenario {
    summary: "an exec that gives rights can take a perf counter off its task",
    needs: &[needs::EXEC_COUNTER, needs::OWN_SETTINGS, needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    for (name, owner, group, mode) in [
        ("plain", 0, 0, 0o755),
        ("set", USER, 0, 0o4755),
        ("group", 0, USER, 0o2755),
        ("unreadable", 0, 0, 0o711),
        ("capable", 0, 0, 0o755),
    ] {
        let path = system.ours(name)?;
        chown(&path, Some(owner.into()), Some(group.into()))?;
        system.set_mode(name, mode)?;
    }
    give_net_raw(Path::new("/tmp/capable"))?;
    let (root, user) = (Ids::all(0), Ids::all(USER));
    let differing = Ids {
        users: [USER, 0, 0],
        ..root
    };
    let groups = Ids {
        groups: [USER, 0, 0],
        ..root
    };
    let cases = [
        ("a plain program", c"/tmp/plain", root),
        ("the same, by a user", c"/tmp/plain", user),
        ("one of another user's id", c"/tmp/set", root),
        ("one of another group's id", c"/tmp/group", root),
        ("one with a capability, by a user", c"/tmp/capable", user),
        ("one that its user may not read", c"/tmp/unreadable", user),
        (
            "a plain program, by whose ids differ",
            c"/tmp/plain",
            differing,
        ),
        (
            "a plain program, by whose groups differ",
            c"/tmp/plain",
            groups,
        ),
    ];
    for setting in ["0", "1", "2"] {
        system.sysctl("fs/suid_dumpable", setting)?;
        for (what, path, ids) in cases {
            let what = format!("fs.suid_dumpable {setting}, {what}");
            system.fact(&what, counted(path, ids)?)?;
        }
    }
    Ok(())
}

/// The real, the effective and the saved ids of a child.
#[derive(Clone, Copy)]
struct Ids {
    users: [u32; 3],
    groups: [u32; 3],
}

impl Ids {
    fn all(id: u32) -> Ids {
        Ids {
            users: [id; 3],
            groups: [id; 3],
        }
    }

    fn take(self) -> nix::Result<()> {
        let [real, effective, saved] = self.groups;
        setresgid(real.into(), effective.into(), saved.into())?;
        let [real, effective, saved] = self.users;
        setresuid(real.into(), effective.into(), saved.into())
    }
}

/// How many execs are counted of a child with these ids that executes this program.
fn counted(path: &CStr, ids: Ids) -> Result<String> {
    let id = fs::read_to_string(EXECS).with_context(|| format!("failed to read {EXECS}"))?;
    let id = id.trim().parse().context("failed to read a number")?;
    let (gate, opener) = pipe().context("failed to make a gate")?;
    let child = fork_start(|| {
        prepared(ids.take());
        prepared(read(&gate, &mut [0]));
        Invocation::new(&[path.to_owned()], &[]).execve(path)
    })?;
    let task = Passes::of(child.as_raw(), id)?;
    let cpus = Passes::filtered(id, &CString::new(format!("pid == {child}"))?)?;
    write(&opener, &[1])?;
    let end = reap(child)?;
    let (task, cpus) = (task.count()?, cpus.count()?);
    Ok(format!("{task} on the task, {cpus} on the CPUs; {end}"))
}
