//! What a program takes along, or has to find in a root: interpreter, `#!` chain and libraries, as the kernel and
//! ld.so(8) look for them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use goblin::elf::header::{ELFDATA2MSB, ELFMAG, machine_to_str};

use super::places::Files;
use super::search::{
    Caller, Missing, default_directories, expand, is_library, list, run_by_env, without_comments,
};
use crate::model::{ElfHeaders, Image, Interpreter, first_line};

/// A program with what it needs, among these files.
pub struct Closure<'a> {
    files: &'a mut dyn Files,
    caller: &'a Caller,
    /// Paths that were taken, as they are named and where they lead.
    pub done: BTreeSet<PathBuf>,
    /// Directories in which ld.so looks for everybody's libraries.
    default: Vec<PathBuf>,
    /// What LD_LIBRARY_PATH says, as the program means it.
    variable: Vec<PathBuf>,
    /// What DT_RPATH of those says for whom a library is being looked for, the nearest first; none outside of that.
    above: Option<Vec<PathBuf>>,
    /// Whether a program of another machine is taken, because something of the user's runs it.
    foreign: Foreign,
    /// What was taken, and for whom.
    pub taken: Vec<(PathBuf, String)>,
    /// What is not there.
    pub missing: Vec<Missing>,
    /// ELF programs of which nobody can tell what they need.
    pub damaged: Vec<PathBuf>,
}

/// What becomes of a program for another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It is an error.
    Refused,
    /// It is taken as it is.
    Taken,
}

/// Who needs a library, and where it may be before the usual places.
struct Requester {
    wide: bool,
    origin: PathBuf,
    places: Vec<PathBuf>,
}

impl<'a> Closure<'a> {
    /// Nothing yet.
    pub fn new(files: &'a mut dyn Files, caller: &'a Caller, foreign: Foreign) -> Closure<'a> {
        Closure {
            default: default_directories(files),
            files,
            caller,
            done: BTreeSet::new(),
            variable: Vec::new(),
            above: None,
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
        if self.done.contains(path) {
            return Ok(());
        }
        if self.done.len() > 4096 {
            bail!("{} needs more than 4096 files", path.display());
        }
        let real = self.files.take(path)?;
        self.done.insert(path.to_owned());
        if !self.done.insert(real.clone()) && real != path {
            return Ok(());
        }
        self.taken.push((path.to_owned(), why.to_owned()));
        let head = self.files.head(&real)?;
        if let Some((interpreter, argument)) = first_line(&head) {
            return self.script(path, &interpreter, argument.as_deref());
        }
        if head.starts_with(ELFMAG) {
            let bytes = self.files.bytes(&real)?;
            return self.program(path, &real, &bytes);
        }
        Ok(())
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
        let Some(elf) = &image.elf else {
            return Ok(());
        };
        if !elf.is_ours() {
            return self.other_machine(path, &image.head);
        }
        if is_damaged(elf) {
            self.damaged.push(path.to_owned());
            return Ok(());
        }
        let is_library = self.above.is_some();
        let interpreter = match &elf.interpreter {
            Some(Interpreter::Path(interpreter)) => Some(interpreter.as_str()),
            _ => None,
        };
        // Of a program the origin is the directory of its exe link, of a library that of its name.
        let origin = if is_library { path } else { real };
        let origin = origin.parent().unwrap_or(Path::new("/"));
        if let Some(interpreter) = interpreter {
            let why = format!("ELF interpreter of {}", path.display());
            self.need(interpreter, path, &why)?;
        }
        if !is_library {
            let list = self.caller.variable("LD_LIBRARY_PATH").unwrap_or_default();
            self.variable = self.places(list, origin);
        }
        let above = self.above.clone().unwrap_or_default();
        // DT_RUNPATH makes ld.so ignore DT_RPATH, its own and that of those who need it.
        let (before, after, above) = match &elf.runpath {
            Some(list) => (Vec::new(), self.places(list, origin), above),
            None => {
                let own = elf.rpath.as_deref().unwrap_or_default();
                let all = [self.places(own, origin), above].concat();
                (all.clone(), Vec::new(), all)
            }
        };
        let requester = Requester {
            wide: !elf.is_narrow(),
            origin: origin.to_owned(),
            places: [before, self.variable.clone(), after].concat(),
        };
        let before = self.above.replace(above);
        if let Some(interpreter) = interpreter.filter(|_| !is_library) {
            self.preloaded(&requester, interpreter, path)?;
        }
        let why = format!("library of {}", path.display());
        for library in &elf.needed {
            self.library(&requester, library, path, &why)?;
        }
        self.above = before;
        Ok(())
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

    /// What every loader reads before it looks at the program: libraries for it or for everybody.
    fn preloaded(&mut self, by: &Requester, interpreter: &str, path: &Path) -> Result<()> {
        let names = self.caller.variable("LD_PRELOAD").unwrap_or_default();
        for name in list(names) {
            self.library(by, name, path, "named in LD_PRELOAD")?;
        }
        if !interpreter.contains("/ld-linux") {
            return Ok(());
        }
        let cache = Path::new("/etc/ld.so.cache");
        if self.files.is_file(cache) {
            self.add(cache, "read by ld.so")?;
        }
        let preload = Path::new("/etc/ld.so.preload");
        if self.files.is_file(preload) {
            self.add(preload, "read by ld.so")?;
            let text = self.files.bytes(preload)?;
            let text = without_comments(&String::from_utf8_lossy(&text));
            for name in list(&text) {
                self.library(by, name, path, "named in /etc/ld.so.preload")?;
            }
        }
        Ok(())
    }

    fn library(&mut self, by: &Requester, name: &str, path: &Path, why: &str) -> Result<()> {
        if name.contains('/') {
            return self.need(&expand(name, &by.origin), path, why);
        }
        let places = by.places.iter().chain(&self.default);
        let found = places
            .map(|place| place.join(name))
            .find(|place| is_library(self.files, place, by.wide));
        match found {
            Some(found) => self.add(&found, why),
            None => {
                self.misses(Missing::file(name, path));
                Ok(())
            }
        }
    }

    /// Adds a file that has to be at this path, which may be one from the working directory.
    fn need(&mut self, name: &str, by: &Path, why: &str) -> Result<()> {
        let path = self.caller.absolute(name);
        match self.files.is_file(&path) {
            true => self.add(&path, why),
            false => {
                self.misses(match name.starts_with('/') {
                    true => Missing::file(name, by),
                    false => Missing::from_directory(name, self.caller, by),
                });
                Ok(())
            }
        }
    }

    fn misses(&mut self, missing: Missing) {
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }

    /// The directories of such a list, as an object means it whose directory is `origin`.
    fn places(&self, directories: &str, origin: &Path) -> Vec<PathBuf> {
        // Nothing is no list of the working directory alone.
        let all = directories.split([':', ';']);
        let all = all.filter(|_| !directories.is_empty());
        all.map(|directory| self.caller.absolute(&expand(directory, origin)))
            .collect()
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
