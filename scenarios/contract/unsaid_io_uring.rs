//! A request that waits in an io_uring is cancelled by its submitter's start, and the ring's
//! descriptor is closed.
//!
//! `io_uring_task_cancel` does it. The ring is shared with the parent, which finds ECANCELED there
//! while the new program still runs; a request of a process that makes no call waits.
//!
//! Finding: on 5.10 a call for a file that is not there cancels the requests of its caller as well, because
//! `bprm_execve` cancels before it opens anything. Since [c:io-uring-late] `begin_new_exec` does, and a
//! call that fails with an errno leaves them waiting. The long-term series of 5.10 got a newer io_uring, but not
//! that.
//!
//! `io_uring_setup` gives the descriptor `O_CLOEXEC`. See io_uring_setup(2), and `io_uring_cancel_generic`
//! in io_uring/.

use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::scenario::{Evidence, Exec, Scenario, System, held, needs};
use crate::subject::say;
use crate::sys::Ring;

pub const SCENARIO: Scenario = Scenario {
    summary: "requests of an io_uring are cancelled",
    needs: &[needs::IO_URING],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/io_uring");
    let none = Exec::by("a request and no call", "/tmp/none", |_| {
        let ring = Ring::new()?;
        let (silent, _writer) = pipe2(OFlag::O_CLOEXEC)?;
        ring.poll(silent.as_fd())?;
        told(ring.completion());
        Ok(())
    })?;
    let seen = system.look("no call", &none)?;
    claim.control("no call", "waits", seen.found("request")?)?;
    let failing = waiting("/tmp/none")?;
    let seen = system.look("a request that waits, a call that fails", &failing)?;
    let found = seen.found("request")?;
    system.fact("a request of a caller whose call failed", found)?;
    let seen = system.look("a request that waits", &waiting("/usr/bin/cat")?)?;
    claim.stated("a request that waits", "ECANCELED", seen.found("request")?);
    let exec = Exec::path("/tmp/reporter")?.reports(&["descriptors"])?;
    let exec = exec.before(|| {
        std::mem::forget(Ring::new()?);
        Ok(())
    });
    let seen = system.look("the ring's descriptor", &exec)?;
    claim.stated("the ring's descriptor", "0 1 2", seen.found("descriptors")?);
    system.verdict(&claim)
}

fn waiting(path: &str) -> anyhow::Result<Exec> {
    Exec::by("execve with a ring", path, |args| {
        let ring = Ring::new()?;
        // Held open on both ends: it can never be read.
        let (silent, _writer) = pipe2(OFlag::O_CLOEXEC)?;
        let ask = || Ok(ring.poll(silent.as_fd())?);
        // Without an answer the scenario misses what the parent should have said.
        if let Ok(result) = held(args, ask, || Ok(ring.completion())) {
            told(result);
        }
        Ok(())
    })
}

/// Says what became of the request; who cannot say it has said nothing.
fn told(result: Option<i32>) {
    let told = result.map_or_else(
        || "waits".to_owned(),
        |result| format!("{:?}", Errno::from_raw(-result)),
    );
    let _ = say("request", told);
}
