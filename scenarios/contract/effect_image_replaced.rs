//! Exec replaces the image: exe, name and arguments are the new program's, and a mapping of the old one is gone.
//!
//! `begin_new_exec` (fs/exec.c) gives the process a new memory (`exec_mmap`), a new exe (`set_mm_exe_file`) and a new name
//! (`__set_task_comm`). A call that fails with an errno leaves all of it as it was.
//!
//! See [c:execve-overwritten].

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys::{self, Marked};

pub const SCENARIO: Scenario = Scenario {
    summary: "the whole image is replaced",
    needs: &[needs::SAME_CALLER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("effect/image_replaced");
    let fields = ["exe", "comm", "argc", "mark"];
    let changed = |path: &str| {
        let exec = Exec::path(path)?.argv(&["a", "b", "c"])?.reports(&fields)?;
        anyhow::Ok(exec.before(|| Ok(sys::map_mark(Marked::Executable)?)))
    };
    let seen = system.look("a call that fails", &changed("/tmp/none")?)?;
    claim.control(
        "a call that fails: exe",
        "/exetrail/launcher",
        seen.found("exe")?,
    )?;
    claim.control("a call that fails: comm", "launcher", seen.found("comm")?)?;
    claim.control("a call that fails: mapping", "yes", seen.found("mark")?)?;
    let seen = system.look("a call that succeeds", &changed("/tmp/reporter")?)?;
    claim.stated("exe", reporter.display(), seen.found("exe")?);
    claim.stated("name", "reporter", seen.found("comm")?);
    claim.stated("arguments", "3", seen.found("argc")?);
    claim.stated("a mapping of the old image", "no", seen.found("mark")?);
    system.verdict(&claim)
}
