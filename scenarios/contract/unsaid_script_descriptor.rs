//! A script that is executed by a descriptor with close-on-exec cannot be opened by its
//! interpreter, and the call fails with ENOENT before the interpreter is looked for (unless a
//! transparent entry of binfmt_misc, 7.3, takes the script).
//!
//! The interpreter would be given `/dev/fd/5`, which the start itself closes. `alloc_bprm` (in 5.10 and 6.1
//! `bprm_execve`) notes it (`BINPRM_FLAGS_PATH_INACCESSIBLE`) and `load_script` (fs/binfmt_script.c) returns ENOENT. The
//! errno says that a file is missing, which need not be so.
//!
//! It is the same for a script below a directory's descriptor. Without close-on-exec the
//! interpreter is given `/dev/fd/5` (`/dev/fd/5/script` below a directory), and the descriptor stays open in it. An ELF program by such a
//! descriptor runs.
//!
//! See execveat(2), BUGS.

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a script by a descriptor that is closed on exec",
    needs: &[needs::SAME_CALLER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let script = system.script("script", "#!/tmp/reporter\n")?;
    let mut claim = Evidence::new("unsaid/script_descriptor");
    let by_file = |path: &str| {
        let call = Exec::at("fexecve", path, 5, c"", libc::AT_EMPTY_PATH);
        call?.reports(&["argv"])
    };
    let plain = by_file("/tmp/script")?.opened(5, &script, OFlag::O_RDONLY);
    let seen = system.look("without close-on-exec", &plain)?;
    claim.control(
        "without close-on-exec",
        "'/tmp/reporter' '/dev/fd/5'",
        seen.found("argv")?,
    )?;
    let closing = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let program = by_file("/tmp/reporter")?.opened(5, "/tmp/reporter", closing);
    let seen = system.look("a program", &program)?;
    claim.control("a program", "exit 0", &seen.how)?;
    let file = by_file("/tmp/script")?.opened(5, &script, closing);
    let seen = system.look("with close-on-exec", &file)?;
    claim.stated("with close-on-exec", "errno ENOENT", &seen.how);
    let directory = Exec::at("execveat", "/tmp/script", 5, c"script", 0)?;
    let directory = directory
        .reports(&["argv"])?
        .opened(5, "/tmp", closing | OFlag::O_DIRECTORY);
    let seen = system.look("below a directory with close-on-exec", &directory)?;
    claim.stated(
        "below a directory with close-on-exec",
        "errno ENOENT",
        &seen.how,
    );
    system.verdict(&claim)
}
