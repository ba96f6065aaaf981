//! What a program of the host takes along: interpreter, `#!` chain and libraries, as the kernel and
//! ld.so(8) would find them here.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use goblin::elf::Elf;
use goblin::elf::header::{EM_386, EM_X86_64, machine_to_str};

use super::{LIMIT, Root};
use crate::bound;
use crate::vm::tree::{Entry, Owner};

/// How many symlinks of a path are followed, as by the kernel, and how deep files that ld.so.conf includes.
const DEEPEST: usize = 40;

/// Programs of the host that go into a root, with what they need.
#[derive(Debug)]
pub struct Closure<'a> {
    root: &'a mut Root,
    /// Paths that are in it.
    done: BTreeSet<PathBuf>,
    /// Directories in which ld.so looks for everybody's libraries.
    default: Vec<PathBuf>,
    /// What DT_RPATH of those says for whom a library is being looked for, the nearest first; none outside of that.
    above: Option<Vec<PathBuf>>,
    /// Whether a program of another machine is taken, because something of the user's runs it.
    foreign: Foreign,
    /// What was taken, and for whom.
    pub taken: Vec<(PathBuf, String)>,
    /// What is not on this host.
    pub missing: Vec<Missing>,
}

/// What becomes of a program for another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It is an error.
    Refused,
    /// It is taken as it is.
    Taken,
}

/// Something that is needed and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: String,
    /// Who needs it.
    pub by: PathBuf,
}

/// Who needs a library, and where it may be before the usual places.
struct Requester {
    wide: bool,
    places: Vec<PathBuf>,
}

