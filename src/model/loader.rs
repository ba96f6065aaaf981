//! What the dynamic loader opens between the point of no return and the program's first
//! instruction: ld.so(8), elf/rtld.c and elf/dl-load.c of glibc 2.41.
//!
//! The cache is taken to know what stands in the default directories. Not predicted: auditing
//! libraries, `DT_RPATH` of a library's loader, directories for special processors, musl's search.

use super::walk::{Walked, walk};
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

/// What happens before the program's own code runs.
pub fn load(files: &dyn Files, running: &Started, observer: &mut Eye<'_>) -> Loaded {
    let program = &running.program;
    let interpreter = running.interpreter.as_ref();
    let loader = interpreter.unwrap_or(program);
    if loader.name.contains("-musl") {
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
        let elf = loader.image().elf.as_ref();
        // Who needs no library itself is no loader: its own code runs at once.
        let alone = elf.is_some_and(|elf| elf.needed.is_empty() && elf.interpreter.is_none());
        return match interpreter {
            None => Loaded::Runs,
            Some(_) if alone => Loaded::Runs,
            Some(_) => Loaded::Unknown("the ELF interpreter is no loader that the model knows"),
        };
    };
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
            name,
            file: loader.clone(),
        }],
    };
    loader.run(interpreter.is_none()).unwrap_or_else(|end| end)
}

/// A variable that the loader heeds; none for a program of another user.
fn variable(running: &Started, name: &str) -> Option<String> {
    let mut values = running.environment.iter().filter_map(|variable| {
        let (found, value) = variable.split_once('=')?;
        (found == name).then(|| value.to_owned())
    });
    values.next_back().filter(|_| !running.secure)
}

struct Object {
    name: String,
    file: File,
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
}

/// Why there is no file.
enum Missing {
    /// Nothing is there, or nothing of use.
    Nothing,
    /// It is there, and its open was refused, or it is malformed.
    Refused,
    Malformed,
}

impl Loader<'_, '_> {
    /// `dl_main`.
    fn run(&mut self, by_hand: bool) -> Result<Loaded, Loaded> {
        if variable(self.running, "LD_AUDIT").is_some() {
            return Err(Loaded::Unknown("auditing libraries are loaded apart"));
        }
        let mut preload = Vec::new();
        preload.extend(variable(self.running, "LD_PRELOAD"));
        let program = match by_hand {
            true => self.program_by_hand(&mut preload)?,
            false => self.running.program.clone(),
        };
        self.loaded.push(Object {
            name: String::new(),
            file: program,
        });
        let from = self.loaded.len() - 1;
        for list in preload {
            self.preload(&list);
        }
        if let Ok(file) = self.open(PRELOAD) {
            let image = file.image();
            if image.size > image.head.len() as u64 {
                return Err(Loaded::Unknown("/etc/ld.so.preload is too long"));
            }
            let text = &image.head[..usize::try_from(image.size).unwrap_or_default()];
            self.preload(&String::from_utf8_lossy(text));
        }
        // `_dl_map_object_deps`: breadth first, the program, then what was preloaded.
        let mut next = from;
        while let Some(object) = self.loaded.get(next) {
            let Some(elf) = object.file.image().elf.clone() else {
                return Err(Loaded::Exits(GIVES_UP));
            };
            for name in &elf.needed {
                if self.object(name, &elf).is_err() {
                    return Err(Loaded::Exits(GIVES_UP));
                }
            }
            next += 1;
        }
        Ok(Loaded::Runs)
    }

