//! A listener denies (`FAN_DENY`) each event of a helper of `core_pattern` in turn, one case per event. The first case denies
//! nothing: the helper writes the dump to a file. The program that dies is ours, and the listener does not watch it.
//!
//! Where the listener denies the helper itself, the dump is lost: the kernel gives up before it writes one (`do_coredump`,
//! later `coredump_pipe`, in fs/coredump.c). The process still dies of the same signal, but its wait status lacks the core
//! flag. The kernel logs that the pipe failed: `Core dump to |... pipe failed` on 5.10 and 6.1,
//! `coredump: PID(COMM): |... pipe failed` later.
//!
//! Where the helper runs and the listener denies its file, the kernel logs nothing. The core flag is there although no dump
//! is kept: `elf_core_dump` counts as dumped what it begins to write, whether or not anybody reads it (`has_dumped` in
//! fs/binfmt_elf.c is set before the first write).
//!
//! Finding: between 6.1 and 6.12 the words of that log changed (`coredump_report_failure` in include/linux/coredump.h names
//! the process first). So did its level, from `KERN_INFO` (6) to `KERN_WARNING` (4), with a rate limit. Whoever looks for
//! `Core dump to |... pipe failed` finds nothing. All else that is seen here is the same.
//!
//! See core(5); `call_usermodehelper_exec_async` in kernel/umh.c.

use std::path::Path;

use crate::scenario::{Exec, KernelLog, Role, Scenario, System, needs};
use crate::wire::LAUNCHER;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a core dump helper",
    needs: &[needs::COREDUMP, needs::KERNEL_HELPERS],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    // The kernel waits for the helper, so that its file is whole when the process that dumped is reaped.
    system.sysctl("kernel/core_pipe_limit", "1")?;
    system.sysctl(
        "kernel/core_pattern",
        "|/usr/bin/busybox dd bs=64k of=/tmp/dump",
    )?;
    let dump = Path::new("/tmp/dump");
    let mut log = KernelLog::from_now()?;
    let exec = Exec::path(LAUNCHER)?.role(Role::Crash)?;
    system.look_at_each_refusal(&exec, |system, case, seen| {
        let kept = std::fs::read(dump).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
        // There is none where the helper did not get that far.
        let _ = std::fs::remove_file(dump);
        let said = log.said("pipe failed")?;
        let said = said.first().map_or("nothing", String::as_str);
        let word = |yes| if yes { "yes" } else { "no" };
        let (kept, flag) = (word(kept), word(seen.dumped));
        system.fact(
            case,
            format!("dump kept {kept}, core flag {flag}, kernel log {said}"),
        )
    })
}
