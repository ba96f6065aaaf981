//! The name (comm) becomes the last part of the path, 15 bytes of it. In an exec by a descriptor alone it becomes the file's name
//! (for a script, its interpreter's), and on 5.10 the descriptor's number.
//!
//! `begin_new_exec` calls `__set_task_comm(me, kbasename(bprm->filename))`. That is the name the caller asked for: a symlink's
//! own name, and a script's, not its interpreter's.
//!
//! For a descriptor alone `bprm->filename` is `/dev/fd/5`, whose last part is `5`. Since [c:comm-by-descriptor] (backported to
//! the long-term series 6.1 and 6.12, not to 5.10) the kernel takes the name of the file's dentry instead. For a script that is
//! the interpreter's (`start/script_descriptor`), unless a transparent entry of binfmt_misc (7.3) takes the script.
//!
//! See execve(2), and prctl(2), `PR_SET_NAME`.

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "comm becomes the last part of the path, or the file's name",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/comm");
    let reporter = system.ours("reporter")?;
    let long = system.ours("a-name-of-more-than-15-bytes")?;
    let link = system.link(&reporter, "link")?;
    let script = system.script("script", "#!/tmp/reporter\n")?;
    let named = |path: &std::path::Path| {
        let exec = Exec::path(path)?.reports(&["comm"])?;
        anyhow::Ok(exec.before(|| Ok(nix::sys::prctl::set_name(c"old name")?)))
    };
    let seen = system.look("a call that fails", &named("/tmp/none".as_ref())?)?;
    claim.control("a call that fails", "old name", seen.found("comm")?)?;
    let cases = [
        ("a program", &reporter, "reporter"),
        ("a long name", &long, "a-name-of-more-"),
        ("a symbolic link", &link, "link"),
        ("a script", &script, "script"),
    ];
    for (what, path, wanted) in cases {
        let seen = system.look(what, &named(path)?)?;
        claim.stated(what, wanted, seen.found("comm")?);
    }
    let below = Exec::at("execveat", &reporter, 5, c"reporter", 0)?;
    let below = below
        .reports(&["comm"])?
        .opened(5, "/tmp", OFlag::O_RDONLY | OFlag::O_DIRECTORY);
    let seen = system.look("below a directory's descriptor", &below)?;
    claim.stated(
        "below a directory's descriptor",
        "reporter",
        seen.found("comm")?,
    );
    let by = Exec::at("fexecve", &reporter, 5, c"", libc::AT_EMPTY_PATH)?;
    let by = by.reports(&["comm"])?.opened(5, &reporter, OFlag::O_RDONLY);
    let seen = system.look("by a descriptor", &by)?;
    claim.stated("by a descriptor", "reporter", seen.found("comm")?);
    system.verdict(&claim)
}
