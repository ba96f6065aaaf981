//! An exec of a script by a close-on-exec descriptor fails with ENOENT before the kernel looks for the interpreter, because the
//! interpreter could not open the script.
//!
//! The interpreter would get `/dev/fd/5`, which the exec itself closes. `alloc_bprm` (in 5.10 and 6.1 `bprm_execve`) notes it
//! (`BINPRM_FLAGS_PATH_INACCESSIBLE`) and `load_script` (fs/binfmt_script.c) returns ENOENT. The errno says that a file is
//! missing, which need not be so.
//!
//! The same holds for a script below a directory's descriptor. Without close-on-exec the interpreter gets `/dev/fd/5`
//! (`/dev/fd/5/script` below a directory), and the descriptor stays open in it. An ELF program by a close-on-exec descriptor
//! runs.
//!
//! One exception: a transparent entry of binfmt_misc (7.3) that takes the script.
//!
//! See execveat(2), BUGS.

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a script by a close-on-exec descriptor gives ENOENT",
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
