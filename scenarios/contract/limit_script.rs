//! How deep scripts may be nested, and how long their first line may be.
//!
//! Depth: `exec_binprm` (fs/exec.c) asks the formats at most six times, for five scripts, or files of binfmt_misc, and a program.
//! If the sixth file is a script too, the exec fails with ELOOP.
//!
//! Line: the kernel reads 256 bytes of a file (`BINPRM_BUF_SIZE`), and keeps the last of them for the end (`load_script` in
//! fs/binfmt_script.c). So there is room for 253 characters after `#!`, not for the 255 that execve(2) says:
//! - An interpreter's name of 254 characters is ENOEXEC.
//! - The kernel silently cuts an argument, so that name, blank and argument are 253 characters together (fewer where there are
//!   blanks at the cut).
//!
//! See [c:execve-scripts].

use crate::scenario::{Elf, Evidence, Exec, Scenario, Search, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "five scripts may be nested, each with up to 253 characters after #!",
    run,
    ..Scenario::DEFAULT
};

/// A script whose interpreter's name has this length.
fn named(system: &mut System, length: usize) -> anyhow::Result<Exec> {
    let slashes = "/".repeat(length - "tmp/level0".len());
    let text = format!("#!{slashes}tmp/level0\n");
    Exec::path(system.script(&format!("name{length}"), &text)?)
}

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("level0", &Elf::new().build(), 0o755)?;
    for level in 1..20 {
        let text = format!("#!/tmp/level{}\n", level - 1);
        system.script(&format!("level{level}"), &text)?;
    }
    let depth = |level: usize| Exec::path(format!("/tmp/level{level}"));
    let search = Search {
        least: 0,
        expected: 5,
        greatest: 19,
    };
    let deepest = system.last_that_starts(search, |_, level| depth(level))?;
    let mut claim = Evidence::new("limit/script_depth");
    // The outermost script, and four levels of interpreters that are scripts.
    claim.stated("levels below the outermost script", 4, deepest - 1);
    system.fact("scripts in a row", deepest)?;
    system.look(&format!("{deepest} scripts"), &depth(deepest)?)?;
    system.look(&format!("{} scripts", deepest + 1), &depth(deepest + 1)?)?;
    system.verdict(&claim)?;

    let search = Search {
        least: 20,
        expected: 253,
        greatest: 399,
    };
    let longest = system.last_that_starts(search, named)?;
    let mut claim = Evidence::new("limit/script_line");
    claim.stated("longest interpreter's name", 255, longest);
    system.fact("longest interpreter's name", longest)?;
    for length in [longest, longest + 1] {
        let exec = named(system, length)?;
        system.look(&format!("name of {length} characters"), &exec)?;
    }

    let program = system.ours("reporter")?;
    let text = format!("#!{} {}\n", program.display(), "x".repeat(400));
    let script = system.script("argument", &text)?;
    let exec = Exec::path(script)?.reports(&["argument-lengths"])?;
    let seen = system.look("argument of 400 characters", &exec)?;
    let lengths = seen.found("argument-lengths")?.split(' ');
    let lengths: Vec<usize> = lengths.filter_map(|length| length.parse().ok()).collect();
    let kept = lengths.get(1).copied().unwrap_or(0) + "/tmp/reporter ".len();
    claim.stated("what is kept of a longer line", 255, kept);
    system.fact("characters kept of a longer line", kept)?;
    system.verdict(&claim)
}
