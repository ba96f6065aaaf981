//! What makes a program of a file: binfmt_misc, `#!` and ELF, as `exec_binprm` asks them in turn.

use super::super::credentials::Credentials;
use super::super::differences::{CLOSES_EARLY, COMM_OF_FILE, EXE_LINK_WAITS, MANY_HEADERS};
use super::super::image::{ElfHeaders, Interpreter, PAGE};
use super::super::reach::Rule;
use super::super::script::first_line;
use super::super::walk::LastLink;
use super::super::{BinfmtEntry, Closed, File, KernelEnding, PredictedStep, Started, Target};
use super::{Execve, Handler, closing_opens, errno};
use crate::trail::{own_comm, printable, unprintable};

/// Longest comm, without its NUL: `TASK_COMM_LEN`.
const COMM: usize = 15;

impl Execve<'_, '_> {
    /// `search_binary_handler`: binfmt_misc stands in front, then scripts, then ELF.
    pub(super) fn handlers(
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
        // `exec_binprm` lets go of one that nobody took.
        self.loader = None;
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
            // It is opened now, whatever the file is; the ELF handler finds its interpreter replaced.
            self.loader = Some(self.open_format(format)?);
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
        self.open_exec(&cwd, path, LastLink::Follow)
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
            (Some(_), Some(loader)) => Some(loader),
            (Some(Interpreter::Path(path)), None) => Some(self.open_interpreter(path)?),
        };
        if let Some(interpreter) = &interpreter {
            self.check_interpreter(elf, interpreter)?;
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
        // `unshare_files`.
        if Rule::TableTooLarge.applies(self.call.caller.large_table) {
            return Err(KernelEnding::Signal("SIGSEGV"));
        }
        let exe = self.transparent.take().unwrap_or_else(|| file.clone());
        self.close_on_exec(&exe)?;
        if self.fails_late(elf, interpreter.as_ref()) {
            return Err(KernelEnding::Signal("SIGSEGV"));
        }
        Rule::Runs.applies(true);
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

    /// What `load_elf_binary` finds wrong with the interpreter of a program before the point of no return.
    fn check_interpreter(&self, elf: &ElfHeaders, interpreter: &File) -> Result<(), KernelEnding> {
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
        Ok(())
    }

    /// `do_close_on_exec`, of whose flushes nobody heeds how they end.
    fn close_on_exec(&mut self, exe: &File) -> Result<(), KernelEnding> {
        let Some(path) = closing_opens(self.files, self.call, Closed::ByExec, self.kernel) else {
            return Ok(());
        };
        let early = CLOSES_EARLY.is_in(self.kernel);
        if !early && Rule::LayerClosedHangs.applies(EXE_LINK_WAITS.is_in(self.kernel)) {
            return Err(KernelEnding::Hang);
        }
        let caller = &self.call.caller;
        (self.observer)(&PredictedStep {
            execute: false,
            path,
            exe: if early { &caller.exe } else { &exe.name }.clone(),
            comm: caller.comm.clone(),
        });
        Ok(())
    }

    /// What is only found after the point of no return.
    fn fails_late(&self, elf: &ElfHeaders, interpreter: Option<&File>) -> bool {
        let loader = interpreter.map(|found| found.image().elf.as_ref());
        // `load_elf_interp` wants something to load, where a program may have nothing.
        let whole = loader.is_none_or(|elf| {
            elf.is_some_and(|elf| elf.is_program() && elf.addresses && elf.pages > 0)
        });
        let pages = elf.pages + loader.flatten().map_or(0, |elf| elf.pages);
        // The file that is interpreted gets a number at the end of `begin_new_exec`.
        let none_left = self.call.caller.no_descriptor && self.executable.is_some();
        Rule::BadAddresses.applies(!elf.addresses)
            || Rule::InterpreterNotLoaded.applies(!whole)
            || Rule::NoDescriptor.applies(none_left)
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
        let last = unprintable(name.rsplit('/').next().unwrap_or_default());
        Rule::CommCut.applies(last.len() > COMM);
        own_comm(&printable(&last[..last.len().min(COMM)]))
    }
}
