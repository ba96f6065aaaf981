//! Plays a case, as a scenario would.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use super::{Case, Content, Made, Program, Start};
use crate::scenario::{Elf, Exec, Stage};
use crate::wire::Act;

/// Who is not root.
const NOBODY: u32 = 65534;

impl Case {
    /// Makes the files and starts the program; starts nothing when a file that is to be opened
    /// before is not there.
    ///
    /// # Errors
    ///
    /// A file cannot be made, or what comes before the call fails.
    pub fn play(&self, stage: &mut Stage) -> Result<()> {
        for made in &self.files {
            made.make(stage)?;
        }
        if !self.can_begin() {
            return Ok(());
        }
        let mut exec = self.start.exec()?;
        for argument in &self.arguments {
            exec = exec.arg(argument)?;
        }
        for (name, value) in &self.variables {
            exec = exec.env(name, value)?;
        }
        if self.user {
            exec = exec.before(|| {
                setgroups(&[])?;
                setgid(Gid::from_raw(NOBODY))?;
                Ok(setuid(Uid::from_raw(NOBODY))?)
            });
        }
        match self.refused {
            Some(nth) => stage
                .refuse(&exec, Act::Deny, nth, "whatever it is")
                .map(drop),
            None => stage.observe(&exec).map(drop),
        }
    }

    /// Whether what the case opens before its call is there to be opened.
    fn can_begin(&self) -> bool {
        match &self.start {
            Start::Descriptor {
                path, path_only, ..
            } => {
                let meta = fs::metadata(path);
                meta.is_ok_and(|meta| *path_only || meta.is_file() || meta.is_dir())
            }
            _ => true,
        }
    }
}

impl Made {
    fn make(&self, stage: &mut Stage) -> Result<()> {
        let mode = self.mode;
        match &self.content {
            Content::Text(text) => stage.file(&self.name, text.as_bytes(), mode).map(drop),
            Content::Program(program) => stage
                .file(&self.name, &program.elf().build(), mode)
                .map(drop),
            Content::Link(target) => stage.link(target, &self.name).map(drop),
            Content::Directory => stage.directory(&self.name).map(drop),
            Content::Copy(from) => {
                let bytes = fs::read(from).with_context(|| format!("failed to read {from}"))?;
                stage.file(&self.name, &bytes, mode).map(drop)
            }
        }
    }
}

impl Program {
    fn elf(&self) -> Elf {
        let mut elf = if self.narrow {
            Elf::new_32()
        } else {
            Elf::new()
        };
        if let Some(interpreter) = &self.interpreter {
            elf = elf.interpreter_bytes(interpreter.as_bytes());
        }
        for library in &self.needed {
            elf = elf.needs(library);
        }
        if let Some(path) = self.runpath {
            elf = elf.runpath(path);
        }
        match self.flaw {
            Some(flaw) => elf.flaw(flaw),
            None => elf,
        }
    }
}

impl Start {
    fn exec(&self) -> Result<Exec> {
        match self {
            Start::Path(path) => Exec::path(path),
            Start::Opened(path) => Exec::descriptor(path),
            Start::Descriptor {
                path,
                path_only,
                cloexec,
                flags,
            } => {
                let flags = flags | libc::AT_EMPTY_PATH;
                let mut open = OFlag::O_RDONLY;
                open.set(OFlag::O_PATH, *path_only);
                open.set(OFlag::O_CLOEXEC, *cloexec);
                Ok(Exec::at("execveat", "fd 5", 5, c"", flags)?.opened(5, path, open))
            }
            Start::At {
                directory,
                path,
                flags,
            } => {
                let path = CString::new(path.as_str()).context("a NUL in a path")?;
                let fd = if *directory { 5 } else { libc::AT_FDCWD };
                let exec = Exec::at("execveat", Path::new("a path"), fd, &path, *flags)?;
                let open = OFlag::O_PATH | OFlag::O_CLOEXEC;
                Ok(if *directory {
                    exec.opened(5, "/tmp", open)
                } else {
                    exec
                })
            }
        }
    }
}
