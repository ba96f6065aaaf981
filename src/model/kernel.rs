//! What the kernel does in execve(2), in its own order; what it makes of the file is in `formats.rs`. All names
//! are those of fs/exec.c, where nothing else is said.

mod formats;

use nix::libc;

use super::differences::{
    ASKS_MODPROBE, COPY_HAS_ITS_PATH, EXECVE_CHECK, LAYERS_HAVE_EVENTS, LIMIT_BEFORE_NAME,
    LISTENER_WAITS_FOR_ITSELF, OPENS_FIRST,
};
use super::image::PAGE;
use super::reach::Rule;
use super::walk::{LastLink, Walked, walk};
use super::{
    Answer, By, Call, Closed, Eye, File, Files, KernelEnding, Node, PredictedStep, Started, Target,
};
use crate::sys::AT_EXECVE_CHECK;
use crate::trail::Release;

/// Where the descriptors of a process are, by number.
const OWN_DESCRIPTORS: &str = "/proc/self/fd/";
/// How many interpreters the kernel puts ahead of a program before it gives up with ELOOP.
const DEPTH: usize = 5;
/// Longest argument, with its NUL: `MAX_ARG_STRLEN`.
const ARGUMENT: usize = 32 * 4096;
/// Least room for arguments: `ARG_MAX`.
const ARGUMENTS: u64 = 128 * 1024;
/// Most room for arguments: three quarters of `_STK_LIM`.
const MOST_ARGUMENTS: u64 = 6 << 20;

/// What happens when a program is started on this kernel.
pub fn exec(
    files: &dyn Files,
    call: &Call,
    kernel: Release,
    observer: &mut Eye<'_>,
) -> KernelEnding {
    let mut exec = Execve {
        files,
        call,
        kernel,
        observer,
        argv: call.argv.clone(),
        room: 0,
        stack: size_of::<usize>() as u64,
        keeps_open: false,
        gives_credentials: false,
        executable: None,
        transparent: None,
        loader: None,
    };
    match exec.run() {
        Ok(running) => KernelEnding::Runs(Box::new(running)),
        Err(ending) => ending,
    }
}

/// What the end of the process opens that makes the call (`exit_files`, after `exit_mm`: it has no exe link any more).
#[must_use]
pub fn exit(files: &dyn Files, call: &Call, kernel: Release) -> Option<String> {
    // A child has a table of its own, and so each of the two closes.
    let itself = Some(call).filter(|call| call.by == By::Itself)?;
    closing_opens(files, itself, Closed::ByExit, kernel)
}

/// What closing a descriptor opens that is older than the copy of its file: `ovl_flush` in fs/overlayfs/file.c, by
/// `ovl_real_fdget` on 6.12, `ovl_real_file` on 7.2 and 7.3.
fn closing_opens(
    files: &dyn Files,
    call: &Call,
    closed: Closed,
    kernel: Release,
) -> Option<String> {
    let older = call.older.as_ref().filter(|older| older.closed == closed)?;
    let Some(Node::File(file)) = files.node(&older.path) else {
        return None;
    };
    let layer = file.layer.filter(|layer| layer.watched)?;
    if !Rule::LayerClosed.applies(LAYERS_HAVE_EVENTS.is_in(kernel)) {
        return None;
    }
    // What `ovl_copy_up_tmpfile` made had no name.
    Some(match COPY_HAS_ITS_PATH.is_in(kernel) {
        true => layer.name,
        false => "/ (deleted)".to_owned(),
    })
}

/// A call under way: `struct linux_binprm`.
struct Execve<'a, 'o> {
    files: &'a dyn Files,
    call: &'a Call,
    kernel: Release,
    observer: &'a mut Eye<'o>,
    argv: Vec<String>,
    /// How many bytes of arguments still fit.
    room: i64,
    /// How many bytes of the new stack are taken; there is a word at its top.
    stack: u64,
    /// The program gets a descriptor of the file that it interprets (binfmt_misc, `O`).
    keeps_open: bool,
    /// The program has the credentials of that file, not its own (`C`).
    gives_credentials: bool,
    /// That file.
    executable: Option<File>,
    /// The file that the process is said to be (binfmt_misc, `T`).
    transparent: Option<File>,
    /// What stands in for the ELF interpreter (binfmt_misc, `L`).
    loader: Option<File>,
}

/// What one format handler says of a file.
enum Handler {
    /// `-ENOEXEC`: another one is asked.
    NotMine,
    /// Go on with this file as the program.
    Interpreter(Box<File>),
    /// The program runs.
    Starts(Box<Started>),
}

fn errno(name: &str) -> KernelEnding {
    KernelEnding::Errno(name.to_owned())
}

