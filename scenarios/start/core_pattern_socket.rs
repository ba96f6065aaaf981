//! A core dump goes to a socket: the kernel starts no helper and opens no file.
//!
//! The kernel connects to the socket that `core_pattern` names, and sends the dump there (`coredump_sock_connect` in
//! fs/coredump.c, on 6.16 `do_coredump` itself; [c:coredump-socket]). It walks to the socket with its own credentials and
//! from init's root. The server sees the dying process as its peer. A policy that watches the start of core dump helpers
//! sees nothing at all.
//!
//! When the process of the trail dies, no server listens any more, and the kernel gives the dump up. Another process
//! died before, while a server listened (the fact): the server is sent a dump although the limit of a core file
//! (`RLIMIT_CORE`) is 0.
//!
//! An older kernel takes the pattern for the name of a file in a directory `@/tmp`, and does not even look for it, as
//! that limit is 0: no step either, and no dump. So the steps are the same on all kernels, for two reasons. The
//! scenario is here because a step that appeared in it would be news.
//!
//! See Documentation/admin-guide/sysctl/kernel.rst, `core_pattern`.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};

use crate::scenario::{Elf, Exec, Flaw, Role, Scenario, System, fork_start, needs, prepared};
use crate::sys::{self, Invocation};
use crate::wire::LAUNCHER;

pub const SCENARIO: Scenario = Scenario {
    summary: "core dump to a socket",
    needs: &[needs::OWN_SETTINGS, needs::COREDUMP],
    run,
    ..Scenario::DEFAULT
};

const SOCKET: &str = "/tmp/core.socket";

fn run(system: &mut System) -> Result<()> {
    system.sysctl("kernel/core_pattern", &format!("@{SOCKET}"))?;
    system.file(
        "fault",
        &Elf::new().flaw(Flaw::NothingLoaded).build(),
        0o755,
    )?;
    system.fact("a server is sent", sent()?)?;
    system.observe(&Exec::path(LAUNCHER)?.role(Role::Crash)?)?;
    Ok(())
}

/// What a server at the socket receives when a program faults, and whether the program's wait status has the core flag.
fn sent() -> Result<String> {
    let server = UnixListener::bind(SOCKET).context("failed to make the socket")?;
    let child = fork_start(|| {
        prepared(setrlimit(Resource::RLIMIT_CORE, 0, 0));
        Invocation::new(&[], &[]).execve(c"/tmp/fault")
    })?;
    let end = sys::pidfd_open(child.as_raw()).context("failed to open a pidfd")?;
    let mut fds = [&server.as_fd(), &end.as_fd()].map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
    poll(&mut fds, PollTimeout::NONE).context("failed to wait for the dump")?;
    let mut dump = Vec::new();
    if fds[0].any() == Some(true) {
        let (mut connection, _) = server.accept().context("failed to take the connection")?;
        connection
            .read_to_end(&mut dump)
            .context("failed to read the dump")?;
    }
    std::fs::remove_file(SOCKET)?;
    let what = match dump.as_slice() {
        [] => "nothing",
        bytes if bytes.starts_with(b"\x7fELF") => "a dump",
        _ => "something else",
    };
    match waitpid(child, None).context("failed to wait")? {
        WaitStatus::Signaled(_, signal, true) => {
            Ok(format!("{what}; {signal}, with the core flag"))
        }
        WaitStatus::Signaled(_, signal, false) => {
            Ok(format!("{what}; {signal}, without the core flag"))
        }
        other => Ok(format!("{what}; {other:?}")),
    }
}
