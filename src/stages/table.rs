//! The vocabulary: every stage by name, with what the kernel offers to see it by.
//!
//! `docs/stages.md` is this table for people; a test holds the two together.

/// What a stage is seen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Entry into a function of the kernel (function tracer).
    Function(&'static str),
    /// Entry into a function of the kernel whose second argument is no null pointer (kprobe).
    With(&'static str),
    /// A tracepoint: its group and its name.
    Event(&'static str, &'static str),
    /// The return of a function (kretprobe).
    Return(&'static str),
    /// The first instruction of a file that was opened (uprobe).
    Entry,
}

/// Where a stage means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only between the call and its return: the kernel uses the function for other things as well.
    Exec,
    /// Wherever a process of the scenario passes it.
    Anywhere,
}

/// One word of the vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// Name of the stage.
    pub stage: &'static str,
    /// Any of these shows it; kernels differ in which they have.
    pub sources: &'static [Source],
    /// Where it counts.
    pub scope: Scope,
    /// What it means, for a reader who does not know the kernel; fits after "the kernel ...".
    pub meaning: &'static str,
}

const fn word(stage: &'static str, sources: &'static [Source], meaning: &'static str) -> Word {
    Word {
        stage,
        sources,
        scope: Scope::Anywhere,
        meaning,
    }
}

const fn within(stage: &'static str, sources: &'static [Source], meaning: &'static str) -> Word {
    Word {
        scope: Scope::Exec,
        ..word(stage, sources, meaning)
    }
}

use Source::{Entry, Event, Function, Return, With};

/// The stage at which a call begins.
pub const CALL: &str = "call";
/// The stage at which a file is opened to be executed.
pub const OPEN: &str = "open";
/// The stage that is passed where the process has an audit context that is no dummy: mostly where audit rules are loaded.
pub const AUDIT: &str = "audit";
/// The stage at which a call comes back.
pub const RETURN: &str = "return";
/// The stage at which the entry of a format handler says no.
pub const REFUSED: &str = "refused";
/// The first instruction of the ELF interpreter.
pub const LOADER_RUNS: &str = "loader-runs";
/// The first instruction of the program.
pub const PROGRAM_RUNS: &str = "program-runs";