impl Execve<'_, '_> {
    /// `do_execveat_common`, `bprm_execve`, `exec_binprm`.
    fn run(&mut self) -> Result<Started, KernelEnding> {
        // `__secure_computing`, in 7.3 `__seccomp_permit_syscall`, of kernel/seccomp.c, at the entry of the system call.
        if let Some(filtered) = &self.call.filtered {
            Rule::Filtered.applies(true);
            return Err(errno(filtered));
        }
        let names = self.names();
        if Rule::TooManyProcesses.applies(self.limit_is_exceeded())
            && (names.is_ok() || LIMIT_BEFORE_NAME.is_in(self.kernel))
        {
            return Err(errno("EAGAIN"));
        }
        let (filename, base, path) = match names {
            // Whoever opens the file looks at the flags first, and then whether there is a name.
            Err(_) if self.has_unknown_flag() && LIMIT_BEFORE_NAME.is_in(self.kernel) => {
                Rule::UnknownFlag.applies(true);
                return Err(errno("EINVAL"));
            }
            names => names?,
        };
        let mut program = None;
        if OPENS_FIRST.is_in(self.kernel) {
            program = Some(self.open_program(&base, &path)?);
        }
        self.copy_arguments(&filename)?;
        // bprm_stack_limits counts a missing first argument, and an empty one is put there.
        if Rule::EmptyArgv.applies(self.argv.is_empty()) {
            self.argv.push(String::new());
        }
        let mut file = match program {
            Some(program) => program,
            None => self.open_program(&base, &path)?,
        };
        if Rule::Checked.applies(self.flags() & AT_EXECVE_CHECK != 0) {
            return Err(KernelEnding::Checked);
        }
        let mut interp = filename.clone();
        for depth in 0.. {
            if Rule::TooDeep.applies(depth > DEPTH) {
                return Err(errno("ELOOP"));
            }
            match self.handlers(&file, &filename, &mut interp)? {
                Handler::Interpreter(_)
                    if Rule::MiscTwice.applies(self.keeps_open && self.executable.is_some()) =>
                {
                    return Err(errno("ENOEXEC"));
                }
                Handler::Interpreter(next) => {
                    let interpreted = std::mem::replace(&mut file, *next);
                    self.executable = self.keeps_open.then_some(interpreted);
                }
                Handler::Starts(running) => return Ok(*running),
                Handler::NotMine => break,
            }
        }
        Rule::NoFormat.applies(true);
        Err(KernelEnding::NoFormat {
            helper: self.helper(&file),
        })
    }

    /// The helper that is started besides, when no handler knows the format.
    ///
    /// `search_binary_handler`: only where the first four bytes are not all printable.
    fn helper(&self, file: &File) -> Option<String> {
        let printable = |byte: &u8| matches!(byte, b'\t' | b'\n' | 0x20..=0x7e);
        let asked = ASKS_MODPROBE.is_in(self.kernel)
            && !file.image().head[..4].iter().all(printable)
            && !self.call.modprobe.is_empty();
        Rule::Helper.applies(asked);
        asked.then(|| self.call.modprobe.clone())
    }

    fn flags(&self) -> i32 {
        match &self.call.target {
            Target::Path(_) => 0,
            Target::At { flags, .. } => *flags,
        }
    }

    /// Only who was marked by setuid(2) is looked at again.
    fn limit_is_exceeded(&self) -> bool {
        let processes = self.call.caller.processes;
        processes.is_some_and(|(limit, count)| count > limit)
    }

    /// `getname` and `alloc_bprm`: the name that the program is known by, and where its path
    /// begins.
    fn names(&self) -> Result<(String, String, String), KernelEnding> {
        let caller = &self.call.caller;
        let (fd, path, flags) = match &self.call.target {
            Target::Path(path) => (None, path, 0),
            Target::At {
                fd, path, flags, ..
            } => (*fd, path, *flags),
        };
        if Rule::NameTooLong.applies(path.len() > 4095) {
            return Err(errno("ENAMETOOLONG"));
        }
        if Rule::NameEmpty.applies(path.is_empty() && flags & libc::AT_EMPTY_PATH == 0) {
            return Err(errno("ENOENT"));
        }
        Ok(match fd {
            Some(fd) if !path.starts_with('/') => {
                let base = format!("{OWN_DESCRIPTORS}{fd}");
                let name = match Rule::NameByDescriptor.applies(path.is_empty()) {
                    true => format!("/dev/fd/{fd}"),
                    false => format!("/dev/fd/{fd}/{path}"),
                };
                Rule::NameInDirectory.applies(!path.is_empty());
                (name, base, path.clone())
            }
            _ => (path.clone(), caller.cwd.clone(), path.clone()),
        })
    }

    /// Counted and copied: `bprm_stack_limits`, `copy_strings`. The rest of the room is for what
    /// interpreters add.
    fn copy_arguments(&mut self, filename: &str) -> Result<(), KernelEnding> {
        let room = (self.call.caller.stack / 4).clamp(ARGUMENTS, MOST_ARGUMENTS);
        let pointers = (self.argv.len().max(1) + self.call.environment.len()) * 8;
        self.room = i64::try_from(room).unwrap_or(i64::MAX) - pointers as i64;
        self.copy(filename)?;
        for string in self.call.environment.iter().chain(&self.call.argv) {
            if Rule::LongArgument.applies(string.len() >= ARGUMENT) {
                return Err(errno("E2BIG"));
            }
            self.copy(string)?;
        }
        Ok(())
    }

