//! What in the reports stands for an exec: one row of the table each.

use super::{Event, Field, Kind};

/// What an event of a sign says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// A program was executed.
    Executed,
    /// Somebody asks for an exec; what becomes of it is not known yet.
    Asked,
    /// The library's function that asks for an exec is called; it is matched to an exec by its process and its place
    /// among the steps.
    Called,
    /// The call came back, with its result.
    Returned,
    /// A file is being opened for execution; what becomes of it is not known yet.
    Opened,
    /// A file that was opened for execution is checked; what becomes of it is not known yet.
    Checked,
    /// A file that is executed is checked, of whom is not told, and each content once under a name.
    Measured,
    /// A process is what `/proc` says.
    Is,
    /// A program was executed, or, where a result says so, a call failed.
    Told,
    /// A process says what it is, when its loader has done its work.
    Loaded,
}

/// One way to hear of an exec.
#[derive(Debug)]
pub struct Sign {
    /// Its view.
    pub view: &'static str,
    /// What it is called in the table.
    pub name: &'static str,
    /// How the sources of its events begin.
    pub sources: &'static [&'static str],
    /// What an event says.
    pub says: Says,
    /// Where the program's path is looked for, the first that is told.
    pub path: &'static [Field],
    /// Where inside an exec it speaks, as `docs/stages.md` has it.
    pub stage: &'static str,
    /// What has to be known of it, as a sentence.
    pub note: Option<&'static str>,
}