/// Every stage, in the order in which an exec of the newest kernel can first pass them; but what a handler leads to stands
/// behind all three handlers.
pub const WORDS: &[Word] = &[
    word(
        CALL,
        &[
            Event("syscalls", "sys_enter_execve"),
            Event("syscalls", "sys_enter_execveat"),
            Function("__ia32_compat_sys_execve"),
            Function("__ia32_compat_sys_execveat"),
            Function("kernel_execve"),
        ],
        "is called: execve, execveat, or its own execve for a helper",
    ),
    word(
        "bprm",
        &[Function("alloc_bprm")],
        "makes the record of this exec (struct linux_binprm), with a new address space",
    ),
    word(
        OPEN,
        &[Function("do_open_execat")],
        "opens a file in order to execute it, or to check whether it may (AT_EXECVE_CHECK)",
    ),
    word(
        "exec",
        &[Function("bprm_execve")],
        "begins the exec itself; the arguments are copied",
    ),
    word(
        "credentials-prepared",
        &[Function("prepare_exec_creds")],
        "copies the caller's credentials, for the program to come",
    ),
    word(
        "schedule",
        &[Function("sched_exec")],
        "may move the thread to another CPU",
    ),
    word(
        "credentials-for-exec",
        &[Function("security_bprm_creds_for_exec")],
        "asks the security modules about credentials, once, with the file that the caller named",
    ),
    word(
        "security-check",
        &[Function("security_bprm_check")],
        "asks the security modules about the file, once for each file of a chain of scripts whose \
         beginning it has read",
    ),
    word(
        "try-misc",
        &[Function("load_misc_binary")],
        "offers the file to binfmt_misc",
    ),
    word(
        "try-script",
        &[Function("load_script")],
        "offers the file to the handler of #! scripts",
    ),
    word(
        "try-elf",
        &[Function("load_elf_binary")],
        "offers the file to a handler of ELF programs (64-bit first, then 32-bit)",
    ),
    word(
        REFUSED,
        &[
            Return("load_misc_binary"),
            Return("load_script"),
            Return("load_elf_binary"),
        ],
        "hears from the handler that it does not take the file, or has failed with it, and why",
    ),
    word(
        "taken",
        &[],
        "hears from the handler that it has done its work",
    ),
    word(
        "interpreter-changed",
        &[Function("bprm_change_interp")],
        "is told by the handler which other program is to be executed instead",
    ),
    word(
        "open-interpreter",
        &[Function("open_exec"), Function("bprm_open_interpreter")],
        "is about to open an interpreter: the one that a script or binfmt_misc names, or the ELF \
         interpreter, which is open by then where an entry with the flag `L` stands in for it",
    ),
    word(
        "readable",
        &[Function("would_dump")],
        "looks whether the caller may read the file; if not, `fs.suid_dumpable` decides about its \
         core",
    ),
    word(
        "begin-new-exec",
        &[Function("begin_new_exec")],
        "begins to replace the old program",
    ),
    word(
        "credentials-from-file",
        &[Function("security_bprm_creds_from_file")],
        "asks the security modules about credentials from the file itself: file capabilities; \
         set-user-ID has been looked at right before",
    ),
    word(
        "no-return",
        &[Event("sched", "sched_prepare_exec")],
        "passes the point of no return: an error now forces SIGSEGV, where no fatal signal is \
         pending",
    ),
    within(
        "threads-killed",
        &[Function("zap_other_threads")],
        "kills the other threads of the process",
    ),
    within(
        "timers",
        &[Function("exit_itimers")],
        "removes the POSIX timers of the process (timer_create(2)); those of setitimer(2) stay",
    ),
    within(
        "timer-signals",
        &[Function("flush_itimer_signals")],
        "drops the signals that those timers had sent",
    ),
    within(
        "files-unshared",
        &[Function("unshare_files")],
        "sees to it that the process shares its table of descriptors with nobody",
    ),
    word(
        "close-on-exec",
        &[Function("do_close_on_exec")],
        "closes the descriptors that are marked close-on-exec",
    ),
    word(
        "exe-file-set",
        &[With("set_mm_exe_file")],
        "writes the program's file into the new address space, which nobody can see yet",
    ),
    within(
        "memory-map-left",
        &[
            Function("exec_mm_release"),
            Function("mm_exit_exec_release"),
        ],
        "lets go of the futexes that user space had registered in the old address space; the parent of \
         a vfork goes on",
    ),
    word(
        "memory-map",
        &[Function("membarrier_exec_mmap")],
        "switches to the new address space: from here on the exe link is the new program's",
    ),
    word(
        "namespaces",
        &[Function("exec_task_namespaces")],
        "enters the time namespace that was prepared for children, where that is another one",
    ),
    word(
        "thread-flushed",
        &[Function("flush_thread")],
        "resets the processor's state of the thread: segments of thread-local storage, \
         breakpoints, FPU",
    ),
    word(
        "comm",
        &[Event("task", "task_rename")],
        "changes a thread's comm to this name",
    ),
    within(
        "signal-handlers",
        &[Function("flush_signal_handlers")],
        "puts the handlers of signals back to their defaults",
    ),
    word(
        "credentials-committing",
        &[Function("security_bprm_committing_creds")],
        "tells the security modules that the credentials are about to change",
    ),
    word(
        "credentials",
        &[Function("commit_creds")],
        "changes the credentials",
    ),
    word(
        "credentials-committed",
        &[Function("security_bprm_committed_creds")],
        "tells the security modules that the credentials have changed",
    ),
    word(
        "set-up",
        &[Function("setup_new_exec")],
        "sets up the new program: its memory layout is chosen",
    ),
    within(
        "old-map-owner",
        &[Function("mm_update_next_owner")],
        "hands the old address space, where the process owned it, to whoever shares it, or to nobody",
    ),
    word(
        "stack",
        &[Function("setup_arg_pages")],
        "puts the stack with arguments and environment to its final place",
    ),
    word(
        "finalize",
        &[Function("finalize_exec")],
        "has mapped everything",
    ),
    word(
        "start-thread",
        &[Function("start_thread"), Function("compat_start_thread")],
        "sets the registers so that the thread will go on in the new program, or in its ELF \
         interpreter",
    ),
    word(
        AUDIT,
        &[Function("__audit_bprm")],
        "notes for the audit record that this is an exec, and the number of its arguments",
    ),
    word(
        "reported",
        &[Event("sched", "sched_process_exec")],
        "reports the exec by its tracepoint sched_process_exec",
    ),
    word(
        "connector",
        &[Function("proc_exec_connector")],
        "reports the exec by the process connector, where somebody listens",
    ),
    word(
        RETURN,
        &[
            Event("syscalls", "sys_exit_execve"),
            Event("syscalls", "sys_exit_execveat"),
            Event("raw_syscalls", "sys_exit"),
            Return("kernel_execve"),
        ],
        "comes back from the call with this result",
    ),
    word(
        LOADER_RUNS,
        &[Entry],
        "has left the call: the first instruction of the ELF interpreter runs",
    ),
    word(
        PROGRAM_RUNS,
        &[Entry],
        "has left the call: the first instruction of the program runs, or of an ELF interpreter that is not known as one",
    ),
    word(
        "exe-link-by-prctl",
        &[Function("prctl_set_mm_exe_file")],
        "is asked by prctl to change the exe link",
    ),
];