    fn copy(&mut self, string: &str) -> Result<(), KernelEnding> {
        self.room -= string.len() as i64 + 1;
        self.stack += string.len() as u64 + 1;
        // The first page is there; to add one `acct_stack_growth` in mm/mmap.c asks both limits
        // (`get_arg_page`).
        let pages = self.stack.div_ceil(PAGE);
        let caller = &self.call.caller;
        let too_high = Rule::StackLimit.applies(pages > 1 && pages * PAGE > caller.stack);
        let too_many = Rule::SpaceForArguments.applies(pages > 1 && pages > caller.space / PAGE);
        match Rule::TooManyArguments.applies(self.room < 0) || too_high || too_many {
            true => Err(errno("E2BIG")),
            false => Ok(()),
        }
    }

    /// `remove_arg_zero`.
    fn remove_argument(&mut self) {
        let removed = self.argv.remove(0);
        self.room += removed.len() as i64 + 1;
        self.stack -= removed.len() as u64 + 1;
    }

    /// `copy_string_kernel`.
    fn put_argument(&mut self, argument: &str) -> Result<(), KernelEnding> {
        self.copy(argument)?;
        self.argv.insert(0, argument.to_owned());
        Ok(())
    }

    fn has_unknown_flag(&self) -> bool {
        let mut known = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
        if EXECVE_CHECK.is_in(self.kernel) {
            known |= AT_EXECVE_CHECK;
        }
        self.flags() & !known != 0
    }

    /// `do_open_execat`.
    fn open_program(&mut self, base: &str, path: &str) -> Result<File, KernelEnding> {
        if Rule::UnknownFlag.applies(self.has_unknown_flag()) {
            return Err(errno("EINVAL"));
        }
        let last = match self.flags() & libc::AT_SYMLINK_NOFOLLOW {
            0 => LastLink::Follow,
            _ => LastLink::Keep,
        };
        self.open_exec(base, path, last)
    }

    /// Opens a file to execute it: `do_filp_open` (since 7.0 `do_file_open`), `may_open` in fs/namei.c, `deny_write_access`.
    fn open_exec(&mut self, base: &str, path: &str, last: LastLink) -> Result<File, KernelEnding> {
        let caller = &self.call.caller;
        // `alloc_empty_file`, before the walk.
        if Rule::NoFiles.applies(caller.no_files) {
            return Err(errno("ENFILE"));
        }
        // `path_init` in fs/namei.c; an absolute path asks for no descriptor.
        let relative = !path.starts_with('/') && base.starts_with(OWN_DESCRIPTORS);
        if Rule::BadDescriptor.applies(relative && self.files.node(base).is_none()) {
            return Err(errno("EBADF"));
        }
        let file = match walk(self.files, caller, base, path, last).map_err(errno)? {
            Walked::File(file) => *file,
            Walked::Link => {
                Rule::LinkNotFollowed.applies(true);
                return Err(errno("ELOOP"));
            }
            Walked::Directory(_) | Walked::Other => {
                Rule::NoFile.applies(true);
                return Err(errno("EACCES"));
            }
        };
        let forbidden = Rule::NotExecutable.applies(!file.owned.may_execute(caller));
        if forbidden || Rule::NoExecMount.applies(file.noexec) {
            return Err(errno("EACCES"));
        }
        self.steps(&file)?;
        if Rule::Busy.applies(file.busy) {
            return Err(errno("ETXTBSY"));
        }
        Ok(file)
    }

    /// The events of one open: first for the execution, then for the open (`fsnotify_perm`, later `fsnotify_open_perm` and, since 6.17,
    /// `fsnotify_open_perm_and_set_mode`).
    ///
    /// An overlay's file opens another one underneath (`ovl_open_realfile`).
    fn steps(&mut self, file: &File) -> Result<(), KernelEnding> {
        let layer = file.layer.as_deref().filter(|layer| layer.watched);
        let both = layer.is_some() && file.watched;
        if both && Rule::ListenerHangs.applies(LISTENER_WAITS_FOR_ITSELF.is_in(self.kernel)) {
            return Err(KernelEnding::Hang);
        }
        let layer = layer.filter(|_| LAYERS_HAVE_EVENTS.is_in(self.kernel));
        Rule::LayerSteps.applies(layer.is_some());
        for file in [file].into_iter().filter(|file| file.watched).chain(layer) {
            for execute in [true, false] {
                let step = PredictedStep {
                    execute,
                    path: file.name.clone(),
                    exe: self.call.caller.exe.clone(),
                    comm: self.call.caller.comm.clone(),
                };
                if let Answer::Refuse(errno) = (self.observer)(&step) {
                    Rule::ProgramRefused.applies(true);
                    return Err(KernelEnding::Errno(errno));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod reached;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
