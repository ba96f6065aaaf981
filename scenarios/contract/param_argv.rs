//! argv is an array of pointers to strings; the array ends with NULL and each string with a NUL.
//!
//! The call fails with EFAULT where the memory ends before the array does, or, within 128 KiB, before a string does (`count` and
//! `copy_strings` in fs/exec.c). The kernel takes NULL for an empty array (`count` again), which is not portable. Since
//! [c:empty-argv], which stable releases have as well, an empty argv becomes one empty string.
//!
//! See [c:execve-notes].

use crate::scenario::{Args, Evidence, Exec, Scenario, System};
use crate::sys::{Addresses, Edge};
use crate::trail::How;

pub const SCENARIO: Scenario = Scenario {
    summary: "argv: NULL is an empty array, no end in memory is EFAULT",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("reporter")?;
    let fields = ["argument-lengths"];
    let mut claim = Evidence::new("param/argv");
    let three = Exec::path(&program)?
        .argv(&["a", "", "ccc"])?
        .reports(&fields)?;
    let seen = system.look("three strings", &three)?;
    claim.stated("lengths of three strings", "1 0 3", seen.found(fields[0])?);
    let with = |choose: fn(&mut Addresses)| {
        let make = move |args: &Args<'_>| args.execve_at(choose);
        Exec::by("execve", &program, make)?.reports(&fields)
    };
    let seen = system.look("NULL", &with(|at| at.argv = 0)?)?;
    system.fact(
        "argv NULL: lengths of the arguments",
        seen.found(fields[0])?,
    )?;

    static STRING: &std::ffi::CStr = c"a";
    let endless = Exec::by("execve", &program, |args| {
        let pointer = STRING.as_ptr().expose_provenance().to_ne_bytes();
        let array = Edge::new(&pointer)?;
        args.execve_at(|at| at.argv = array.address())
    })?;
    let fault = How::Errno("EFAULT".to_owned());
    let seen = system.look("no NULL where the memory ends", &endless)?;
    claim.stated("array without NULL", &fault, seen.how);
    let endless = Exec::by("execve", &program, |args| {
        let string = Edge::new(b"abc")?;
        let array = [string.address(), 0];
        args.execve_at(|at| at.argv = array.as_ptr().expose_provenance())
    })?;
    let seen = system.look("no NUL where the memory ends", &endless)?;
    claim.stated("string without NUL", &fault, seen.how);
    system.verdict(&claim)
}
