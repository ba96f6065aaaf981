//! On failure the caller goes on: with -1 and errno, says the first version of the specification; with a negative error code,
//! says the second, after a reader's question.
//!
//! -1 is the library's. The system call returns the errno's number, negative, in the register (on x86-64), and the library makes
//! -1 and errno of it (`__syscall_ret` and its like). Whoever looks below the library sees -2 for ENOENT: a program with a
//! `syscall` instruction of its own, a tracer, a tracepoint, an audit record.
//!
//! See [c:execve-return-value], and [c:syscall-conventions].

use anyhow::Result;
use nix::errno::Errno;

use crate::scenario::{Args, Evidence, Exec, Scenario, System};
use crate::subject::say;

pub const SCENARIO: Scenario = Scenario {
    summary: "failure: -1 and errno from the library, -ENOENT from the call",
    run,
    ..Scenario::DEFAULT
};

/// A failing call whose caller says what it returned.
fn told(what: &'static str, make: impl Fn(&Args<'_>) -> String + 'static) -> Result<Exec> {
    let exec = Exec::by(what, "/tmp/none", move |args| {
        let returned = make(args);
        // Where this fails, nothing was said, and the scenario notices.
        let _ = say("returned", returned);
        Err(Errno::ENOENT)
    })?;
    exec.reports(&["exe"])
}

fn run(system: &mut System) -> Result<()> {
    let library = told("execve(3)", |args| {
        let (result, errno) = args.library_execve();
        format!("{result} and {errno:?}")
    })?;
    let seen = system.look("by the library", &library)?;
    let mut failure = Evidence::new("return/failure");
    failure.stated("value and errno", "-1 and ENOENT", seen.found("returned")?);
    failure.stated(
        "the caller goes on",
        "/exetrail/launcher",
        seen.found("exe")?,
    );
    system.verdict(&failure)?;

    let bare = told("syscall instruction", |args| args.bare_execve().to_string())?;
    let seen = system.look("without a library", &bare)?;
    let mut call = Evidence::new("return/system_call");
    call.stated(
        "value in the register for ENOENT",
        "-1",
        seen.found("returned")?,
    );
    system.verdict(&call)
}
