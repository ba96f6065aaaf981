//! ENOMEM: there is not enough kernel memory.
//!
//! Nearly all that a start allocates is small, and small allocations of the kernel hardly ever fail: the kernel
//! kills somebody first (`__alloc_pages_may_oom`). More than 32 KiB of program headers (from 6.17 on) are not small in this sense
//! (`PAGE_ALLOC_COSTLY_ORDER`), and their failure is ENOEXEC, or ELIBBAD for those of an ELF interpreter (`load_elf_phdrs`). ENOMEM
//! comes where memory is accounted strictly (vm.overcommit_memory of 2): the page for the new stack may then not be promised
//! (`insert_vm_struct` in mm, below `bprm_mm_init`, asks `security_vm_enough_memory_mm`). The
//! program lies on a file system that is not watched, so that the monitor has no event to answer meanwhile.
//!
//! A limit of the address space (RLIMIT_AS) gives the caller no ENOMEM. The new stack has one page, whatever
//! the limit; arguments that need more pages than the limit leaves are E2BIG, before the point of no
//! return (`get_arg_page`, whose stack may not grow: `may_expand_vm`). With fewer arguments so small a limit
//! is found after it, here by `setup_arg_pages`: SIGSEGV out of the call.
//!
//! See execve(2), ENOMEM, and proc_sys_vm(5).

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENOMEM: no memory may be promised",
    needs: &[needs::OWN_SETTINGS, needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

const MODE: &str = "/proc/sys/vm/overcommit_memory";

fn run(system: &mut System) -> anyhow::Result<()> {
    let place = system.directory("unwatched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("unwatched/program", &Elf::new().build(), 0o755)?;
    system.sysctl("vm/overcommit_memory", "0")?;
    system.sysctl("vm/overcommit_ratio", "0")?;
    let exec = Exec::path("/tmp/unwatched/program")?;
    let strict = Exec::by("execve", "/tmp/unwatched/program", |args| {
        std::fs::write(MODE, "2").map_err(|_| Errno::EBADMSG)?;
        let result = args.execve();
        std::fs::write(MODE, "0").map_err(|_| Errno::EBADMSG)?;
        result
    })?;
    let limited = |bytes| {
        exec.clone()
            .before(move || Ok(setrlimit(Resource::RLIMIT_AS, bytes, bytes)?))
    };
    let mut claim = ErrnoClaim::new(system, "error/ENOMEM", Errno::ENOMEM);
    claim.starts("as usual", &exec)?;
    claim.stated_if(
        "where memory is accounted strictly",
        "no memory left to promise",
        &strict,
    )?;
    claim.other("address space limited to 4096 bytes", &limited(4096))?;
    claim.other("address space limited to nothing", &limited(0))?;
    let long = limited(4096).arg(&"x".repeat(4096))?;
    claim.other("address space limited to 4096 bytes, long argument", &long)?;
    claim.verdict()
}
