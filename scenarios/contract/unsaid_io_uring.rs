//! An exec cancels the waiting io_uring requests of its caller, where they can be cancelled. It closes the ring's descriptor,
//! unless its close-on-exec flag was removed.
//!
//! The exec waits for a request that cannot be cancelled: an open with `IOSQE_ASYNC` that a fanotify group holds goes on when it
//! is answered, and the new program begins then (on 5.10, 6.12 and 7.3, not on 6.18, in experiments outside of this suite).
//!
//! `io_uring_task_cancel` does the cancelling. The ring is shared with the parent, which finds ECANCELED there while the new
//! program still runs. Closing the descriptor is not the cause: here the submitter keeps it open, and the request of a child that
//! only closes its own descriptor, and makes no call, waits.
//!
//! Finding: on 5.10 a call for a file that is not there cancels the requests of its caller as well, because `bprm_execve` cancels
//! before it opens anything. Since [c:io-uring-late] `begin_new_exec` cancels them, and a call that fails with an errno leaves
//! them waiting. The long-term series of 5.10 got a newer io_uring, but not that change.
//!
//! `io_uring_setup` gives the descriptor `O_CLOEXEC`.
//!
//! See io_uring_setup(2), and `io_uring_cancel_generic` in io_uring/.

use std::os::fd::{AsFd as _, AsRawFd as _};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::pipe2;

use crate::scenario::{Args, Evidence, Exec, Scenario, System, held_by, needs};
use crate::subject::say;
use crate::sys::{self, Ring};

pub const SCENARIO: Scenario = Scenario {
    summary: "io_uring requests that can be cancelled are cancelled",
    needs: &[needs::IO_URING],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/io_uring");
    let none = Exec::by("a request and no call", "/tmp/none", |_| {
        waiting(close, || Ok(()))
    })?;
    let what = "no call, the descriptor is closed";
    let seen = system.look(what, &none)?;
    claim.control(what, "waits", seen.found("request")?)?;
    let call = |args: &Args<'_>| waiting(keep, || args.execve());
    let failing = Exec::by("execve with a ring", "/tmp/none", call)?;
    let seen = system.look("a request that waits, a call that fails", &failing)?;
    let found = seen.found("request")?;
    system.fact("a request of a caller whose call failed", found)?;
    let exec = Exec::by("execve with a ring", "/usr/bin/cat", call)?;
    let what = "a request that waits, the descriptor is kept";
    let seen = system.look(what, &exec)?;
    claim.stated(what, "ECANCELED", seen.found("request")?);
    let with_ring = |path: &str, leave: fn(&Ring) -> nix::Result<()>| {
        let exec = Exec::path(path)?.reports(&["descriptors"])?;
        anyhow::Ok(exec.before(move || {
            let ring = Ring::new()?;
            leave(&ring)?;
            std::mem::forget(ring);
            Ok(())
        }))
    };
    for (what, exec) in [
        (
            "a ring, a call that fails",
            with_ring("/tmp/none", |_| Ok(()))?,
        ),
        ("a ring that is kept", with_ring("/tmp/reporter", keep)?),
    ] {
        let seen = system.look(what, &exec)?;
        claim.control(what, "0 1 2 3", seen.found("descriptors")?)?;
    }
    let exec = with_ring("/tmp/reporter", |_| Ok(()))?;
    let seen = system.look("the ring's descriptor", &exec)?;
    claim.stated("the ring's descriptor", "0 1 2", seen.found("descriptors")?);
    system.verdict(&claim)
}

/// Says what this process finds of a request of its child. After the request the child does `leave` with its descriptor and
/// makes `call`.
fn waiting(
    leave: fn(&Ring) -> nix::Result<()>,
    call: impl FnOnce() -> nix::Result<()>,
) -> nix::Result<()> {
    let ring = Ring::new()?;
    // Held open on both ends: it can never be read.
    let (silent, _writer) = pipe2(OFlag::O_CLOEXEC)?;
    let ask = || {
        ring.poll(silent.as_fd())?;
        Ok(leave(&ring)?)
    };
    let told = match held_by(call, ask, |_| Ok(ring.completion())) {
        Ok(None) => "waits".to_owned(),
        Ok(Some(result)) => format!("{:?}", Errno::from_raw(-result)),
        Err(error) => format!("{error:#}"),
    };
    // A child that cannot say it has said nothing, and the scenario misses its line.
    let _ = say("request", told);
    Ok(())
}

/// Leaves the ring's descriptor to the new program.
fn keep(ring: &Ring) -> nix::Result<()> {
    fcntl(ring, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)
}

/// Closes it, as a start does.
fn close(ring: &Ring) -> nix::Result<()> {
    let own = ring.as_fd().as_raw_fd().unsigned_abs();
    sys::close_fds_from(own, own)
}
