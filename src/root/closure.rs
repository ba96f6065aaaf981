//! What a program takes along, or has to find in a root: interpreter and `#!` chain, as the kernel looks for them, and
//! libraries ([`libraries`](super::libraries)).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use goblin::elf::header::{ELFDATA2MSB, ELFMAG, machine_to_str};

use super::places::Files;
use super::search::{Caller, Missing, default_directories, run_by_env};
use crate::model::{ElfHeaders, Image, Interpreter, first_line};

/// A program with what it needs, among these files.
pub struct Closure<'a> {
    pub(super) files: &'a mut dyn Files,
    pub(super) caller: &'a Caller,
    /// Directories in which ld.so looks for everybody's libraries.
    pub(super) default: Vec<PathBuf>,
    /// Paths that were taken, as they are named, with where they lead, which is taken as well.
    pub done: BTreeMap<PathBuf, PathBuf>,
    /// How many files name one another down to the one that is looked at.
    depth: usize,
    /// Whether a program of another machine is taken, because something of the user's runs it.
    foreign: Foreign,
    /// What was taken, and for whom.
    pub taken: Vec<(PathBuf, String)>,
    /// What is not there.
    pub missing: Vec<Missing>,
    /// ELF programs of which nobody can tell what they need.
    pub damaged: Vec<PathBuf>,
}

/// How many files a program may need: more is a mistake.
const MOST: usize = 4096;
/// How deep interpreters of interpreters are followed; the kernel gives up before (`exec_binprm` in fs/exec.c).
const DEEPEST: usize = 16;

/// What becomes of a program for another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It is an error.
    Refused,
    /// It is taken as it is.
    Taken,
}

impl<'a> Closure<'a> {
    /// Nothing yet.
    pub fn new(files: &'a mut dyn Files, caller: &'a Caller, foreign: Foreign) -> Closure<'a> {
        Closure {
            default: default_directories(files),
            files,
            caller,
            done: BTreeMap::new(),
            depth: 0,
            foreign,
            taken: Vec::new(),
            missing: Vec::new(),
            damaged: Vec::new(),
        }
    }

    /// Adds a program, script or library by its absolute path, with everything that it names.
    ///
    /// # Errors
    ///
    /// It is not there, is no file, cannot be read, or is for another machine.
    pub fn add(&mut self, path: &Path, why: &str) -> Result<()> {
        let before = self.taken.len();
        let real = self.take(path, why)?;
        if self.taken.len() == before {
            return Ok(());
        }
        if self.depth == DEEPEST {
            return Ok(());
        }
        self.depth += 1;
        let result = self.follow(path, &real);
        self.depth -= 1;
        result
    }

    /// Adds what a file that was taken names.
    fn follow(&mut self, path: &Path, real: &Path) -> Result<()> {
        let head = self.files.head(real)?;
        if let Some((interpreter, argument)) = first_line(&head) {
            return self.script(path, &interpreter, argument.as_deref());
        }
        if head.starts_with(ELFMAG) {
            let bytes = self.files.bytes(real)?;
            return self.program(path, real, &bytes);
        }
        Ok(())
    }

    /// Takes a file and nothing of what it needs, unless it was taken before; returns where it really is.
    pub(super) fn take(&mut self, path: &Path, why: &str) -> Result<PathBuf> {
        if let Some(real) = self.done.get(path) {
            return Ok(real.clone());
        }
        if self.done.len() > MOST {
            bail!("{} needs more than {MOST} files", path.display());
        }
        let real = self.files.take(path)?;
        self.done.insert(path.to_owned(), real.clone());
        let known = self.done.insert(real.clone(), real.clone());
        if known.is_none() || real == path {
            self.taken.push((path.to_owned(), why.to_owned()));
        }
        Ok(real)
    }

    fn script(&mut self, path: &Path, interpreter: &str, argument: Option<&str>) -> Result<()> {
        let why = format!("interpreter of {}", path.display());
        self.need(interpreter, path, &why)?;
        // env(1) searches for what it is told to run.
        let name = argument.filter(|_| interpreter.ends_with("/env"));
        let Some(name) = name.and_then(run_by_env) else {
            return Ok(());
        };
        if name.contains('/') {
            return self.need(name, path, &why);
        }
        let caller = self.caller;
        let found = caller
            .search_path(name)
            .find(|place| self.files.is_file(place));
        match found {
            Some(found) => self.add(&found, &why),
            None => {
                self.misses(Missing::on_path(name, caller, path));
                Ok(())
            }
        }
    }

    fn program(&mut self, path: &Path, real: &Path, bytes: &[u8]) -> Result<()> {
        let image = Image::of(bytes);
        let Some(elf) = self.ours(path, &image)? else {
            return Ok(());
        };
        let interpreter = match &elf.interpreter {
            Some(Interpreter::Path(interpreter)) => Some(interpreter.as_str()),
            _ => None,
        };
        if let Some(interpreter) = interpreter {
            let why = format!("ELF interpreter of {}", path.display());
            self.need(interpreter, path, &why)?;
        }
        self.libraries(path, real, elf, interpreter)
    }

    /// The headers of an object that these kernels run; none where nobody can tell what it needs.
    pub(super) fn ours<'i>(
        &mut self,
        path: &Path,
        image: &'i Image,
    ) -> Result<Option<&'i ElfHeaders>> {
        let Some(elf) = &image.elf else {
            return Ok(None);
        };
        if !elf.is_ours() {
            self.other_machine(path, &image.head)?;
            return Ok(None);
        }
        if is_damaged(elf) {
            self.damaged.push(path.to_owned());
            return Ok(None);
        }
        Ok(Some(elf))
    }

    fn other_machine(&self, path: &Path, head: &[u8]) -> Result<()> {
        if self.foreign == Foreign::Taken {
            return Ok(());
        }
        // EI_DATA, then e_machine (elf(5)).
        let machine = [head[18], head[19]];
        let machine = match head[5] {
            ELFDATA2MSB => u16::from_be_bytes(machine),
            _ => u16::from_le_bytes(machine),
        };
        bail!(
            "{} is for {}, and these kernels are for x86-64: give them an entry of binfmt_misc \
             with --binfmt, and its interpreter with --add",
            path.display(),
            machine_to_str(machine)
        )
    }

    /// Adds a file that has to be at this path, which may be one from the working directory.
    fn need(&mut self, name: &str, by: &Path, why: &str) -> Result<()> {
        let path = self.caller.absolute(name);
        match self.files.is_file(&path) {
            true => self.add(&path, why),
            false => {
                self.misses_path(name, by);
                Ok(())
            }
        }
    }

    /// Notes that nothing is at a path, which may be one from the working directory.
    pub(super) fn misses_path(&mut self, name: &str, by: &Path) {
        match name.starts_with('/') {
            true => self.misses_file(name, by),
            false => self.misses(Missing::from_directory(name, self.caller, by)),
        }
    }

    /// Notes that a file is not there.
    pub(super) fn misses_file(&mut self, name: &str, by: &Path) {
        self.misses(Missing::file(name, by));
    }

    fn misses(&mut self, missing: Missing) {
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }
}

/// Whether a program has headers that no kernel takes, so that nobody can tell what it needs.
fn is_damaged(elf: &ElfHeaders) -> bool {
    let named = matches!(
        elf.interpreter,
        Some(Interpreter::Malformed | Interpreter::Cut)
    );
    elf.is_program() && (!elf.headers || named)
}

#[cfg(test)]
mod tests;