/// Every sign, in the order of the table.
pub static SIGNS: &[Sign] = &[
    Sign {
        view: "trail",
        name: "fanotify, permission",
        sources: &["FAN_OPEN_EXEC_PERM"],
        says: Says::Opened,
        path: &[Field::File],
        stage: "open",
        note: None,
    },
    Sign {
        view: "fanotify-notify",
        name: "fanotify, notification",
        sources: &["FAN_OPEN_EXEC"],
        says: Says::Opened,
        path: &[Field::File],
        stage: "open",
        note: Some("A file that is renamed before the event is read has its new name."),
    },
    Sign {
        view: "tracepoints",
        name: "sys_enter_execve, _execveat",
        sources: &["sys_enter_"],
        says: Says::Asked,
        path: &[Field::Path],
        stage: "call",
        note: Some("The string, where it is read, is user memory's, before the exec reads it."),
    },
    Sign {
        view: "tracepoints",
        name: "sched_prepare_exec",
        sources: &["sched_prepare_exec"],
        says: Says::Executed,
        path: &[Field::Path],
        stage: "no-return",
        note: Some("The path is the caller's own choice among the names of the file."),
    },
    Sign {
        view: "tracepoints",
        name: "sched_process_exec",
        sources: &["sched_process_exec"],
        says: Says::Executed,
        path: &[Field::Path],
        stage: "reported",
        note: Some("The path is the caller's own choice among the names of the file."),
    },
    Sign {
        view: "tracepoints",
        name: "sys_exit_execve, _execveat",
        sources: &["sys_exit_"],
        says: Says::Returned,
        path: &[],
        stage: "return",
        note: Some("It tells a number alone."),
    },
    Sign {
        view: "kprobes",
        name: "kprobe on security_bprm_check, filename",
        sources: &["security_bprm_check"],
        says: Says::Opened,
        path: &[Field::Path],
        stage: "security-check",
        note: Some("The path is the caller's own choice among the names of the file."),
    },
    Sign {
        view: "kprobes",
        name: "kprobe on security_bprm_check, dentries",
        sources: &["security_bprm_check"],
        says: Says::Opened,
        path: &[Field::File],
        stage: "security-check",
        note: Some("Mounts are not seen: a file of another file system has its path there."),
    },
    Sign {
        view: "kprobes",
        name: "kprobe on security_bprm_creds_from_file, dentries",
        sources: &["security_bprm_creds_from_file"],
        says: Says::Executed,
        path: &[Field::File],
        stage: "credentials-from-file",
        note: Some("Mounts are not seen: a file of another file system has its path there."),
    },
    Sign {
        view: "ebpf-structs",
        name: "eBPF, structs at security_bprm_check",
        sources: &["security_bprm_check"],
        says: Says::Opened,
        path: &[Field::File],
        stage: "security-check",
        note: Some("The names are those of now: a deleted file has the one that it had."),
    },
    Sign {
        view: "ebpf-structs",
        name: "eBPF, structs at sched_prepare_exec",
        sources: &["sched_prepare_exec"],
        says: Says::Executed,
        path: &[Field::File],
        stage: "no-return",
        note: Some("The names are those of now: a deleted file has the one that it had."),
    },
    Sign {
        view: "ebpf-structs",
        name: "eBPF, structs at sched_process_exec",
        sources: &["sched_process_exec"],
        says: Says::Executed,
        path: &[Field::Exe],
        stage: "reported",
        note: Some("The names are those of now: a deleted file has the one that it had."),
    },
    Sign {
        view: "ebpf-helpers",
        name: "eBPF, bpf_d_path at security_file_open",
        sources: &["security_file_open"],
        says: Says::Opened,
        path: &[Field::File],
        stage: "open",
        note: Some("In a chroot the path is the one inside of it."),
    },
    Sign {
        view: "ebpf-helpers",
        name: "eBPF, helpers at sched_process_exec",
        sources: &["sched_process_exec"],
        says: Says::Executed,
        path: &[],
        stage: "reported",
        note: Some("It tells ids, comm and cgroup alone."),
    },
    Sign {
        view: "ebpf-lsm",
        name: "eBPF, security module, bpf_d_path",
        sources: &["bprm_check_security"],
        says: Says::Opened,
        path: &[Field::File],
        stage: "security-check",
        note: Some("In a chroot the path is the one inside of it."),
    },
    Sign {
        view: "exec-fork-chdir",
        name: "eBPF, exec with fork and chdir",
        sources: &["sched_process_exec"],
        says: Says::Executed,
        path: &[Field::Path],
        stage: "reported",
        note: Some(
            "Whatever else moves a process makes another path, and fchdir(2) none. Of a call that fails the path is read at its entry, where its page may not be there.",
        ),
    },
    Sign {
        view: "tetragon-hook",
        name: "Tetragon's hook, process-exec-elf-begin",
        sources: &["security_bprm_creds_from_file"],
        says: Says::Executed,
        path: &[Field::File],
        stage: "credentials-from-file",
        note: Some("The names are those of now: a deleted file has the one that it had."),
    },
    Sign {
        view: "tetragon-hook",
        name: "its complement, security_bprm_check",
        sources: &["security_bprm_check"],
        says: Says::Opened,
        path: &[Field::File],
        stage: "security-check",
        note: Some("The names are those of now: a deleted file has the one that it had."),
    },
    Sign {
        view: "audit",
        name: "audit, the first PATH",
        sources: &["SYSCALL"],
        says: Says::Returned,
        path: &[Field::Path],
        stage: "return",
        note: Some("The path is the caller's own choice among the names of the file."),
    },
    Sign {
        view: "audit",
        name: "audit, exe",
        sources: &["SYSCALL"],
        says: Says::Returned,
        path: &[Field::Exe],
        stage: "return",
        note: Some("In a chroot the path is the one inside of it."),
    },
    Sign {
        view: "proc-connector",
        name: "process connector",
        sources: &["EXEC"],
        says: Says::Executed,
        path: &[],
        stage: "connector",
        note: Some("It tells ids alone."),
    },
    Sign {
        view: "proc-connector",
        name: "process connector, then /proc",
        sources: &["/proc"],
        says: Says::Is,
        path: &[Field::Exe],
        stage: "later",
        note: Some(
            "Comm and arguments are the program's to change, exe with CAP_SYS_RESOURCE, or with CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in a user namespace of its own.",
        ),
    },
    Sign {
        view: "proc-poll",
        name: "/proc, polled",
        sources: &["/proc"],
        says: Says::Is,
        path: &[Field::Exe],
        stage: "whenever",
        note: Some(
            "Comm and arguments are the program's to change, exe with CAP_SYS_RESOURCE, or with CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in a user namespace of its own.",
        ),
    },
    Sign {
        view: "agent",
        name: "the agent",
        sources: &["exec"],
        says: Says::Told,
        path: &[Field::File, Field::Path, Field::Exe],
        stage: "whenever",
        note: None,
    },
    Sign {
        view: "ima",
        name: "IMA, list of measurements",
        sources: &["BPRM_CHECK"],
        says: Says::Measured,
        path: &[Field::File],
        stage: "security-check",
        note: Some(
            "A content under a name at most once a boot; neither the process is told nor the time.",
        ),
    },
    Sign {
        view: "ptrace-seccomp",
        name: "ptrace, stop of the filter",
        sources: &["PTRACE_EVENT_SECCOMP"],
        says: Says::Asked,
        path: &[Field::Path],
        stage: "call",
        note: Some("The string is read from user memory, before the kernel reads it."),
    },
    Sign {
        view: "ptrace-seccomp",
        name: "ptrace, stop of the exec",
        sources: &["PTRACE_EVENT_EXEC"],
        says: Says::Executed,
        path: &[Field::Exe],
        stage: "reported",
        note: Some("The process stands still, and exe is the file that is mapped."),
    },
    Sign {
        view: "ptrace-seccomp",
        name: "ptrace, end of the call",
        sources: &["syscall-exit-stop"],
        says: Says::Returned,
        path: &[],
        stage: "return",
        note: Some("It tells a number alone."),
    },
    Sign {
        view: "ld-preload",
        name: "LD_PRELOAD, functions of the library",
        sources: &["exec", "fexecve", "posix_spawn", "system", "popen"],
        says: Says::Called,
        path: &[Field::Path],
        stage: "before the call",
        note: Some("All of it is said by the process itself, if it wants."),
    },
    Sign {
        view: "ld-preload",
        name: "LD_PRELOAD, when it is loaded",
        sources: &["loaded"],
        says: Says::Loaded,
        path: &[Field::Exe],
        stage: "loader-runs",
        note: Some("All of it is said by the process itself, if it wants."),
    },
    Sign {
        view: "apparmor",
        name: "AppArmor, complain mode",
        sources: &["AVC"],
        says: Says::Checked,
        path: &[Field::File],
        stage: "credentials-for-exec",
        note: Some("The path is the one of the mount namespace."),
    },
];

impl Sign {
    /// Whether it is the first one of its view.
    #[must_use]
    pub fn is_first(&self) -> bool {
        let first = SIGNS.iter().find(|sign| sign.view == self.view);
        first.is_some_and(|sign| sign.name == self.name)
    }

    /// Whether an event is one of its.
    #[must_use]
    pub fn is_of(&self, event: &Event) -> bool {
        let mut sources = self.sources.iter();
        event.kind != Kind::Gone && sources.any(|source| event.source.starts_with(source))
    }
}
