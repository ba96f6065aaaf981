//! What the dynamic loader opens between the point of no return and the program's first
//! instruction: ld.so(8), elf/rtld.c and elf/dl-load.c of glibc 2.41.
//!
//! The cache is taken to know what stands in the default directories. Not predicted: auditing
//! libraries, directories for special processors, `$LIB`, limits of the address space, musl's search.

use super::reach::Rule;
use super::walk::{LastLink, Walked, walk};
use super::{Answer, ElfHeaders, Eye, File, Files, PredictedStep, Started};
use crate::arch;

/// How the loader's part ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The program's own code runs.
    Runs,
    /// The loader gives up with this status.
    Exits(i32),
    /// The model does not know, for this reason.
    Unknown(&'static str),
}

/// What the loader says when it gives up.
const GIVES_UP: i32 = 127;
const CACHE: &str = "/etc/ld.so.cache";
const PRELOAD: &str = "/etc/ld.so.preload";
/// Longest name that is preloaded into a program of another user: `SECURE_NAME_LIMIT`.
const SECURE_NAME: usize = 255;

/// What happens before the program's own code runs.
pub fn load(files: &dyn Files, running: &Started, observer: &mut Eye<'_>) -> Loaded {
    let program = &running.program;
    let interpreter = running.interpreter.as_ref();
    let loader = interpreter.unwrap_or(program);
    if Rule::Musl.applies(loader.name.contains("-musl")) {
        // musl's loader is its libc, and opens nothing for it.
        let mut needed = program.image().elf.iter().flat_map(|elf| &elf.needed);
        return match interpreter.is_some() && needed.all(|name| arch::MUSL.contains(&name.as_str()))
        {
            true => Loaded::Runs,
            false => Loaded::Unknown("musl's search for libraries is not modelled"),
        };
    }
    let soname = loader
        .image()
        .elf
        .as_ref()
        .and_then(|elf| elf.soname.clone());
    let Some(name) = soname.filter(|name| name.starts_with("ld-linux")) else {
        Rule::NoLoader.applies(true);
        let elf = loader.image().elf.as_ref();
        // Who needs no library itself is no loader: its own code runs at once.
        let alone = elf.is_some_and(|elf| elf.needed.is_empty() && elf.interpreter.is_none());
        return match interpreter {
            None => Loaded::Runs,
            Some(_) if alone => Loaded::Runs,
            Some(_) => Loaded::Unknown("the ELF interpreter is no loader that the model knows"),
        };
    };
    if running.caller.space != u64::MAX {
        return Loaded::Unknown("what the loader maps may be more than RLIMIT_AS");
    }
    let mut loader = Loader {
        files,
        running,
        observer,
        narrow: program
            .image()
            .elf
            .as_ref()
            .is_some_and(ElfHeaders::is_narrow),
        cache: None,
        library_path: variable(running, "LD_LIBRARY_PATH"),
        loaded: vec![Object {
            names: vec![name],
            file: loader.clone(),
            place: None,
            by: None,
        }],
        program: 0,
    };
    let role = match interpreter {
        Some(_) => Role::Interpreter,
        None => Role::Program,
    };
    loader.run(role).unwrap_or_else(|end| end)
}

/// A variable that the loader heeds; none for a program of another user.
fn variable(running: &Started, name: &str) -> Option<String> {
    any_variable(running, name).filter(|_| !running.secure)
}

fn any_variable(running: &Started, name: &str) -> Option<String> {
    let mut values = running.environment.iter().filter_map(|variable| {
        let (found, value) = variable.split_once('=')?;
        (found == name).then(|| value.to_owned())
    });
    values.next_back()
}

struct Object {
    /// What it was asked for by: a file that has two names is loaded once.
    names: Vec<String>,
    file: File,
    /// The path by which it was found; none for what the kernel mapped.
    place: Option<String>,
    /// Which object asked for it, by its place in the list.
    by: Option<usize>,
}

struct Loader<'a, 'o> {
    files: &'a dyn Files,
    running: &'a Started,
    observer: &'a mut Eye<'o>,
    narrow: bool,
    /// Whether the cache could be read, once it was tried.
    cache: Option<bool>,
    library_path: Option<String>,
    loaded: Vec<Object>,
    /// Which of them is the program.
    program: usize,
}