    /// Options and program of a loader that is run by hand.
    fn program_by_hand(&mut self, preload: &mut Vec<String>) -> Result<File, Loaded> {
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
                        return Err(Loaded::Exits(GIVES_UP));
                    };
                    let elf = program.image().elf.as_ref();
                    return match elf.is_some_and(|elf| elf.is_narrow() == self.narrow) {
                        true => Ok(program),
                        false => Err(Loaded::Exits(GIVES_UP)),
                    };
                }
                _ => return Err(Loaded::Unknown("the loader searches a program")),
            }
        }
        Err(Loaded::Unknown("the loader is given no program"))
    }

    /// `handle_preload_list`: what cannot be loaded is left out.
    fn preload(&mut self, list: &str) {
        let names = list.split(|character: char| character == ':' || character.is_whitespace());
        // The program asks for them.
        let program = self.running.program.image().elf.clone();
        let Some(program) = program else { return };
        for name in names.filter(|name| !name.is_empty()) {
            // An error is printed, and that is all.
            let _ = self.object(name, &program);
        }
    }

    /// `_dl_map_object`: an object by its name, which may be loaded already.
    fn object(&mut self, name: &str, requester: &ElfHeaders) -> Result<(), Missing> {
        let known = |object: &Object| {
            let soname = object
                .file
                .image()
                .elf
                .as_ref()
                .and_then(|elf| elf.soname.as_deref());
            object.name == name || soname == Some(name)
        };
        if self.loaded.iter().any(known) {
            return Ok(());
        }
        let file = match name.contains('/') {
            true => self.library(name)?,
            false => self.search(name, requester)?,
        };
        if !self.loaded.iter().any(|object| object.file.id == file.id) {
            self.loaded.push(Object {
                name: name.to_owned(),
                file,
            });
        }
        Ok(())
    }

    /// Where a library without a directory is looked for, in order.
    fn search(&mut self, name: &str, requester: &ElfHeaders) -> Result<File, Missing> {
        let rpath = requester
            .rpath
            .clone()
            .filter(|_| requester.runpath.is_none());
        let directories = [rpath, self.library_path.clone(), requester.runpath.clone()];
        for list in directories.into_iter().flatten() {
            match self.directories(&list, name) {
                Err(Missing::Nothing | Missing::Refused) => {}
                done => return done,
            }
        }
        let default = if self.narrow {
            arch::LIBRARIES_NARROW
        } else {
            arch::LIBRARIES
        };
        if self.cache.is_none() {
            self.cache = Some(self.open(CACHE).is_ok());
        }
        if self.cache == Some(true) {
            match self.directories(default, name) {
                // What the cache says is looked for in the directories again.
                Err(Missing::Nothing | Missing::Refused) => {}
                done => return done,
            }
        }
        self.directories(default, name)
    }

    /// `open_path`: a refusal ends the list, what is missing does not.
    fn directories(&mut self, list: &str, name: &str) -> Result<File, Missing> {
        for directory in list.split([':', ';']) {
            match self.library(&format!("{directory}/{name}")) {
                Err(Missing::Nothing) => {}
                done => return done,
            }
        }
        Err(Missing::Nothing)
    }

    /// `open_verify`: another width or machine is as good as nothing.
    fn library(&mut self, path: &str) -> Result<File, Missing> {
        let file = self.open(path)?;
        match &file.image().elf {
            None => Err(Missing::Malformed),
            Some(elf) if elf.is_narrow() != self.narrow => Err(Missing::Nothing),
            Some(_) => Ok(file),
        }
    }

    fn open(&mut self, path: &str) -> Result<File, Missing> {
        let caller = &self.running.caller;
        let Ok(Walked::File(file)) = walk(self.files, caller, &caller.cwd, path, true) else {
            return Err(Missing::Nothing);
        };
        if !file.owned.may_read(caller.uid, caller.gid) {
            return Err(Missing::Nothing);
        }
        if file.watched {
            let step = PredictedStep {
                execute: false,
                path: file.name.clone(),
                exe: self.running.exe.name.clone(),
                comm: self.running.comm.clone(),
            };
            if (self.observer)(&step) != Answer::Go {
                return Err(Missing::Refused);
            }
        }
        Ok(*file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Elf as Built;
    use crate::model::sample::{Sample, call, libraries};
    use crate::model::{Call, ElfHeaders as Headers};

    const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

    /// A library with this name, which needs others.
    fn library(file: &mut File, soname: &str, needed: &[&str]) {
        if let Some(elf) = file.image.as_mut().and_then(|image| image.elf.as_mut()) {
            *elf = Headers {
                soname: Some(soname.to_owned()),
                needed: needed.iter().map(|name| (*name).to_owned()).collect(),
                ..elf.clone()
            };
        }
    }

    /// A program `/a` that needs `x.so`, which needs `z.so`, and `y.so`.
    fn sample() -> Sample {
        let elf = Built::new();
        let program = elf.clone().interpreter(LOADER).needs("x.so").needs("y.so");
        let directories = ["/etc", "/lib", "/lib64", "/usr", "/usr/lib", "/tmp"];
        let sample = directories
            .iter()
            .fold(Sample::new(), |sample, path| sample.directory(path));
        let sample = sample.file(CACHE, b"").program("/a", &program);
        let sample = sample.program(LOADER, &elf).program("/tmp/p.so", &elf);
        let sample = sample.with(LOADER, |file| library(file, "ld-linux-x86-64.so.2", &[]));
        ["x.so", "y.so", "z.so"]
            .iter()
            .fold(sample, |sample, name| {
                let path = format!("/lib/{name}");
                let needed: &[&str] = if *name == "x.so" { &["z.so"] } else { &[] };
                sample
                    .program(&path, &elf)
                    .with(&path, |file| library(file, name, needed))
            })
    }

    fn preloading(list: &str) -> Call {
        let mut call = call("/a");
        call.environment.push(format!("LD_PRELOAD={list}"));
        call
    }

    #[test]
    fn libraries_are_loaded_breadth_first() {
        let (steps, loaded) = libraries(&sample(), &call("/a"), "");
        assert_eq!(steps, [CACHE, "/lib/x.so", "/lib/y.so", "/lib/z.so"]);
        assert_eq!(loaded, Loaded::Runs);
    }

    #[test]
    fn what_is_preloaded_comes_first() {
        let (steps, _) = libraries(&sample(), &preloading("/tmp/p.so z.so"), "");
        assert_eq!(
            steps,
            ["/tmp/p.so", CACHE, "/lib/z.so", "/lib/x.so", "/lib/y.so"]
        );
    }

    #[test]
    fn a_preload_that_is_missing_is_left_out() {
        assert_eq!(
            libraries(&sample(), &preloading("/tmp/none.so"), "").1,
            Loaded::Runs
        );
    }

    #[test]
    fn a_program_of_another_user_preloads_nothing() {
        let sample = sample().with("/a", |file| file.owned.mode |= 0o4000);
        let mut call = preloading("/tmp/p.so");
        call.caller.uid = 7;
        assert_eq!(libraries(&sample, &call, "").0[0], CACHE);
    }

    #[test]
    fn a_refused_library_is_looked_for_again() {
        let (steps, loaded) = libraries(&sample(), &call("/a"), "/lib/y.so");
        assert_eq!(steps, [CACHE, "/lib/x.so", "/lib/y.so", "/lib/y.so"]);
        assert_eq!(loaded, Loaded::Exits(GIVES_UP));
    }

    #[test]
    fn without_the_cache_the_directories_are_searched() {
        let (steps, loaded) = libraries(&sample(), &call("/a"), CACHE);
        assert_eq!((steps[1].as_str(), loaded), ("/lib/x.so", Loaded::Runs));
    }

    #[test]
    fn a_loader_run_by_hand_opens_its_program_first() {
        let mut call = call(LOADER);
        call.argv.push("/a".to_owned());
        assert_eq!(libraries(&sample(), &call, "").0[..2], ["/a", CACHE]);
    }

    #[test]
    fn an_interpreter_that_is_no_loader_is_not_predicted() {
        let program = Built::new().interpreter("/x").needs("y");
        let sample = sample().program(LOADER, &program);
        assert!(matches!(
            libraries(&sample, &call("/a"), "").1,
            Loaded::Unknown(_)
        ));
    }
}
