//! By the words of the specification's first version, a failure after the point of no return is -1 and errno.
//!
//! Nobody is left who could be told: the old program is gone, or about to be. Whatever went wrong, `bprm_execve` (fs/exec.c)
//! sends SIGSEGV ([c:never-returns]), unless a SIGKILL is already pending. Tracepoints, tracers and audit see the errno
//! (`start/fail_address`). Whoever waits for the process sees a crash of a program that never ran, and posix_spawn(3) has
//! reported success.
//!
//! Two more triggers are an ELF interpreter that cannot be loaded and an address space too small for the stack. In the trail the
//! kernel opens the files of the new program under the old exe, and after that opens nothing, unless there is a core helper.
//!
//! See [c:execve-notes].

use nix::sys::resource::{Resource, setrlimit};

use crate::scenario::{Elf, Evidence, Exec, Flaw, Scenario, System, needs};
use crate::trail::How;

pub const SCENARIO: Scenario = Scenario {
    summary: "a failure after the point of no return is SIGSEGV, not an errno",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let far = system.file("far", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    let object = Elf::new().flaw(Flaw::Relocatable).build();
    system.file("object", &object, 0o755)?;
    let dynamic = Elf::new().interpreter("/tmp/object").build();
    let dynamic = system.file("dynamic", &dynamic, 0o755)?;
    let good = system.file("good", &Elf::new().build(), 0o755)?;
    let limited = Exec::path(good)?.before(|| Ok(setrlimit(Resource::RLIMIT_AS, 0, 0)?));
    let mut claim = Evidence::new("return/past_no_return");
    for (what, exec) in [
        ("segment that cannot be mapped", Exec::path(far)?),
        (
            "ELF interpreter that cannot be loaded",
            Exec::path(dynamic)?,
        ),
        ("no address space for the stack", limited),
    ] {
        let got = match system.look(what, &exec)?.how {
            How::Errno(_) => "-1 and errno".to_owned(),
            other => other.to_string(),
        };
        claim.stated(what, "-1 and errno", got);
    }
    system.verdict(&claim)
}