/// What the loader is for the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The interpreter of the program.
    Interpreter,
    /// The program itself, run by hand: which one it is to load stands in its arguments.
    Program,
}

/// Which libraries are good enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// All that are found.
    All,
    /// Those in default directories that have the set-user-ID bit: what is preloaded into a program of another user
    /// (`AT_SECURE`).
    Marked,
}

impl Trust {
    /// What is preloaded into this program by its environment.
    fn of(running: &Started) -> Trust {
        match running.secure {
            true => Trust::Marked,
            false => Trust::All,
        }
    }
}

/// Why there is no file.
enum Missing {
    /// Nothing is there, or nothing of use.
    Nothing,
    /// It is there, and its open was refused, or it is malformed.
    Refused,
    Malformed,
    /// The model does not know, for this reason.
    Unknown(&'static str),
}

impl Loader<'_, '_> {
    /// `dl_main`.
    fn run(&mut self, role: Role) -> Result<Loaded, Loaded> {
        if variable(self.running, "LD_AUDIT").is_some() {
            return Err(Loaded::Unknown("auditing libraries are loaded apart"));
        }
        let mut preload = Vec::new();
        // `process_envvars_secure` heeds this one even for a program of another user.
        preload.extend(any_variable(self.running, "LD_PRELOAD"));
        let (program, place) = match Rule::ByHand.applies(role == Role::Program) {
            true => self.program_by_hand(&mut preload)?,
            false => (self.running.program.clone(), None),
        };
        self.program = self.loaded.len();
        self.loaded.push(Object {
            names: Vec::new(),
            file: program,
            place,
            by: None,
        });
        for list in preload {
            Rule::Preload.applies(true);
            self.preload(&list, Trust::of(self.running))?;
        }
        if let Ok(file) = self.open(PRELOAD) {
            Rule::PreloadFile.applies(true);
            let image = file.image();
            if image.size > image.head.len() as u64 {
                return Err(Loaded::Unknown("/etc/ld.so.preload is too long"));
            }
            let text = &image.head[..usize::try_from(image.size).unwrap_or_default()];
            self.preload(&String::from_utf8_lossy(text), Trust::All)?;
        }
        // `_dl_map_object_deps`: breadth first, the program, then what was preloaded.
        let mut next = self.program;
        while let Some(object) = self.loaded.get(next) {
            let elf = object.file.image().elf.clone();
            for name in elf.iter().flat_map(|elf| &elf.needed) {
                Rule::Needed.applies(true);
                match self.object(name, next, Trust::All) {
                    Err(Missing::Unknown(reason)) => return Err(Loaded::Unknown(reason)),
                    Err(_) => return Err(gives_up()),
                    Ok(()) => {}
                }
            }
            if elf.is_none() {
                return Err(gives_up());
            }
            next += 1;
        }
        Ok(Loaded::Runs)
    }

