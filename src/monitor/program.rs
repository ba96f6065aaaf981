//! What a command's name stands for: where execve(2) is tried, and what a file there asks for.
//!
//! Everything is looked at before anything is watched, so that no open of ours is among the events.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use goblin::container::Ctx;
use goblin::elf::program_header::PT_INTERP;
use goblin::elf::{Elf, ProgramHeader};
use nix::errno::Errno;

/// Where programs are looked for without `PATH` (execvp(3)).
const SEARCHED: &str = "/bin:/usr/bin";
/// How much of a file's first line the kernel reads (`BINPRM_BUF_SIZE` in
/// include/uapi/linux/binfmts.h).
const HEAD: usize = 256;
/// How much of program headers, and of the name of an interpreter with its NUL (`load_elf_phdrs` and `load_elf_binary` in
/// fs/binfmt_elf.c).
const TABLE: usize = 65536;
const NAME: usize = 4096;

/// The paths under which a program is tried, in this order.
#[derive(Debug)]
pub struct Program {
    candidates: Vec<Candidate>,
}

/// One of them.
#[derive(Debug)]
struct Candidate {
    path: CString,
    /// What the file there names as its interpreter; none when there is no such file, or it names
    /// none.
    interpreter: Option<OsString>,
}

impl Program {
    /// Looks a name up: one without a slash in each directory of `PATH`.
    ///
    /// # Errors
    ///
    /// A NUL in the name.
    pub fn find(name: &OsStr, search: Option<OsString>) -> Result<Program> {
        let paths = if name.is_empty() || name.as_bytes().contains(&b'/') {
            vec![name.as_bytes().to_vec()]
        } else {
            let search = search.unwrap_or_else(|| SEARCHED.into());
            let directories = search.as_bytes().split(|byte| *byte == b':');
            let within = |directory: &[u8]| match directory {
                // An empty one is the working directory.
                b"" => name.as_bytes().to_vec(),
                directory => [directory, b"/", name.as_bytes()].concat(),
            };
            directories.map(within).collect()
        };
        let candidate = |path: Vec<u8>| {
            let interpreter = interpreter(OsStr::from_bytes(&path));
            let path = CString::new(path).context("a NUL in the command's name")?;
            anyhow::Ok(Candidate { path, interpreter })
        };
        let candidates = paths.into_iter().map(candidate);
        Ok(Program {
            candidates: candidates.collect::<Result<_>>()?,
        })
    }

    /// Tries one path after the other with `exec`, which returns only when it fails; the errno that
    /// ends the search, and which path it was about.
    ///
    /// Only `ENOENT`, `ENOTDIR` and `EACCES` go on to the next path. Nothing is handed to a shell:
    /// `ENOEXEC` ends it.
    pub fn try_each(&self, mut exec: impl FnMut(&CString) -> Errno) -> (Errno, usize) {
        let mut result = (Errno::ENOENT, 0);
        for (nth, candidate) in self.candidates.iter().enumerate() {
            match exec(&candidate.path) {
                // A file that is there and asks for what is not: no other one is meant.
                Errno::ENOENT if candidate.interpreter.is_some() => return (Errno::ENOENT, nth),
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::EACCES => {
                    if result.0 != Errno::EACCES {
                        result = (Errno::EACCES, nth);
                    }
                }
                errno => return (errno, nth),
            }
        }
        result
    }

    /// Why the path of that number could not be executed, in words.
    #[must_use]
    pub fn failure(&self, errno: Errno, nth: usize) -> String {
        let candidate = self.candidates.get(nth);
        let interpreter = candidate.and_then(|candidate| candidate.interpreter.as_ref());
        match (errno, interpreter) {
            (Errno::ENOENT, Some(interpreter)) => {
                format!(
                    "its interpreter {} is missing, or what that one needs",
                    interpreter.display()
                )
            }
            (Errno::EACCES, Some(interpreter)) => {
                let interpreter = interpreter.display();
                format!("permission denied, to it or to its interpreter {interpreter}")
            }
            (Errno::ENOEXEC, _) => {
                "the kernel knows no such format (ENOEXEC), and no shell is tried".to_owned()
            }
            (errno, _) => errno.desc().to_owned(),
        }
    }
}

