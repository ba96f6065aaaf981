//! After the start every other thread that `de_thread` finds is gone. A call that fails with an errno kills none, except on 5.10
//! the kernel's own workers of an io_uring, which are threads of the process (`io_uring_clean_tctx`; read in source).
//!
//! `de_thread` (fs/exec.c) comes when the program and its interpreters are open and the format is known. So a program that is
//! missing, or is no program, costs none but those workers. What closing a descriptor of an overlay opens comes later
//! (`policy/overlay_closed`).
//!
//! See [c:execve-threads].

use std::sync::Barrier;

use crate::scenario::{Args, Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "all other threads are killed",
    run,
    ..Scenario::DEFAULT
};

/// How many threads there are beside the caller.
const THREADS: usize = 8;

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let garbage = system.file("garbage", b"\x01\x02\x03\x04", 0o755)?;
    let mut claim = Evidence::new("effect/threads_killed");
    let with_threads = |path| Exec::by("execve with threads", path, many)?.reports(&["threads"]);
    let missing = system.look("the file is missing", &with_threads("/tmp/none".into())?)?;
    claim.control(
        "the file is missing",
        THREADS + 1,
        missing.found("threads")?,
    )?;
    let garbage = system.look("the file is not a program", &with_threads(garbage)?)?;
    claim.control(
        "the file is not a program",
        THREADS + 1,
        garbage.found("threads")?,
    )?;
    let seen = system.look("eight other threads", &with_threads(reporter)?)?;
    claim.stated("eight other threads", "1", seen.found("threads")?);
    system.verdict(&claim)
}

fn many(args: &Args<'_>) -> nix::Result<()> {
    // Leaked: the threads end with the process, not with this call.
    let started: &Barrier = Box::leak(Box::new(Barrier::new(THREADS + 1)));
    for _ in 0..THREADS {
        let thread = std::thread::Builder::new().spawn(|| {
            started.wait();
            loop {
                std::thread::park();
            }
        });
        thread.map_err(|_| nix::errno::Errno::EAGAIN)?;
    }
    started.wait();
    args.execve()
}