impl<'a> Closure<'a> {
    /// Nothing yet.
    pub fn new(root: &'a mut Root, foreign: Foreign) -> Closure<'a> {
        Closure {
            root,
            done: BTreeSet::new(),
            default: default_directories(Path::new("/etc/ld.so.conf")),
            above: None,
            foreign,
            taken: Vec::new(),
            missing: Vec::new(),
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
        let real = self.place(path)?;
        self.done.insert(path.to_owned());
        if !self.done.insert(real.clone()) && real != path {
            return Ok(());
        }
        self.taken.push((path.to_owned(), why.to_owned()));
        let mut head = Vec::new();
        let file = bound::open(&real, LIMIT)?;
        (&file).take(256).read_to_end(&mut head)?;
        if let Some(line) = head.strip_prefix(b"#!") {
            return self.script(path, line);
        }
        if head.starts_with(b"\x7fELF") {
            let bytes = bound::file(&real, LIMIT)?;
            return self.program(path, &real, &bytes);
        }
        Ok(())
    }

    /// Adds a path with the symlinks on the way; returns the file that it leads to.
    fn place(&mut self, path: &Path) -> Result<PathBuf> {
        let mut links = 0;
        let mut left: Vec<PathBuf> = vec![path.to_owned()];
        let mut here = PathBuf::from("/");
        while let Some(next) = left.pop() {
            let mut parts = next.components();
            let Some(part) = parts.next() else { continue };
            left.push(parts.as_path().to_owned());
            match part {
                Component::RootDir => here = PathBuf::from("/"),
                Component::ParentDir => drop(here.pop()),
                Component::Normal(name) => here.push(name),
                Component::CurDir | Component::Prefix(_) => {}
            }
            let context = || format!("failed to read {}", here.display());
            let meta = fs::symlink_metadata(&here).with_context(context)?;
            let place = here
                .to_str()
                .with_context(|| format!("{here:?} is no UTF-8"))?;
            let place = place.trim_start_matches('/').to_owned();
            if meta.is_symlink() {
                links += 1;
                if links > DEEPEST {
                    bail!("{} leads through too many symlinks", path.display());
                }
                let target = fs::read_link(&here).with_context(context)?;
                let text = target.to_string_lossy().into_owned();
                self.root.entry(&place, Entry::Link(text), Owner::default());
                here.pop();
                left.push(target);
            } else if meta.is_file() {
                use std::os::unix::fs::MetadataExt as _;
                let (mode, owner) = (meta.mode() & 0o7777, Owner(meta.uid(), meta.gid()));
                self.root.file(&place, &here, mode, owner)?;
                return Ok(here);
            }
        }
        bail!("{} is no file", path.display())
    }

    fn script(&mut self, path: &Path, line: &[u8]) -> Result<()> {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let mut words = line.split_ascii_whitespace();
        let Some(interpreter) = words.next() else {
            return Ok(());
        };
        let why = format!("interpreter of {}", path.display());
        self.need(Path::new(interpreter), path, &why)?;
        // env(1) searches for what it is told to run.
        if interpreter.ends_with("/env")
            && let Some(name) = words.find(|word| !word.starts_with('-') && !word.contains('='))
        {
            match search(name) {
                Some(found) => self.need(&found, path, &why)?,
                None => self.misses(name.to_owned(), path),
            }
        }
        Ok(())
    }

    fn program(&mut self, path: &Path, real: &Path, bytes: &[u8]) -> Result<()> {
        let elf = match Elf::parse(bytes) {
            Ok(elf) => elf,
            // The kernel will say what it thinks of it.
            Err(_) => return Ok(()),
        };
        let machine = elf.header.e_machine;
        if !matches!(machine, EM_X86_64 | EM_386) {
            return match self.foreign {
                Foreign::Taken => Ok(()),
                Foreign::Refused => bail!(
                    "{} is for {}, and these kernels are for x86-64: give them an entry of binfmt_misc \
                     with --binfmt, and its interpreter with --add",
                    path.display(),
                    machine_to_str(machine)
                ),
            };
        }
        if let Some(interpreter) = elf.interpreter {
            let why = format!("ELF interpreter of {}", path.display());
            self.need(Path::new(interpreter), path, &why)?;
            if interpreter.contains("/ld-linux") {
                self.settings(path)?;
            }
        }
        // Of a program the origin is the directory of its exe link, of a library that of its name.
        let origin = if self.above.is_some() { path } else { real };
        let above = self.above.clone().unwrap_or_default();
        let rpath = places(&elf.rpaths, origin);
        let requester = Requester {
            wide: elf.is_64,
            // DT_RUNPATH makes ld.so ignore DT_RPATH, its own and that of those who need it.
            places: match elf.runpaths.is_empty() {
                true => [rpath.as_slice(), &above].concat(),
                false => places(&elf.runpaths, origin),
            },
        };
        let above = match elf.runpaths.is_empty() {
            true => requester.places.clone(),
            false => above,
        };
        let before = self.above.replace(above);
        for library in &elf.libraries {
            match self.find(&requester, library) {
                Some(found) => {
                    let why = format!("library of {}", path.display());
                    self.need(&found, path, &why)?;
                }
                None => self.misses((*library).to_owned(), path),
            }
        }
        self.above = before;
        Ok(())
    }

    /// What every loader of glibc reads: its cache, and libraries for everybody.
    fn settings(&mut self, by: &Path) -> Result<()> {
        let cache = Path::new("/etc/ld.so.cache");
        if cache.exists() {
            self.add(cache, "read by ld.so")?;
        }
        let preload = Path::new("/etc/ld.so.preload");
        if let Ok(list) = fs::read_to_string(preload) {
            self.add(preload, "read by ld.so")?;
            for library in list
                .split([' ', ':', '\n', '\t'])
                .filter(|word| word.starts_with('/'))
            {
                self.need(Path::new(library), by, "named in /etc/ld.so.preload")?;
            }
        }
        Ok(())
    }

    fn need(&mut self, path: &Path, by: &Path, why: &str) -> Result<()> {
        match path.is_file() {
            true => self.add(path, why),
            false => {
                self.misses(path.display().to_string(), by);
                Ok(())
            }
        }
    }

    fn misses(&mut self, what: String, by: &Path) {
        let missing = Missing {
            what,
            by: by.to_owned(),
        };
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }

    /// Where ld.so finds a library (ld.so(8)).
    fn find(&self, by: &Requester, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            return Some(PathBuf::from(name));
        }
        let mut places = by
            .places
            .iter()
            .chain(&self.default)
            .map(|place| place.join(name));
        places.find(|place| is_library(place, by.wide))
    }
}

/// The directories of such entries of a file whose directory is `$ORIGIN`.
fn places(lists: &[&str], file: &Path) -> Vec<PathBuf> {
    let origin = file.parent().unwrap_or(Path::new("/"));
    let origin = origin.display().to_string();
    let expand = |path: &str| {
        let path = path
            .replace("${ORIGIN}", &origin)
            .replace("$ORIGIN", &origin);
        let path = path.replace("$LIB", "lib/x86_64-linux-gnu");
        PathBuf::from(path.replace("$PLATFORM", "x86_64"))
    };
    let all = lists.iter().flat_map(|list| list.split(':'));
    all.map(expand).collect()
}

/// Whether a library is there, and for programs of this width.
fn is_library(path: &Path, wide: bool) -> bool {
    let mut head = [0; 20];
    let read = bound::open(path, LIMIT).is_ok_and(|mut file| file.read_exact(&mut head).is_ok());
    // EI_CLASS, then e_machine (elf(5)).
    let machine = u16::from_le_bytes([head[18], head[19]]);
    read && (head[4] == 2) == wide && machine == if wide { EM_X86_64 } else { EM_386 }
}

/// A command on the user's PATH, by its absolute path also where an entry of PATH is none.
pub fn search(name: &str) -> Option<PathBuf> {
    search_in(&std::env::var_os("PATH")?, name)
}

fn search_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let executable = |place: &PathBuf| {
        let meta = fs::metadata(place);
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .map(|directory| directory.join(name))
        .find(executable)
        .and_then(|found| std::path::absolute(found).ok())
}

/// Directories of /etc/ld.so.conf with what it includes, and those that need no mention.
fn default_directories(conf: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    configured(conf, 0, &mut found);
    let usual = [
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib64",
        "/usr/lib64",
        "/lib/i386-linux-gnu",
        "/usr/lib/i386-linux-gnu",
        "/lib32",
        "/usr/lib32",
        "/lib",
        "/usr/lib",
    ];
    found.extend(usual.map(PathBuf::from));
    found
}

fn configured(conf: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let text = fs::read_to_string(conf).unwrap_or_default();
    for line in text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
    {
        match line.strip_prefix("include") {
            Some(pattern) if depth < DEEPEST => {
                let pattern = Path::new(pattern.trim());
                let (Some(directory), Some(name)) = (pattern.parent(), pattern.file_name()) else {
                    continue;
                };
                let glob = globset::Glob::new(&name.to_string_lossy());
                let Ok(glob) = glob.map(|glob| glob.compile_matcher()) else {
                    continue;
                };
                for path in crate::files::list(directory).unwrap_or_default() {
                    if path.file_name().is_some_and(|name| glob.is_match(name)) {
                        configured(&path, depth + 1, found);
                    }
                }
            }
            None if line.starts_with('/') => found.push(PathBuf::from(line)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Elf as Made;

    fn closure(path: &Path) -> (Vec<PathBuf>, Vec<String>) {
        let mut root = Root::default();
        let mut closure = Closure::new(&mut root, Foreign::Refused);
        closure.add(path, "asked for").unwrap();
        let taken = closure.taken.iter().map(|(path, _)| path.clone()).collect();
        let missing = closure
            .missing
            .iter()
            .map(|missing| missing.what.clone())
            .collect();
        (taken, missing)
    }

    fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_script_takes_its_interpreter_and_that_ones_libraries() {
        let dir = tempfile::tempdir().unwrap();
        let script = file(dir.path(), "run", b"#!/bin/sh\n:\n");
        let (taken, missing) = closure(&script);
        assert!(taken.contains(&PathBuf::from("/bin/sh")), "{taken:?}");
        assert!(
            taken.iter().any(|path| path.ends_with("libc.so.6")),
            "{taken:?}"
        );
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn a_library_is_found_by_runpath_and_origin_before_the_usual_places() {
        let dir = tempfile::tempdir().unwrap();
        let library = file(dir.path(), "libown.so", &Made::new().build());
        let program = Made::new()
            .interpreter("/lib64/ld-linux-x86-64.so.2")
            .needs("libown.so")
            .runpath("$ORIGIN");
        let program = file(dir.path(), "program", &program.build());
        let (taken, missing) = closure(&program);
        assert!(taken.contains(&library), "{taken:?} {missing:?}");
    }

    /// A program with this path for libraries, one of which needs another one in `below`.
    fn chain(path: impl Fn(Made) -> Made) -> (Vec<PathBuf>, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("below");
        fs::create_dir(&below).unwrap();
        let loader = "/lib64/ld-linux-x86-64.so.2";
        let first = Made::new().interpreter(loader).needs("libsecond.so");
        file(&below, "libfirst.so", &first.build());
        let second = file(&below, "libsecond.so", &Made::new().build());
        let program = Made::new().interpreter(loader).needs("libfirst.so");
        let program = file(dir.path(), "program", &path(program).build());
        (closure(&program).0, second)
    }

    #[test]
    fn rpath_goes_for_what_a_library_needs() {
        let (taken, second) = chain(|program| program.rpath("$ORIGIN/below"));
        assert!(taken.contains(&second), "{taken:?}");
    }

    #[test]
    fn runpath_does_not_go_for_what_a_library_needs() {
        let (taken, second) = chain(|program| program.runpath("$ORIGIN/below"));
        assert!(!taken.contains(&second), "{taken:?}");
    }

    #[test]
    fn the_origin_of_a_program_is_where_its_symlink_leads() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there");
        fs::create_dir(&there).unwrap();
        let library = file(&there, "libown.so", &Made::new().build());
        let program = Made::new()
            .interpreter("/lib64/ld-linux-x86-64.so.2")
            .needs("libown.so")
            .runpath("$ORIGIN");
        file(&there, "program", &program.build());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("there/program", &link).unwrap();
        let (taken, missing) = closure(&link);
        assert!(taken.contains(&library), "{taken:?} {missing:?}");
    }

    #[test]
    fn a_command_of_a_relative_entry_of_path_has_an_absolute_path() {
        // Tests begin in the directory of the package.
        let found = search_in(OsStr::new("nowhere:vm"), "setup").unwrap();
        assert_eq!(
            found,
            Path::new(env!("CARGO_MANIFEST_DIR")).join("vm/setup")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let program = Made::new()
            .interpreter("/nowhere/ld.so")
            .needs("libnowhere.so");
        let program = file(dir.path(), "program", &program.build());
        let (_, missing) = closure(&program);
        assert_eq!(missing, ["/nowhere/ld.so", "libnowhere.so"]);
    }

    #[test]
    fn a_program_for_another_machine_is_an_error_that_names_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = Made::new().build();
        bytes[18] = 183;
        let program = file(dir.path(), "program", &bytes);
        let mut root = Root::default();
        let mut closure = Closure::new(&mut root, Foreign::Refused);
        let error = closure.add(&program, "asked for").unwrap_err().to_string();
        assert!(error.contains("is for AARCH64"), "{error}");
        let mut closure = Closure::new(&mut root, Foreign::Taken);
        closure.add(&program, "asked for").unwrap();
    }
}