    /// Options and program of a loader that is run by hand.
    fn program_by_hand(
        &mut self,
        preload: &mut Vec<String>,
    ) -> Result<(File, Option<String>), Loaded> {
        let mut arguments = self.running.argv.iter().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--library-path" => self.library_path = arguments.next().cloned(),
                "--preload" => preload.extend(arguments.next().cloned()),
                "--argv0" => drop(arguments.next()),
                option if option.starts_with('-') => {
                    return Err(Loaded::Unknown("the loader is given an option"));
                }
                path if path.contains('/') => {
                    let Ok(program) = self.open(path) else {
                        return Err(gives_up());
                    };
                    let elf = program.image().elf.as_ref();
                    return match elf.is_some_and(|elf| elf.is_narrow() == self.narrow) {
                        true => Ok((program, Some(path.to_owned()))),
                        false => Err(gives_up()),
                    };
                }
                _ => return Err(Loaded::Unknown("the loader searches a program")),
            }
        }
        Err(Loaded::Unknown("the loader is given no program"))
    }

    /// `handle_preload_list`: what cannot be loaded is left out.
    fn preload(&mut self, list: &str, trust: Trust) -> Result<(), Loaded> {
        let names = list.split(|character: char| character == ':' || character.is_whitespace());
        for name in names.filter(|name| !name.is_empty()) {
            // `dso_name_valid_for_suid`: no path, nothing long.
            let plain = !name.contains('/') && name.len() < SECURE_NAME;
            let marked = Rule::PreloadSecure.applies(trust == Trust::Marked);
            if marked && !plain {
                continue;
            }
            // The program asks for them. An error is printed, and that is all.
            if let Err(Missing::Unknown(reason)) = self.object(name, self.program, trust) {
                return Err(Loaded::Unknown(reason));
            }
        }
        Ok(())
    }

    /// `_dl_map_object`: an object by its name, which may be loaded already.
    fn object(&mut self, name: &str, by: usize, trust: Trust) -> Result<(), Missing> {
        let known = |object: &Object| {
            let soname = object
                .file
                .image()
                .elf
                .as_ref()
                .and_then(|elf| elf.soname.as_deref());
            object.names.iter().any(|known| known == name) || soname == Some(name)
        };
        if Rule::Known.applies(self.loaded.iter().any(known)) {
            return Ok(());
        }
        let (file, place) = match Rule::WithSlash.applies(name.contains('/')) {
            true => match self.expanded(name, by)? {
                Some(path) => self.library(&path, Trust::All)?,
                None => return Err(Missing::Nothing),
            },
            false => self.search(name, by, trust)?,
        };
        let names = vec![name.to_owned()];
        let mut loaded = self.loaded.iter_mut();
        match loaded.find(|object| object.file.id == file.id) {
            // `add_name_to_object`
            Some(object) => object.names.extend(names),
            None => self.loaded.push(Object {
                names,
                file: *file,
                place: Some(place),
                by: Some(by),
            }),
        }
        Ok(())
    }

    /// Where a library without a directory is looked for, in order.
    fn search(&mut self, name: &str, by: usize, trust: Trust) -> Result<Library, Missing> {
        match self.lists(name, by, trust) {
            Ok(()) => Err(Missing::Nothing),
            Err(end) => end,
        }
    }

    fn lists(
        &mut self,
        name: &str,
        by: usize,
        trust: Trust,
    ) -> Result<(), Result<Library, Missing>> {
        let runpath = self.elf(by).and_then(|elf| elf.runpath.clone());
        if runpath.is_none() {
            for (list, owner) in self.rpaths(by) {
                Rule::Rpath.applies(owner == by);
                Rule::RpathOfLoader.applies(owner != by);
                found(self.directories(&list, owner, name, trust))?;
            }
        }
        if let Some(list) = self.library_path.clone() {
            Rule::LibraryPath.applies(true);
            found(self.directories(&list, self.program, name, trust))?;
        }
        if let Some(list) = runpath {
            Rule::Runpath.applies(true);
            found(self.directories(&list, by, name, trust))?;
        }
        let default = if self.narrow {
            arch::LIBRARIES_NARROW
        } else {
            arch::LIBRARIES
        };
        if trust == Trust::All {
            if self.cache.is_none() {
                self.cache = Some(self.open(CACHE).is_ok());
            }
            Rule::NoCache.applies(self.cache == Some(false));
            if Rule::Cache.applies(self.cache == Some(true)) {
                // What the cache says is looked for in the directories again.
                found(self.directories(default, self.program, name, Trust::All))?;
            }
        }
        Rule::DefaultDirectories.applies(true);
        found(self.directories(default, self.program, name, trust))
    }

    /// The lists of `DT_RPATH` that count for who asks: its own, and those of who asked for it, and
    /// the program's; none of who has a `DT_RUNPATH` (`cache_rpath`).
    fn rpaths(&self, by: usize) -> Vec<(String, usize)> {
        let mut lists = Vec::new();
        let above = std::iter::successors(Some(by), |at| self.loaded[*at].by);
        let main = (!above.clone().any(|at| at == self.program)).then_some(self.program);
        for at in above.chain(main) {
            let elf = self.elf(at).filter(|elf| elf.runpath.is_none());
            lists.extend(elf.and_then(|elf| Some((elf.rpath.clone()?, at))));
        }
        lists
    }

    fn elf(&self, at: usize) -> Option<&ElfHeaders> {
        self.loaded[at].file.image().elf.as_ref()
    }

    /// `open_path`: a refusal ends the list, what is missing does not.
    fn directories(
        &mut self,
        list: &str,
        owner: usize,
        name: &str,
        trust: Trust,
    ) -> Result<Library, Missing> {
        let mut known: Vec<String> = Vec::new();
        for directory in list.split([':', ';']) {
            let directory = match Rule::EmptyDirectory.applies(directory.is_empty()) {
                true => String::new(),
                // `fillin_rpath` leaves out what comes to nothing.
                false => match self.expanded(directory, owner)? {
                    Some(path) => path.trim_end_matches('/').to_owned() + "/",
                    None => continue,
                },
            };
            if known.contains(&directory) {
                continue;
            }
            match self.library(&format!("{directory}{name}"), trust) {
                Err(Missing::Nothing) => known.push(directory),
                done => return done,
            }
        }
        Err(Missing::Nothing)
    }

    /// `_dl_dst_substitute`: a path with `$ORIGIN` in it, as an object means it; none where it comes to
    /// nothing.
    fn expanded(&self, path: &str, owner: usize) -> Result<Option<String>, Missing> {
        if path.contains("$LIB") || path.contains("$PLATFORM") || path.contains("${") {
            return Err(Missing::Unknown("a path with $LIB or $PLATFORM"));
        }
        if !Rule::Origin.applies(path.contains("$ORIGIN")) {
            return Ok(Some(path.to_owned()));
        }
        let object = &self.loaded[owner];
        let own = match &object.place {
            Some(place) if place.starts_with('/') => place.clone(),
            Some(place) => format!("{}/{place}", self.running.caller.cwd),
            // `_dl_get_origin` reads the exe link.
            None => self.running.exe.name.clone(),
        };
        let Some((directory, _)) = own.rsplit_once('/').filter(|_| own.starts_with('/')) else {
            return Ok(None);
        };
        let directory = if directory.is_empty() { "/" } else { directory };
        // `is_trusted_path_normalize`: of a program of another user only the default directories.
        if Rule::OriginSecure.applies(self.running.secure && owner == self.program) {
            return Ok(None);
        }
        Ok(Some(path.replace("$ORIGIN", directory)))
    }

    /// `open_verify`: another width or machine is as good as nothing.
    fn library(&mut self, path: &str, trust: Trust) -> Result<Library, Missing> {
        let file = self.open(path)?;
        let Some(elf) = &file.image().elf else {
            Rule::Malformed.applies(true);
            return Err(Missing::Malformed);
        };
        let other = elf.is_narrow() != self.narrow || !elf.is_ours();
        if Rule::OtherWidth.applies(other) {
            return Err(Missing::Nothing);
        }
        // `open_path` wants the set-user-ID bit of what is preloaded into another user's program.
        if trust == Trust::Marked && file.owned.mode & 0o4000 == 0 {
            return Err(Missing::Nothing);
        }
        // `_dl_map_object_from_fd`: "object file has no dynamic section".
        match Rule::NoDynamicSection.applies(!elf.dynamic) {
            true => Err(Missing::Malformed),
            false => Ok((Box::new(file), path.to_owned())),
        }
    }

    fn open(&mut self, path: &str) -> Result<File, Missing> {
        let caller = &self.running.caller;
        // `get_unused_fd_flags` comes before the walk.
        if caller.no_descriptor {
            return Err(Missing::Refused);
        }
        let Ok(Walked::File(file)) = walk(self.files, caller, &caller.cwd, path, LastLink::Follow)
        else {
            return Err(Missing::Nothing);
        };
        if Rule::LoaderMayNotRead.applies(!file.owned.may_read(caller)) {
            return Err(Missing::Nothing);
        }
        if file.watched {
            let step = PredictedStep {
                execute: false,
                path: file.name.clone(),
                exe: self.running.exe.name.clone(),
                comm: self.running.comm.clone(),
            };
            if Rule::LoaderRefused.applies((self.observer)(&step) != Answer::Go) {
                return Err(Missing::Refused);
            }
        }
        Ok(*file)
    }
}

/// A library, and the path by which it was found.
type Library = (Box<File>, String);

/// Whether a search ends with this list, and how: what is missing or refused is looked for elsewhere.
fn found(list: Result<Library, Missing>) -> Result<(), Result<Library, Missing>> {
    match list {
        Err(Missing::Nothing | Missing::Refused) => Ok(()),
        end => Err(end),
    }
}

fn gives_up() -> Loaded {
    Rule::LoaderGivesUp.applies(true);
    Loaded::Exits(GIVES_UP)
}

#[cfg(test)]
mod tests;
