//! What the tours tell of names and of the strings on the new stack.
//!
//! For a program that is named by a descriptor, `alloc_bprm` (fs/exec.c) makes up the name `/dev/fd/N` or `/dev/fd/N/PATH`. It is
//! `AT_EXECFN`, and what a script's interpreter is told.
//!
//! `load_script` (fs/binfmt_script.c) has `bprm_change_interp` put the interpreter in the place of `bprm->interp`, and passes the
//! old one on as an argument: with a script as interpreter of a script each level appears once. `AT_EXECFN` stays the name that
//! the caller gave, or the one that was made up.
//!
//! `do_execveat_common` copies that name, the environment variables and the arguments, in this order and from the top of the
//! stack down, the last of each first.
//!
//! See execveat(2), and getauxval(3), `AT_EXECFN`.

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what tours tell of names and of the new stack",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    system.ours("reporter")?;
    system.script("inner", "#!/tmp/reporter\n")?;
    system.script("outer", "#!/tmp/inner\n")?;
    let itself = Exec::at(
        "execveat",
        "fd 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    let itself = itself
        .opened(5, "/tmp/reporter", OFlag::O_PATH)
        .reports(&["execfn"])?;
    let below = Exec::at("execveat", "reporter below fd 5", 5, c"reporter", 0)?;
    let below = below
        .opened(5, "/tmp", OFlag::O_PATH | OFlag::O_DIRECTORY)
        .reports(&["execfn"])?;
    for (id, what, exec, wanted) in [
        (
            "walk-name/descriptor",
            "AT_EXECFN by descriptor",
            itself,
            "/dev/fd/5",
        ),
        (
            "walk-name/descriptor_path",
            "AT_EXECFN by a path below one",
            below,
            "/dev/fd/5/reporter",
        ),
    ] {
        let mut claim = Evidence::new(id);
        let seen = system.look(what, &exec)?;
        claim.stated(what, wanted, seen.found("execfn")?);
        system.verdict(&claim)?;
    }
    let mut claim = Evidence::new("walk-name/interp");
    let exec = Exec::path("/tmp/outer")?.reports(&["argv", "execfn"])?;
    let seen = system.look("a script of a script", &exec)?;
    let wanted = "'/tmp/reporter' '/tmp/inner' '/tmp/outer'";
    claim.stated(
        "arguments of the last interpreter",
        wanted,
        seen.found("argv")?,
    );
    claim.stated("AT_EXECFN", "/tmp/outer", seen.found("execfn")?);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("walk-name/copied");
    let exec = Exec::path("/tmp/reporter")?.argv(&["a", "b", "c"])?;
    let exec = exec.reports(&["strings"])?;
    let seen = system.look("where the strings lie", &exec)?;
    claim.stated(
        "from the lowest address up",
        "argv argv-last envp envp-last execfn",
        seen.found("strings")?,
    );
    system.verdict(&claim)
}
