//! What the kernel does in execve(2), in its own order. All names are those of fs/exec.c, where
//! nothing else is said.

use nix::libc;

use super::credentials::Credentials;
use super::differences::{
    ASKS_MODPROBE, COMM_OF_FILE, EXECVE_CHECK, LAYERS_HAVE_EVENTS, LIMIT_BEFORE_NAME,
    LISTENER_WAITS_FOR_ITSELF, MANY_HEADERS, OPENS_FIRST,
};
use super::image::{ElfHeaders, Interpreter, PAGE};
use super::reach::Rule;
use super::script::first_line;
use super::walk::{Walked, walk};
use super::{
    Answer, BinfmtEntry, Call, Eye, File, Files, KernelEnding, PredictedStep, Started, Target,
};
use crate::sys::AT_EXECVE_CHECK;
use crate::trail::Release;

/// Where the descriptors of a process are, by number.
const OWN_DESCRIPTORS: &str = "/proc/self/fd/";
/// How many interpreters the kernel puts ahead of a program before it gives up with ELOOP.
const DEPTH: usize = 5;
/// Longest comm, without its NUL: `TASK_COMM_LEN`.
const COMM: usize = 15;
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
    loader: Option<String>,
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
        let (filename, base, path) = names?;
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

    /// `do_open_execat`.
    fn open_program(&mut self, base: &str, path: &str) -> Result<File, KernelEnding> {
        let mut known = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
        if EXECVE_CHECK.is_in(self.kernel) {
            known |= AT_EXECVE_CHECK;
        }
        if Rule::UnknownFlag.applies(self.flags() & !known != 0) {
            return Err(errno("EINVAL"));
        }
        let follow = self.flags() & libc::AT_SYMLINK_NOFOLLOW == 0;
        self.open_exec(base, path, follow)
    }

    /// Opens a file to execute it: `do_filp_open` (since 7.0 `do_file_open`), `may_open` in fs/namei.c, `deny_write_access`.
    fn open_exec(&mut self, base: &str, path: &str, follow: bool) -> Result<File, KernelEnding> {
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
        let file = match walk(self.files, caller, base, path, follow).map_err(errno)? {
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
        let forbidden = Rule::NotExecutable.applies(!file.owned.may_execute(caller, false));
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

    /// `search_binary_handler`: binfmt_misc stands in front, then scripts, then ELF.
    fn handlers(
        &mut self,
        file: &File,
        filename: &str,
        interp: &mut String,
    ) -> Result<Handler, KernelEnding> {
        // `prepare_binprm` reads the first bytes.
        if let Some(unreadable) = &file.unreadable {
            Rule::Unreadable.applies(true);
            return Err(errno(unreadable));
        }
        for handler in [Self::load_misc, Self::load_script, Self::load_elf] {
            match handler(self, file, filename, interp)? {
                Handler::NotMine => {}
                done => return Ok(done),
            }
        }
        Ok(Handler::NotMine)
    }

    /// `load_misc_binary` in fs/binfmt_misc.c.
    fn load_misc(
        &mut self,
        file: &File,
        _filename: &str,
        interp: &mut String,
    ) -> Result<Handler, KernelEnding> {
        let head = &file.image().head;
        let format = self
            .call
            .formats
            .iter()
            .find(|format| format.matches.fits(head, interp));
        let Some(format) = format else {
            return Ok(Handler::NotMine);
        };
        Rule::MiscMatches.applies(true);
        let has = |flag: char| format.flags.contains(flag);
        if Rule::MiscLoader.applies(has('L')) {
            // The ELF handler comes to it, and finds its interpreter replaced.
            self.loader = Some(format.interpreter.clone());
            return Ok(Handler::NotMine);
        }
        if Rule::MiscTransparent.applies(has('T')) {
            self.transparent = Some(file.clone());
        } else {
            // `build_interp_argv`: who is handed the file by its descriptor alone needs no path.
            self.path_is_accessible()?;
            if !Rule::MiscKeepsArgv0.applies(has('P')) {
                self.remove_argument();
            }
            self.put_argument(interp)?;
            self.put_argument(&format.interpreter)?;
        }
        let opens = Rule::MiscOpensBinary.applies(has('O') || has('C'));
        self.keeps_open |= opens || has('T');
        self.gives_credentials |= Rule::MiscCredentials.applies(has('C'));
        *interp = format.interpreter.clone();
        let next = self.open_format(format)?;
        Ok(Handler::Interpreter(Box::new(next)))
    }

    fn open_format(&mut self, format: &BinfmtEntry) -> Result<File, KernelEnding> {
        match &format.fixed {
            // `file_clone_open`: the same file, whatever its path leads to by now.
            Some(file) if Rule::MiscFixed.applies(true) => {
                self.steps(file).map(|()| (**file).clone())
            }
            _ => self.open_interpreter(&format.interpreter),
        }
    }

    /// `open_exec`, always from the working directory.
    fn open_interpreter(&mut self, path: &str) -> Result<File, KernelEnding> {
        let cwd = self.call.caller.cwd.clone();
        self.open_exec(&cwd, path, true)
    }

    /// `BINPRM_FLAGS_PATH_INACCESSIBLE`: an interpreter could not open what it is told to.
    fn path_is_accessible(&self) -> Result<(), KernelEnding> {
        match &self.call.target {
            Target::At {
                fd: Some(_),
                path,
                cloexec: true,
                ..
            } if Rule::Inaccessible.applies(!path.starts_with('/')) => Err(errno("ENOENT")),
            _ => Ok(()),
        }
    }

    /// `load_script` in fs/binfmt_script.c.
    fn load_script(
        &mut self,
        file: &File,
        _filename: &str,
        interp: &mut String,
    ) -> Result<Handler, KernelEnding> {
        let Some((name, argument)) = first_line(&file.image().head) else {
            return Ok(Handler::NotMine);
        };
        Rule::Script.applies(true);
        self.path_is_accessible()?;
        self.remove_argument();
        self.put_argument(interp)?;
        if let Some(argument) = argument {
            Rule::ScriptArgument.applies(true);
            self.put_argument(&argument)?;
        }
        self.put_argument(&name)?;
        let next = self.open_interpreter(&name)?;
        *interp = name;
        Ok(Handler::Interpreter(Box::new(next)))
    }

    /// `load_elf_binary` in fs/binfmt_elf.c, and its 32-bit twin.
    fn load_elf(
        &mut self,
        file: &File,
        filename: &str,
        _interp: &mut String,
    ) -> Result<Handler, KernelEnding> {
        let Some(elf) = &file.image().elf else {
            return Ok(Handler::NotMine);
        };
        let ours = elf.is_program() && elf.is_ours() && self.reads_headers(elf);
        if Rule::ForeignElf.applies(!ours) {
            return Ok(Handler::NotMine);
        }
        let interpreter = match (&elf.interpreter, self.loader.take()) {
            (None, _) => None,
            (Some(Interpreter::Malformed), _) => {
                Rule::InterpreterMalformed.applies(true);
                return Ok(Handler::NotMine);
            }
            (Some(Interpreter::Cut), _) => {
                Rule::InterpreterCut.applies(true);
                return Err(errno("EIO"));
            }
            (Some(_), Some(loader)) => Some(self.open_interpreter(&loader)?),
            (Some(Interpreter::Path(path)), None) => Some(self.open_interpreter(path)?),
        };
        if let Some(interpreter) = &interpreter {
            Rule::InterpreterOpened.applies(true);
            let image = interpreter.image();
            if let Some(unreadable) = &interpreter.unreadable {
                Rule::Unreadable.applies(true);
                return Err(errno(unreadable));
            }
            // `elf_read` of a whole ELF header, of either width.
            let header = if elf.is_narrow() { 52 } else { 64 };
            if Rule::InterpreterShort.applies(image.size < header) {
                return Err(errno("EIO"));
            }
            let good = image
                .elf
                .as_ref()
                .filter(|found| found.machine == elf.machine);
            let foreign = good.is_none_or(|found| !self.reads_headers(found));
            if Rule::InterpreterForeign.applies(foreign) {
                return Err(errno("ELIBBAD"));
            }
        }
        // `begin_new_exec`: first the credentials, then the point of no return. What fails from
        // there on is a signal.
        let owner = match (&self.executable, self.gives_credentials) {
            (Some(interpreted), true) => interpreted,
            _ => file,
        };
        let credentials = Credentials::of(owner, &self.call.caller);
        if Rule::CapabilityMissing.applies(!credentials.may_be_given) {
            return Err(errno("EPERM"));
        }
        if self.fails_late(elf, interpreter.as_ref()) {
            return Err(KernelEnding::Signal("SIGSEGV"));
        }
        Rule::Runs.applies(true);
        let exe = self.transparent.take().unwrap_or_else(|| file.clone());
        Ok(Handler::Starts(Box::new(Started {
            comm: self.comm(filename, file),
            exe,
            program: file.clone(),
            interpreter,
            execfn: filename.to_owned(),
            execfd: self.executable.as_ref().map(|file| file.name.clone()),
            argv: self.argv.clone(),
            environment: self.call.environment.clone(),
            secure: Rule::Secure.applies(credentials.secure),
            caller: credentials.of_program(&self.call.caller),
        })))
    }

    /// What is only found after the point of no return.
    fn fails_late(&self, elf: &ElfHeaders, interpreter: Option<&File>) -> bool {
        let loader = interpreter.map(|found| found.image().elf.as_ref());
        // `load_elf_interp` wants something to load, where a program may have nothing.
        let whole = loader.is_none_or(|elf| {
            elf.is_some_and(|elf| elf.is_program() && elf.addresses && elf.pages > 0)
        });
        let pages = elf.pages + loader.flatten().map_or(0, |elf| elf.pages);
        Rule::BadAddresses.applies(!elf.addresses)
            || Rule::InterpreterNotLoaded.applies(!whole)
            || !self.has_descriptors()
            || Rule::SpaceForProgram.applies(!self.has_space(pages))
    }

    /// `load_elf_phdrs`, of a program or of its interpreter.
    fn reads_headers(&self, elf: &ElfHeaders) -> bool {
        let most = match MANY_HEADERS.is_in(self.kernel) {
            true => 65536,
            false => PAGE,
        };
        elf.headers && elf.table <= most
    }

    /// `begin_new_exec`: a shared table is copied, and the file that is interpreted gets a number.
    fn has_descriptors(&self) -> bool {
        let caller = &self.call.caller;
        let none_left = caller.no_descriptor && self.executable.is_some();
        !(Rule::TableTooLarge.applies(caller.large_table) || Rule::NoDescriptor.applies(none_left))
    }

    /// `setup_arg_pages` makes room for 32 pages of stack where the limit allows, then come the
    /// segments: `may_expand_vm`.
    fn has_space(&self, segments: u64) -> bool {
        let caller = &self.call.caller;
        let used = self.stack.div_ceil(PAGE);
        let stack = (used + 32).min(caller.stack / PAGE).max(used);
        stack + segments <= caller.space / PAGE
    }

    /// `begin_new_exec`: the last part of the name that the program is known by.
    fn comm(&self, filename: &str, file: &File) -> String {
        let by_descriptor =
            matches!(&self.call.target, Target::At { fd: Some(_), path, .. } if path.is_empty());
        let name = match by_descriptor && Rule::CommOfFile.applies(COMM_OF_FILE.is_in(self.kernel))
        {
            true => file
                .name
                .trim_end_matches(" (deleted)")
                .trim_start_matches('/'),
            false => filename,
        };
        let last = name.rsplit('/').next().unwrap_or_default();
        Rule::CommCut.applies(last.len() > COMM);
        let bytes = &last.as_bytes()[..last.len().min(COMM)];
        String::from_utf8_lossy(bytes).into_owned()
    }
}

#[cfg(test)]
mod reached;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
