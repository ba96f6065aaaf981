//! What the kernel does in execve(2), in its own order. All names are those of fs/exec.c, where
//! nothing else is said.

use nix::libc;

use super::differences::{
    ASKS_MODPROBE, COMM_OF_FILE, EXECVE_CHECK, LAYERS_HAVE_EVENTS, LIMIT_BEFORE_NAME,
    LISTENER_WAITS_FOR_ITSELF, MANY_HEADERS, OPENS_FIRST,
};
use super::image::{ElfHeaders, Interpreter, PAGE};
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
        let names = self.names();
        if self.limit_is_exceeded() && (names.is_ok() || LIMIT_BEFORE_NAME.is_in(self.kernel)) {
            return Err(errno("EAGAIN"));
        }
        let (filename, base, path) = names?;
        let mut program = None;
        if OPENS_FIRST.is_in(self.kernel) {
            program = Some(self.open_program(&base, &path)?);
        }
        self.copy_arguments(&filename)?;
        // bprm_stack_limits counts a missing first argument, and an empty one is put there.
        if self.argv.is_empty() {
            self.argv.push(String::new());
        }
        let mut file = match program {
            Some(program) => program,
            None => self.open_program(&base, &path)?,
        };
        if self.flags() & AT_EXECVE_CHECK != 0 {
            return Err(KernelEnding::Checked);
        }
        let mut interp = filename.clone();
        for depth in 0.. {
            if depth > DEPTH {
                return Err(errno("ELOOP"));
            }
            match self.handlers(&file, &filename, &mut interp)? {
                Handler::Interpreter(_) if self.keeps_open && self.executable.is_some() => {
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
        if path.len() > 4095 {
            return Err(errno("ENAMETOOLONG"));
        }
        if path.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
            return Err(errno("ENOENT"));
        }
        Ok(match fd {
            Some(fd) if !path.starts_with('/') => {
                let base = format!("{OWN_DESCRIPTORS}{fd}");
                let name = match path.is_empty() {
                    true => format!("/dev/fd/{fd}"),
                    false => format!("/dev/fd/{fd}/{path}"),
                };
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
            if string.len() >= ARGUMENT {
                return Err(errno("E2BIG"));
            }
            self.copy(string)?;
        }
        Ok(())
    }

    fn copy(&mut self, string: &str) -> Result<(), KernelEnding> {
        self.room -= string.len() as i64 + 1;
        self.stack += string.len() as u64 + 1;
        // The first page is there; to add one `may_expand_vm` asks the limit (`get_arg_page`).
        let pages = self.stack.div_ceil(PAGE);
        let too_many = pages > 1 && pages > self.call.caller.space / PAGE;
        match self.room < 0 || too_many {
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
        if self.flags() & !known != 0 {
            return Err(errno("EINVAL"));
        }
        let follow = self.flags() & libc::AT_SYMLINK_NOFOLLOW == 0;
        self.open_exec(base, path, follow)
    }

    /// Opens a file to execute it: `do_filp_open`, `may_open` in fs/namei.c, `deny_write_access`.
    fn open_exec(&mut self, base: &str, path: &str, follow: bool) -> Result<File, KernelEnding> {
        let caller = &self.call.caller;
        // `alloc_empty_file`, before the walk.
        if caller.no_files {
            return Err(errno("ENFILE"));
        }
        // `path_init` in fs/namei.c; an absolute path asks for no descriptor.
        let relative = !path.starts_with('/') && base.starts_with(OWN_DESCRIPTORS);
        if relative && self.files.node(base).is_none() {
            return Err(errno("EBADF"));
        }
        let file = match walk(self.files, caller, base, path, follow).map_err(errno)? {
            Walked::File(file) => *file,
            Walked::Link => return Err(errno("ELOOP")),
            Walked::Directory(_) | Walked::Other => return Err(errno("EACCES")),
        };
        let allowed = file.owned.may_execute(caller.uid, caller.gid, false);
        if !allowed || file.noexec {
            return Err(errno("EACCES"));
        }
        self.steps(&file)?;
        if file.busy {
            return Err(errno("ETXTBSY"));
        }
        Ok(file)
    }

    /// The events of one open: `fsnotify_open_perm` asks for the execution, then for the open.
    ///
    /// An overlay's file opens another one underneath (`ovl_open_realfile`).
    fn steps(&mut self, file: &File) -> Result<(), KernelEnding> {
        let layer = file.layer.as_deref().filter(|layer| layer.watched);
        if layer.is_some() && file.watched && LISTENER_WAITS_FOR_ITSELF.is_in(self.kernel) {
            return Err(KernelEnding::Hang);
        }
        let layer = layer.filter(|_| LAYERS_HAVE_EVENTS.is_in(self.kernel));
        for file in [file].into_iter().filter(|file| file.watched).chain(layer) {
            for execute in [true, false] {
                let step = PredictedStep {
                    execute,
                    path: file.name.clone(),
                    exe: self.call.caller.exe.clone(),
                    comm: self.call.caller.comm.clone(),
                };
                if let Answer::Refuse(errno) = (self.observer)(&step) {
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
        let has = |flag: char| format.flags.contains(flag);
        if has('L') {
            // The ELF handler comes to it, and finds its interpreter replaced.
            self.loader = Some(format.interpreter.clone());
            return Ok(Handler::NotMine);
        }
        self.path_is_accessible()?;
        if has('T') {
            self.transparent = Some(file.clone());
        } else {
            if !has('P') {
                self.remove_argument();
            }
            self.put_argument(interp)?;
            self.put_argument(&format.interpreter)?;
        }
        self.keeps_open |= has('O') || has('C') || has('T');
        *interp = format.interpreter.clone();
        let next = self.open_format(format)?;
        Ok(Handler::Interpreter(Box::new(next)))
    }

    fn open_format(&mut self, format: &BinfmtEntry) -> Result<File, KernelEnding> {
        match &format.fixed {
            // `file_clone_open`: the same file, whatever its path leads to by now.
            Some(file) => self.steps(file).map(|()| (**file).clone()),
            None => self.open_interpreter(&format.interpreter),
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
            } if !path.starts_with('/') => Err(errno("ENOENT")),
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
        self.path_is_accessible()?;
        self.remove_argument();
        self.put_argument(interp)?;
        if let Some(argument) = argument {
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
        if !elf.is_program() || !elf.is_ours() || !self.reads_headers(elf) {
            return Ok(Handler::NotMine);
        }
        let interpreter = match (&elf.interpreter, self.loader.take()) {
            (None, _) => None,
            (Some(Interpreter::Malformed), _) => return Ok(Handler::NotMine),
            (Some(Interpreter::Cut), _) => return Err(errno("EIO")),
            (Some(_), Some(loader)) => Some(self.open_interpreter(&loader)?),
            (Some(Interpreter::Path(path)), None) => Some(self.open_interpreter(path)?),
        };
        if let Some(interpreter) = &interpreter {
            let image = interpreter.image();
            if let Some(unreadable) = &interpreter.unreadable {
                return Err(errno(unreadable));
            }
            // `elf_read` of a whole ELF header, of either width.
            let header = if elf.is_narrow() { 52 } else { 64 };
            if image.size < header {
                return Err(errno("EIO"));
            }
            let good = image
                .elf
                .as_ref()
                .filter(|found| found.machine == elf.machine);
            if good.is_none_or(|found| !self.reads_headers(found)) {
                return Err(errno("ELIBBAD"));
            }
        }
        // `begin_new_exec`: first the credentials, then the point of no return. What fails from
        // there on is a signal.
        if !self.may_give_capabilities(file) {
            return Err(errno("EPERM"));
        }
        let loader = interpreter.as_ref().map(|found| found.image());
        let loader = loader.map(|image| image.elf.as_ref());
        // `load_elf_interp` wants something to load, where a program may have nothing.
        let whole = loader.is_none_or(|elf| {
            elf.is_some_and(|elf| elf.is_program() && elf.addresses && elf.pages > 0)
        });
        let pages = elf.pages + loader.flatten().map_or(0, |elf| elf.pages);
        if !elf.addresses || !whole || !self.has_descriptors() || !self.has_space(pages) {
            return Err(KernelEnding::Signal("SIGSEGV"));
        }
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
            secure: self.is_secure(file),
            caller: self.call.caller.clone(),
        })))
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
        !(caller.large_table || caller.no_descriptor && self.executable.is_some())
    }

    /// `setup_arg_pages` makes room for 32 pages of stack, then come the segments: `may_expand_vm`.
    fn has_space(&self, segments: u64) -> bool {
        let stack = self.stack.div_ceil(PAGE) + 32;
        stack + segments <= self.call.caller.space / PAGE
    }

    /// `bprm_caps_from_vfs_caps` in security/commoncap.c: a program that does not know about
    /// capabilities gets all that its file says, or does not start.
    fn may_give_capabilities(&self, file: &File) -> bool {
        let caller = &self.call.caller;
        file.capabilities.is_none_or(|capabilities| {
            let bounded = capabilities.permitted & caller.bounding;
            let given = bounded | capabilities.inheritable & caller.inheritable;
            !capabilities.effective || capabilities.permitted & !given == 0
        })
    }

    /// `cap_bprm_creds_from_file` in security/commoncap.c: who gets more than he had.
    fn is_secure(&self, file: &File) -> bool {
        let uid = self.call.caller.uid;
        let another = file.owned.mode & 0o4000 != 0 && file.owned.uid != uid;
        another || (file.capabilities.is_some() && uid != 0)
    }

    /// `begin_new_exec`: the last part of the name that the program is known by.
    fn comm(&self, filename: &str, file: &File) -> String {
        let by_descriptor =
            matches!(&self.call.target, Target::At { fd: Some(_), path, .. } if path.is_empty());
        let name = match by_descriptor && COMM_OF_FILE.is_in(self.kernel) {
            true => file
                .name
                .trim_end_matches(" (deleted)")
                .trim_start_matches('/'),
            false => filename,
        };
        let last = name.rsplit('/').next().unwrap_or_default();
        let bytes = &last.as_bytes()[..last.len().min(COMM)];
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Interpreter and argument of a `#!` line; none when this is not a script.
///
/// `load_script` line by line, since 5.0: only the first 256 bytes count, and a line that does not
/// end in them must at least end its interpreter's name there.
fn first_line(head: &[u8]) -> Option<(String, Option<String>)> {
    let blank = |at: &usize| matches!(head[*at], b' ' | b'\t');
    let ends = |at: &usize| blank(at) || head[*at] == 0;
    let last = head.len() - 1;
    let newline = head.iter().position(|byte| matches!(byte, b'\n' | 0));
    if !head.starts_with(b"#!") {
        return None;
    }
    let mut end = match newline.filter(|at| head[*at] == b'\n') {
        Some(end) => end,
        None => {
            let name = (2..=last).find(|at| !blank(at))?;
            (name..=last).find(ends)?;
            last
        }
    };
    while blank(&(end - 1)) {
        end -= 1;
    }
    let name = (2..=end)
        .find(|at| !blank(at))
        .filter(|name| *name != end)?;
    let behind = (name..=end).find(ends);
    let argument = behind
        .filter(|at| head[*at] != 0)
        .and_then(|at| (at..=end).find(|at| !blank(at)))
        .filter(|at| *at != end);
    // Strings of the kernel end at a NUL.
    let text = |from: usize, to: usize| {
        let text = &head[from..to];
        let nul = text.iter().position(|byte| *byte == 0);
        String::from_utf8_lossy(&text[..nul.unwrap_or(text.len())]).into_owned()
    };
    let stop = behind.unwrap_or(end);
    Some((text(name, stop), argument.map(|from| text(from, end))))
}

#[cfg(test)]
mod tests;