/// What a file names after `#!` (execve(2), "Interpreter scripts") or in `PT_INTERP` (elf(5)).
///
/// Of a program no more is read than the kernel reads of it: it may be large, and there is one in each directory of `PATH`.
fn interpreter(path: &OsStr) -> Option<OsString> {
    // A FIFO or a device would be waited for.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let file = File::open(path).ok()?;
    let head = piece(&file, 0, HEAD)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | 0));
        let word = words.find(|word| !word.is_empty())?;
        return Some(OsString::from_vec(word.to_vec()));
    }
    let header = Elf::parse_header(&head).ok()?;
    let context = Ctx::new(header.container().ok()?, header.endianness().ok()?);
    let count = usize::from(header.e_phnum);
    let size = count * usize::from(header.e_phentsize);
    let table = piece(&file, header.e_phoff, size.min(TABLE))?;
    let headers = ProgramHeader::parse(&table, 0, count, context).ok()?;
    let mut headers = headers.into_iter();
    let named = headers.find(|header| header.p_type == PT_INTERP)?;
    let size = usize::try_from(named.p_filesz).unwrap_or(NAME);
    let name = piece(&file, named.p_offset, size.min(NAME))?;
    let name = name.split(|byte| *byte == 0).next()?;
    Some(OsString::from_vec(name.to_vec()))
}

/// So many bytes from this place on, or those that are there.
fn piece(file: &File, place: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], place.checked_add(filled as u64)?) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(filled);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(name: &str, search: &str, answer: impl Fn(&str) -> Errno) -> (Vec<String>, Errno) {
        let program = Program::find(name.as_ref(), Some(search.into())).unwrap();
        let mut paths = Vec::new();
        let (errno, _) = program.try_each(|path| {
            paths.push(path.to_str().unwrap().to_owned());
            answer(path.to_str().unwrap())
        });
        (paths, errno)
    }

    #[test]
    fn a_name_with_a_slash_is_not_searched() {
        let (paths, errno) = tried("./f", "/a:/b", |_| Errno::ENOENT);
        assert_eq!((paths, errno), (vec!["./f".to_owned()], Errno::ENOENT));
    }

    #[test]
    fn an_empty_directory_is_the_working_directory() {
        assert_eq!(tried("f", "/a:", |_| Errno::ENOENT).0, ["/a/f", "f"]);
    }

    #[test]
    fn a_file_of_no_format_ends_the_search() {
        let (paths, errno) = tried("f", "/a:/b", |_| Errno::ENOEXEC);
        assert_eq!((paths.len(), errno), (1, Errno::ENOEXEC));
    }

    #[test]
    fn a_denied_file_is_told_only_when_no_other_is_found() {
        let answer = |path: &str| match path {
            "/a/f" => Errno::EACCES,
            _ => Errno::ENOENT,
        };
        let (paths, errno) = tried("f", "/a:/b", answer);
        assert_eq!((paths.len(), errno), (2, Errno::EACCES));
    }

    #[test]
    fn a_missing_interpreter_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("s");
        std::fs::write(&script, "#! /no/such -x\n").unwrap();
        let program = Program::find(script.as_os_str(), None).unwrap();
        let said = program.failure(Errno::ENOENT, 0);
        assert_eq!(
            said,
            "its interpreter /no/such is missing, or what that one needs"
        );
    }

    #[test]
    fn the_loader_of_a_program_is_its_interpreter() {
        let found = interpreter("/bin/sh".as_ref()).unwrap();
        assert!(found.to_str().unwrap().contains("ld-linux"), "{found:?}");
    }

    #[test]
    fn the_interpreter_of_a_large_program_is_found_in_its_headers() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("p");
        let bytes = crate::elf::Elf::new().interpreter("/no/such").build();
        std::fs::write(&program, bytes).unwrap();
        // More than there is memory, and nothing on the disk.
        File::options()
            .write(true)
            .open(&program)
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        let found = interpreter(program.as_os_str());
        assert_eq!(found, Some("/no/such".into()));
    }
}
