//! A failure after the point of no return ends the process with SIGSEGV, even if it ignores or blocks that signal. Where a
//! SIGKILL is already pending, the process dies of the SIGKILL.
//!
//! `bprm_execve` calls `force_sigsegv` (5.10) or `force_fatal_sig(SIGSEGV)` (since 5.16, [c:fatal-sigsegv]) when
//! `load_elf_binary` fails with `point_of_no_return` set. The errno does not reach the caller. The scenario has three triggers:
//! - a segment at an address of the kernel,
//! - an address space too small for the program,
//! - a loader without a segment that can be mapped.
//!
//! A tracer sees the SIGSEGV and may suppress it; the process then faults at its old address, which is no longer mapped. This is
//! so on all kernels: `force_sig_info_to_task` (kernel/signal.c) lets a signal bypass the tracer (`SA_IMMUTABLE`) for
//! `force_exit_sig` alone.
//!
//! The control is a program for another machine: the kernel finds that mistake before the point of no return and returns an
//! errno.
//!
//! See `bprm_execve` in fs/exec.c and `load_elf_binary` in fs/binfmt_elf.c.

use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal};

use crate::scenario::{Elf, Evidence, Exec, Flaw, Hold, Scenario, System, needs, traced};
use crate::subject::say;
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "a failure after the point of no return sends SIGSEGV",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let bad = system.file("address", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    let loader = Elf::new().interpreter("/tmp/address").build();
    let loader = system.file("bad-loader", &loader, 0o755)?;
    let good = system.file("good", &Elf::new().build(), 0o755)?;
    let foreign = system.file("machine", &Elf::new().flaw(Flaw::Machine).build(), 0o755)?;
    let mut claim = Evidence::new("signal/sigsegv_after");
    let how = system.case("a program without a mistake", &Exec::path(&good)?)?;
    claim.control("no mistake", "exit 0", how)?;
    let how = system.case("for another machine", &Exec::path(&foreign)?)?;
    claim.control("for another machine", "errno ENOEXEC", how)?;
    // Not by a fault of the program: the call itself does not return.
    let wanted = "signal SIGSEGV in execve";
    let how = system.case("a segment outside of user space", &Exec::path(&bad)?)?;
    claim.stated("a segment outside of user space", wanted, how);
    let how = system.case("a loader with such a segment", &Exec::path(&loader)?)?;
    claim.stated("a loader with such a segment", wanted, how);
    let small = Exec::path(&good)?.before(|| Ok(setrlimit(Resource::RLIMIT_AS, 4096, 4096)?));
    let how = system.case("an address space of one page", &small)?;
    claim.stated("an address space of one page", wanted, how);
    let ignoring = Exec::path(&bad)?.before(|| {
        sys::dispose(Signal::SIGSEGV, SigHandler::SigIgn)?;
        Ok(sys::block(libc::SIGSEGV)?)
    });
    let how = system.case("SIGSEGV ignored and blocked", &ignoring)?;
    claim.stated("SIGSEGV ignored and blocked", wanted, how);
    let taken = Exec::by("traced execve", &bad, |args| {
        let stops = traced(Hold::TraceMe, || args.execve());
        let told = stops.map_or_else(|error| format!("{error:#}"), |stops| stops.join(", "));
        // A child that cannot say it has said nothing, and the scenario misses its line.
        let _ = say("stops", told);
        Ok(())
    })?;
    let what = "a tracer takes each SIGSEGV away";
    let seen = system.look(what, &taken)?;
    system.fact(what, seen.found("stops")?)?;
    system.verdict(&claim)
}
