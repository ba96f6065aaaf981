//! A context of asynchronous I/O is gone after the exec, unless another process shares the memory. A call that fails with an
//! errno keeps it.
//!
//! Contexts belong to the memory (`mm->ioctx_table`), and `exit_aio` ends them with it. Their rings are mappings, which go with
//! the memory in any case. `/proc/sys/fs/aio-nr`, the sum of what all contexts of the system were asked to have room for
//! (io_setup), shows that the contexts themselves are gone; the parent reads it while the new program runs.
//!
//! See [c:execve-aio], and io_setup(2).

use anyhow::Context as _;

use crate::scenario::{Evidence, Exec, Scenario, System, held, needs};
use crate::subject::say;
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "contexts of asynchronous I/O are gone",
    needs: &[needs::AIO],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/aio");
    let with_context = |path: &str| {
        let exec = Exec::path(path)?.reports(&["aio"])?;
        anyhow::Ok(exec.before(|| Ok(sys::aio_context()?)))
    };
    let seen = system.look("a context, a call that fails", &with_context("/tmp/none")?)?;
    claim.control("a call that fails", "1", seen.found("aio")?)?;
    let seen = system.look("a context", &with_context("/tmp/reporter")?)?;
    claim.stated("a context", "0", seen.found("aio")?);
    let what = "room for requests, a call that fails";
    let seen = system.look(what, &counted("/tmp/none")?)?;
    claim.control(what, "kept", seen.found("requests")?)?;
    let what = "room for requests";
    let seen = system.look(what, &counted("/usr/bin/cat")?)?;
    claim.stated(what, "given back", seen.found("requests")?);
    system.verdict(&claim)
}

/// An exec whose parent says whether there is more room for requests than before.
fn counted(path: &str) -> anyhow::Result<Exec> {
    Exec::by("execve with a context", path, |args| {
        let told = count().and_then(|before| {
            let after = held(args, || Ok(sys::aio_context()?), |_| count())?;
            Ok(if after > before { "kept" } else { "given back" })
        });
        let told = told.map_or_else(|error| format!("{error:#}"), ToOwned::to_owned);
        // A child that cannot say it has said nothing, and the scenario misses its line.
        let _ = say("requests", told);
        Ok(())
    })
}

fn count() -> anyhow::Result<u64> {
    let count = std::fs::read_to_string("/proc/sys/fs/aio-nr")?;
    count.trim().parse().context("failed to read a number")
}
