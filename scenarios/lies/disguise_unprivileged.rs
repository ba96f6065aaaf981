//! A program of an ordinary user that takes exe link, comm and arguments of another.
//!
//! `PR_SET_MM_EXE_FILE`, which `lies/disguise` uses, asks for CAP_SYS_RESOURCE in the initial user namespace (`prctl_set_mm` in
//! kernel/sys.c, by `capable`). `PR_SET_MM_MAP` does not come so far: `prctl_set_mm_map` asks for
//! CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, and in the user namespace of the process alone
//! (`checkpoint_restore_ns_capable(current_user_ns())`). Who makes a user namespace has every capability in it
//! (`set_cred_user_ns` in kernel/user_namespace.c), and needs none to make one where users may. The rest is the same: both go on to
//! `prctl_set_mm_exe_file`, which asks that the new file may be executed by who asks. That nothing of the old one is mapped any more
//! is asked there too on 5.10, on the others by `replace_mm_exe_file` in kernel/fork.c, which then puts the new one in.
//!
//! The program says who it is (`uids`, and its `effective` capabilities: none) and what each call said, in this order,
//! with nothing of its file mapped: both options by an ordinary user, which are refused (errno 1, EPERM), unshare(2), and both
//! options in the new namespace, where `PR_SET_MM_EXE_FILE` is still refused and `PR_SET_MM_MAP` is not. Of the addresses
//! in its structure, among them those of the arguments, that call asks for no capability at all, and comm is free text.
//!
//! The stages have `prctl_set_mm_exe_file` once, for the one call of four that comes so far, and `commit_creds` before it, which is
//! unshare's; those before the call are of setgroups, setresgid and setresuid. Who shows the program's ids shows the user's, also after
//! unshare(2): they are told as the initial namespace has them, or that of the reader, which is the same here. No id is mapped in the new one.
//!
//! Finding: that exe is another's takes no privilege, on every kernel, where users may have namespaces of their own. What was told
//! at the exec stays true.
//!
//! See prctl(2), user_namespaces(7), capabilities(7).

use nix::fcntl::OFlag;

use crate::scenario::{DISGUISE_FD, Exec, OPENED, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a user's program takes exe, comm and arguments of another",
    needs: &[needs::UNPRIVILEGED_USER_NAMESPACES, needs::MM_MAP],
    unpredicted: Some("a program takes another's exe and comm"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("disguised")?;
    let opened = OPENED.trim_start_matches("/tmp/");
    system.file(opened, b"", 0o644)?;
    let exec = Exec::path(program)?.role(Role::DisguiseUnprivileged)?;
    let exec = exec.opened(DISGUISE_FD as i32, "/usr/bin/true", OFlag::O_RDONLY);
    system.observe(&exec.as_user())?;
    Ok(())
}
