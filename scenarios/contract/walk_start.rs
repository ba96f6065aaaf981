//! What the tours tell of the first instruction: registers, segments, and the way back from the kernel.
//!
//! `ELF_PLAT_INIT` (arch/x86/include/asm/elf.h) clears the general registers. `start_thread` (arch/x86/kernel/process_64.c) sets
//! ip and sp, the segments and the flags. rax has what execve returns, which is 0.
//!
//! The return is by iret because sysret requires the address in rcx and the flags in r11 (arch/x86/entry): a program that came by
//! sysret would find these two there and not 0. A kernel that is built with `CONFIG_X86_FRED` (of the table from 6.18 on) and
//! uses it (7.2 and 7.3 by default where the CPU has it, 6.12 with `fred=on` alone) returns by ERETU
//! (arch/x86/entry/entry_64_fred.S), and these registers look the same. So the scenario says that it is iret only where
//! `/proc/cpuinfo` has no `fred`.
//!
//! Tours call several segments null. Of these, ds and es are null only for a 64-bit program: for others (i386, x32)
//! `COMPAT_START_THREAD` loads `__USER_DS` into them (`compat_start_thread`).
//!
//! See the comment at `entry_SYSCALL_64` (arch/x86/entry/entry_64.S) for what the instruction syscall puts into rcx and r11.

use anyhow::Result;

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what tours tell of the first instruction",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    system.ours("reporter")?;
    system.script("script", "#!/tmp/reporter\n")?;
    let (mut registers, mut segments, mut iret) = (
        Evidence::new("walk-start/registers"),
        Evidence::new("walk-start/segments"),
        Evidence::new("walk-start/iret"),
    );
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let fred = cpus.split_whitespace().any(|flag| flag == "fred");
    for (what, path) in [
        ("a program", "/tmp/reporter"),
        ("a script's interpreter", "/tmp/script"),
    ] {
        let exec = Exec::path(path)?.reports(&["registers", "segment-registers", "flags"])?;
        let seen = system.look(what, &exec)?;
        let found = seen.found("registers")?;
        registers.stated(&format!("{what}, other than 0"), "none", found);
        let wanted = "cs=0x33 ss=0x2b ds=0x0 es=0x0 fs=0x0 gs=0x0";
        segments.stated(what, wanted, seen.found("segment-registers")?);
        let by_sysret = ["rcx=", "r11="].iter().any(|name| found.contains(name));
        let way = match (by_sysret, &fred) {
            (true, _) => found,
            (false, true) => "0 and FRED",
            (false, false) => "0",
        };
        iret.stated(
            &format!("{what}, rcx and r11 at its first instruction"),
            "0",
            way,
        );
        system.fact(&format!("{what}, rflags"), seen.found("flags")?)?;
    }
    for claim in [&registers, &segments, &iret] {
        system.verdict(claim)?;
    }
    Ok(())
}
