//! EFAULT: filename, argv or envp is outside of the address space.
//!
//! NULL for filename is such an address (`getname`), unless the caller has mapped page 0. NULL for argv or envp is none: it is an
//! empty array (`contract/param_argv`). `get_user_arg_ptr` reads the arrays, `copy_strings` the strings (fs/exec.c). Before 6.8
//! both come before the open, and the kernel opens no file.
//!
//! Finding: from 6.8 on the kernel opens the file, and asks the listeners about it, before it reads arrays and strings, as in
//! `start/fail_too_long`.
//!
//! See execve(2), EFAULT.

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System};
use crate::sys::Addresses;

pub const SCENARIO: Scenario = Scenario {
    summary: "EFAULT: addresses that the caller cannot read",
    run,
    ..Scenario::DEFAULT
};

/// In the first page, which is not mapped.
const LOW: usize = 8;
/// In the kernel's address space.
const KERNEL: usize = 0xffff_ffff_8100_0000;

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.file("program", &Elf::new().build(), 0o755)?;
    let with = |choose: fn(&mut Addresses)| {
        Exec::by("execve", &program, move |args| args.execve_at(choose))
    };
    // An array whose first string is nowhere.
    static STRINGS: [usize; 2] = [LOW, 0];
    let mut claim = ErrnoClaim::new(system, "error/EFAULT", Errno::EFAULT);
    claim.starts("nothing changed", &with(|_| {})?)?;
    claim.stated("filename NULL", &with(|at| at.path = 0)?)?;
    claim.stated("filename not mapped", &with(|at| at.path = LOW)?)?;
    claim.stated("filename in the kernel", &with(|at| at.path = KERNEL)?)?;
    claim.stated("argv not mapped", &with(|at| at.argv = LOW)?)?;
    claim.stated("argv in the kernel", &with(|at| at.argv = KERNEL)?)?;
    let string = with(|at| at.argv = STRINGS.as_ptr().expose_provenance())?;
    claim.stated("string of argv not mapped", &string)?;
    claim.stated("envp not mapped", &with(|at| at.environment = LOW)?)?;
    claim.stated("envp in the kernel", &with(|at| at.environment = KERNEL)?)?;
    let string = with(|at| at.environment = STRINGS.as_ptr().expose_provenance())?;
    claim.stated("string of envp not mapped", &string)?;
    claim.verdict()
}