/// Binary formats that no kernel of the table has, with the option of the configuration that
/// would bring each.
pub const ABSENT: &[(&str, &str)] = &[
    ("a.out", "CONFIG_BINFMT_AOUT"),
    ("flat", "CONFIG_BINFMT_FLAT"),
    ("FDPIC ELF", "CONFIG_BINFMT_ELF_FDPIC"),
    ("em86", "CONFIG_BINFMT_EM86"),
];

impl Word {
    /// The stage with this name.
    #[must_use]
    pub fn find(stage: &str) -> Option<&'static Word> {
        WORDS.iter().find(|word| word.stage == stage)
    }

    /// Whether anything at all shows the stage where these sources are there.
    #[must_use]
    pub fn is_traceable(&self, there: &[Source]) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|source| there.contains(source))
    }
}

impl Source {
    /// How a reader of the story would look it up: `set_mm_exe_file`, `sched:sched_process_exec`.
    #[must_use]
    pub fn symbol(&self) -> String {
        match self {
            Source::Function(name) | Source::With(name) | Source::Return(name) => {
                (*name).to_owned()
            }
            Source::Event(group, name) => format!("{group}:{name}"),
            Source::Entry => "uprobe".to_owned(),
        }
    }

    /// The function whose entry it is.
    #[must_use]
    pub fn function(self) -> Option<&'static str> {
        match self {
            Source::Function(name) => Some(name),
            _ => None,
        }
    }

    /// Which hits of an event are asked for; none for all of them.
    ///
    /// A call of 32-bit programs, or one that returns into one, has its number in their table, of
    /// which the tracepoints of single calls know nothing (`arch_trace_is_compat_syscall`): 11 and
    /// 358 are its execve and execveat.
    #[must_use]
    pub fn filter(self) -> Option<&'static str> {
        (self == Event("raw_syscalls", "sys_exit")).then_some("id==11||id==358")
    }

    /// Every source of the vocabulary.
    pub fn all() -> impl Iterator<Item = Source> {
        WORDS.iter().flat_map(|word| word.sources).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_every_stage_with_its_symbols_and_its_meaning() {
        let docs = include_str!("../../docs/stages.md");
        for word in WORDS {
            let row = docs
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` ", word.stage)));
            let row = row.unwrap_or_else(|| panic!("{} is missing", word.stage));
            for source in word.sources {
                assert!(row.contains(&source.symbol()), "{}: {row}", source.symbol());
            }
            let plain = |text: &str| text.replace('`', "");
            let meaning = plain(word.meaning);
            assert!(plain(row).contains(&meaning), "{meaning}: {row}");
        }
        for (format, option) in ABSENT {
            assert!(docs.contains(format) && docs.contains(option), "{format}");
        }
    }

    #[test]
    fn a_stage_without_any_source_on_a_kernel_is_untraceable() {
        let word = Word::find("no-return").unwrap();
        assert!(!word.is_traceable(&[Source::Entry]));
        assert!(word.is_traceable(&[Source::Event("sched", "sched_prepare_exec")]));
    }

    #[test]
    fn a_source_is_looked_up_by_its_symbol() {
        let sources = [
            Function("f"),
            With("w"),
            Return("r"),
            Event("g", "e"),
            Entry,
        ];
        let symbols = sources.map(|source| source.symbol());
        assert_eq!(symbols, ["f", "w", "r", "g:e", "uprobe"]);
        assert_eq!(
            (Function("f").function(), With("w").function()),
            (Some("f"), None)
        );
    }

    #[test]
    fn returns_of_all_calls_are_asked_for_by_two_numbers() {
        let exit = Event("raw_syscalls", "sys_exit");
        assert_eq!(exit.filter(), Some("id==11||id==358"));
        assert_eq!(Event("raw_syscalls", "sys_enter").filter(), None);
    }
}
