//! A request that waits in an io_uring is cancelled by its submitter's start, and the ring's
//! descriptor is closed.
//!
//! `begin_new_exec` calls `io_uring_task_cancel` in front of the point where the memory goes (in
//! 5.10, whose io_uring was brought to the state of 5.15 by its stable series, as well). The ring
//! is shared with the parent, which finds ECANCELED there while the new program still runs. A call
//! that fails in front of the point cancels nothing.
//!
//! `io_uring_setup` gives the descriptor `O_CLOEXEC`. See io_uring_setup(2), and `io_uring_cancel_generic`
//! in io_uring/.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::guest::say;
use crate::scenario::{Claim, Exec, Scenario, Stage, held};
use crate::sys::Ring;
use crate::trail::Fact;

pub const SCENARIO: Scenario = Scenario {
    summary: "requests of an io_uring are cancelled",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.ours("reporter")?;
    let mut claim = Claim::new("unsaid/io_uring");
    let seen = stage.look(
        "a request that waits, a call that fails",
        &waiting("/tmp/none")?,
    )?;
    claim.control("a call that fails", "waits", seen.found("request")?)?;
    let seen = stage.look("a request that waits", &waiting("/usr/bin/cat")?)?;
    claim.stated("a request that waits", "ECANCELED", seen.found("request")?);
    let exec = Exec::path("/tmp/reporter")?.reports(&["descriptors"])?;
    let exec = exec.before(|| {
        std::mem::forget(Ring::new()?);
        Ok(())
    });
    let seen = stage.look("the ring's descriptor", &exec)?;
    claim.stated("the ring's descriptor", "0 1 2", seen.found("descriptors")?);
    stage.verdict(&claim)
}

fn waiting(path: &str) -> anyhow::Result<Exec> {
    Exec::by("execve with a ring", path, |args| {
        let ring = Ring::new()?;
        // Held open on both ends: it can never be read.
        let (silent, _writer) = pipe2(OFlag::O_CLOEXEC)?;
        let ask = || Ok(ring.poll(std::os::fd::AsFd::as_fd(&silent))?);
        let result = held(args, ask, || Ok(ring.completion()));
        let told = match result {
            Ok(None) => "waits".to_owned(),
            Ok(Some(result)) => format!("{:?}", Errno::from_raw(-result)),
            Err(error) => format!("{error:#}"),
        };
        // Who cannot say it has said nothing, and the scenario misses it.
        let _ = say(None, vec![Fact::new("request", told)]);
        Ok(())
    })
}
