//! A program of an ordinary user that takes exe link, comm and arguments of another.
//!
//! `PR_SET_MM_EXE_FILE`, which `lies/disguise` uses, needs CAP_SYS_RESOURCE in the initial user namespace (`capable` in
//! `prctl_set_mm`, kernel/sys.c). `PR_SET_MM_MAP` (`CONFIG_CHECKPOINT_RESTORE`) branches off before that check.
//! `prctl_set_mm_map` asks for CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, and only in the user namespace of the process
//! (`checkpoint_restore_ns_capable(current_user_ns())`). Whoever makes a user namespace has every capability in it
//! (`set_cred_user_ns` in kernel/user_namespace.c), and needs none to make one where users may.
//!
//! Both options then go on to `prctl_set_mm_exe_file`, which checks that the caller may execute the new file. Nothing may be
//! mapped any more by the old file's path (mount and dentry, `path_equal`): on 5.10 the same function checks this too. On the
//! other kernels `replace_mm_exe_file` in kernel/fork.c does, and then puts the new file in.
//!
//! The program reports its IDs (`uids`), its `effective` capabilities (none), and the result of each call, in this order and with
//! nothing of its file mapped:
//!
//! - both options as an ordinary user: refused (errno 1, EPERM);
//! - unshare(2);
//! - both options in the new namespace: `PR_SET_MM_EXE_FILE` is still refused, `PR_SET_MM_MAP` is not.
//!
//! `PR_SET_MM_MAP` needs no capability for the addresses in its structure, those of the arguments among them, and comm is free
//! text.
//!
//! The stages have `prctl_set_mm_exe_file` once, for the one call of four that reaches it. The `commit_creds` before it is
//! unshare's; those before the exec call belong to setgroups, setresgid and setresuid.
//!
//! An observer that shows the program's IDs shows the user's, also after unshare(2). The kernel reports them as the initial
//! namespace has them, or that of the reader, which is the same here. The new namespace maps no ID.
//!
//! Finding: to take another's exe needs no privilege, on every kernel, where users may have namespaces of their own. What was
//! told at the exec stays true.
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
