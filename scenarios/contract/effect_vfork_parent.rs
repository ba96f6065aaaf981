//! The parent of a vfork goes on when the child's exec is past the point of no return, and while the new program runs.
//!
//! `exec_mmap` (fs/exec.c) lets go of the memory that the two shared (`mm_release`, which completes `vfork_done`) before it
//! switches to the new one. A parent that looks at once may therefore find the old exe link and comm, and what fails after that
//! ends the child by a signal. This is read in source.
//!
//! The new program writes what it reads. Its parent, once it goes on, gives it a byte and reads it back: had the parent not gone
//! on, the two would wait for each other.
//!
//! A call that fails with an errno does not let the parent go on. This holds for the last possible errno too (EPERM of
//! `bprm_creds_from_file`, for a capability that the caller's bounding set lacks). Here the child's end lets it go on, and what
//! the child wrote after its call is there by then. Another call that succeeds would let it go on as well.
//!
//! See [c:vfork-suspended].

use std::path::Path;

use nix::libc;

use crate::scenario::{Elf, Evidence, Exec, NET_RAW, Scenario, System, give_net_raw, needs};
use crate::subject::say;
use crate::sys::{Released, set_attribute_of_process};

pub const SCENARIO: Scenario = Scenario {
    summary: "the parent of a vfork goes on",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("effect/vfork_parent");
    let seen = system.look("a call that fails", &held("/tmp/none")?)?;
    claim.control("a call that fails", FAILED, seen.found("parent")?)?;
    system.file("capable", &Elf::new().build(), 0o755)?;
    give_net_raw(Path::new("/tmp/capable"))?;
    let what = "a capability that cannot be given";
    let how = system.case(what, &bounded(Exec::path("/tmp/capable")?))?;
    claim.control(what, "errno EPERM", how)?;
    let what = "a call that fails so";
    let seen = system.look(what, &bounded(held("/tmp/capable")?))?;
    claim.control(what, FAILED, seen.found("parent")?)?;
    let seen = system.look(
        "a program that waits for the parent",
        &held("/usr/bin/cat")?,
    )?;
    let what = "a program that waits for the parent";
    claim.stated(what, RUNS, seen.found("parent")?);
    system.verdict(&claim)
}

const FAILED: &str = "goes on after the child's last step";
const RUNS: &str = "goes on while the program runs";

/// A start by a caller that cannot get the capability.
fn bounded(exec: Exec) -> Exec {
    exec.before(|| {
        set_attribute_of_process(libc::PR_CAPBSET_DROP, NET_RAW, 0)?;
        Ok(())
    })
}

fn held(path: &str) -> anyhow::Result<Exec> {
    Exec::by("vfork", path, |args| {
        let told = match args.vfork_with_pipes()? {
            Released::Failed => FAILED,
            Released::Runs => RUNS,
            Released::Ended => "goes on, and no program runs",
        };
        // Where this fails, nothing was said, and the scenario notices.
        let _ = say("parent", told);
        Ok(())
    })
}
