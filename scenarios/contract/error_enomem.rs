//! ENOMEM: there is not enough kernel memory.
//!
//! Nearly all that a start allocates is small. Where the whole machine is short of memory, small allocations of the kernel
//! hardly ever fail: the kernel kills a process first (`__alloc_pages_may_oom`). They fail where the caller's cgroup is over
//! its limit and nobody in it may be killed. The start's first allocation that needs a new charge to the group then fails
//! with ENOMEM, here up to 6.7 the new memory descriptor (`mm_alloc` in `alloc_bprm`), from 6.8 on the open file
//! (`alloc_empty_file` below `do_open_execat`, which comes first there).
//!
//! More than 32 KiB of program headers (from 6.17 on) are not small (`PAGE_ALLOC_COSTLY_ORDER`). Their failure is ENOEXEC, or
//! ELIBBAD for those of an ELF interpreter (`load_elf_phdrs`).
//!
//! ENOMEM comes as well where memory is accounted strictly (vm.overcommit_memory of 2): the page for the new stack may then
//! exceed the commit limit (`insert_vm_struct` in mm, below `bprm_mm_init`, asks `security_vm_enough_memory_mm`). The program
//! lies on a file system that is not watched, so that the monitor has no event to answer meanwhile.
//!
//! A limit of the address space (RLIMIT_AS) gives the caller no ENOMEM. The new stack has one page, whatever the limit. Arguments
//! that need more pages than the limit leaves are E2BIG, before the point of no return (`get_arg_page`, whose stack may not grow:
//! `may_expand_vm`). With fewer arguments so small a limit is found after that point, here by `setup_arg_pages`: SIGSEGV out of
//! the call.
//!
//! See execve(2), ENOMEM, and proc_sys_vm(5).

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

use crate::scenario::{
    Elf, ErrnoClaim, Exec, Scenario, System, enter_memory_group, make_memory_group, needs,
    remove_memory_group, without_memory,
};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENOMEM: there is no kernel memory",
    needs: &[
        needs::OWN_SETTINGS,
        needs::EXEC_COUNTER,
        needs::MEMORY_GROUPS,
    ],
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
    make_memory_group(system)?;
    let exec = Exec::path("/tmp/unwatched/program")?;
    let short = Exec::by("execve", "/tmp/unwatched/program", |args| {
        without_memory(|| args.execve())
    })?;
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
    let what = "in a cgroup whose memory is not limited";
    claim.starts(what, &exec.clone().before(enter_memory_group))?;
    let what = "in a cgroup that may have no memory";
    claim.stated(what, &short.before(enter_memory_group))?;
    claim.other("memory accounted strictly, none left to promise", &strict)?;
    claim.other("address space limited to 4096 bytes", &limited(4096))?;
    claim.other("address space limited to nothing", &limited(0))?;
    let long = limited(4096).arg(&"x".repeat(4096))?;
    claim.other("address space limited to 4096 bytes, long argument", &long)?;
    claim.verdict()?;
    remove_memory_group()
}
