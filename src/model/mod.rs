//! The model: what the kernel opens when a program starts, in which order, under which exe and
//! comm, and which errno ends it.
//!
//! This is the specification of the project in code. [`exec`] is the kernel's part and makes no
//! exception; [`load`] goes on with what ld.so opens, and says where it does not know. Both are
//! pure: the files come from [`Files`], the kernel's differences from [`differences`], and what an
//! observer answers to a step from the caller. [`check`] holds a trail against them.

pub mod check;
mod credentials;
pub mod differences;
mod files;
mod image;
mod kernel;
mod loader;
pub mod reach;
#[cfg(test)]
mod sample;
mod script;
mod strings;
mod walk;

use serde::{Deserialize, Serialize};

pub use check::{Witness, check};
pub use files::{Capabilities, Either, File, Files, Node, Owned, Recording, World};
pub use image::{Bytes, ElfHeaders, HEAD, Image, Interpreter};
pub use kernel::{exec, exit};
pub use loader::{Loaded, load};
pub use reach::Reach;
pub(crate) use script::first_line;
pub use walk::readable;

/// A call that should start a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What it names.
    pub target: Target,
    /// The arguments.
    #[serde(with = "strings")]
    pub argv: Vec<String>,
    /// The environment, `NAME=VALUE`.
    #[serde(with = "strings")]
    pub environment: Vec<String>,
    /// Which process makes it.
    pub by: By,
    /// With which errno, by name, a filter answers it.
    pub filtered: Option<String>,
    /// A descriptor that is older than the copy of its file.
    pub older: Option<Older>,
    /// Who makes it.
    pub caller: Caller,
    /// What is registered with binfmt_misc, the newest first.
    pub formats: Vec<BinfmtEntry>,
    /// `kernel.modprobe`; empty for none.
    pub modprobe: String,
}

/// What a call names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// A path: execve(2).
    Path(String),
    /// A path from a descriptor, or the descriptor itself: execveat(2).
    At {
        /// The descriptor; none for the working directory (`AT_FDCWD`).
        fd: Option<i32>,
        /// The path, which may be empty.
        path: String,
        /// `AT_EMPTY_PATH`, `AT_SYMLINK_NOFOLLOW`, `AT_EXECVE_CHECK`.
        flags: i32,
        /// The descriptor will be closed by the exec.
        cloexec: bool,
    },
}

/// A descriptor of an overlay's file that was copied up since it was opened: closing it opens the copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Older {
    /// Path of the file.
    pub path: String,
    /// When it is closed.
    pub closed: Closed,
}

/// When a descriptor is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closed {
    /// It has `FD_CLOEXEC`.
    ByExec,
    /// It has not, and nobody closes it.
    ByExit,
}

/// Which process makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The caller itself.
    Itself,
    /// A child that is like it, and as which it ends.
    Child {
        /// Its end tells the errno of the child's call; some that are kept tell only that it failed (ENOEXEC).
        tells: bool,
    },
}

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Its exe.
    pub exe: String,
    /// Its comm.
    pub comm: String,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Real user and group.
    pub real: (u32, u32),
    /// Further groups.
    pub groups: Vec<u32>,
    /// What bits of files say does not count (`CAP_DAC_OVERRIDE` in the first user namespace).
    pub overrides: bool,
    /// Nor when it reads files and searches directories (`CAP_DAC_READ_SEARCH`).
    pub reads: bool,
    /// No exec gives it more than it has (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privileges: bool,
    /// It is in another user namespace than the first, where nobody is mapped.
    pub unmapped: bool,
    /// Working directory.
    pub cwd: String,
    /// How many processes the user may have, and has; only for who became this user when there
    /// were too many (`PF_NPROC_EXCEEDED`).
    pub processes: Option<(u64, u64)>,
    /// The system has no file left for this user (`fs.file-max`).
    pub no_files: bool,
    /// Bounding set of capabilities.
    pub bounding: u64,
    /// Inheritable capabilities.
    pub inheritable: u64,
    /// `RLIMIT_STACK`, in bytes.
    pub stack: u64,
    /// `RLIMIT_AS`, in bytes.
    pub space: u64,
    /// Links of others are not followed where everybody can put one (`fs.protected_symlinks`).
    pub protects_links: bool,
    /// No number is left for another descriptor, when those that the exec closes are closed.
    pub no_descriptor: bool,
    /// The table of descriptors is shared, and larger than a copy of it may be (`fs.nr_open`).
    pub large_table: bool,
}

/// An entry of binfmt_misc.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinfmtEntry {
    /// What it recognises.
    pub matches: Matches,
    /// Path of the interpreter.
    pub interpreter: String,
    /// The interpreter as it was opened when the entry was made (flag `F`).
    pub fixed: Option<Box<File>>,
    /// The flags, a letter each.
    pub flags: String,
}

/// What an entry of binfmt_misc recognises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matches {
    /// Bytes of the file, of which those bits count that the mask has.
    Magic {
        /// Where they begin.
        offset: usize,
        /// The bytes.
        bytes: Vec<u8>,
        /// As many bytes; all bits count where there is none.
        mask: Vec<u8>,
    },
    /// What stands after the last dot of the name.
    Extension(String),
}

impl BinfmtEntry {
    /// Reads a rule as it is written to `register`, without its name:
    /// `M:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS` (Documentation/admin-guide/binfmt-misc.rst).
    ///
    /// Nothing for a rule that the kernel does not take either.
    #[must_use]
    pub fn parse(rule: &str, files: &dyn Files) -> Option<BinfmtEntry> {
        let mut fields = rule.split(':');
        let (kind, offset) = (fields.next()?, fields.next()?);
        let (what, mask) = (fields.next()?, fields.next()?);
        let (interpreter, flags) = (fields.next()?, fields.next()?);
        let matches = match kind {
            "M" => {
                let (bytes, mask) = (unescaped(what)?, unescaped(mask)?);
                let offset = match offset {
                    "" => 0,
                    number => number.parse().ok()?,
                };
                (mask.is_empty() || mask.len() == bytes.len()).then_some(Matches::Magic {
                    offset,
                    bytes,
                    mask,
                })?
            }
            _ => Matches::Extension(what.to_owned()),
        };
        let fixed = match files.node(interpreter).filter(|_| flags.contains('F')) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        };
        Some(BinfmtEntry {
            matches,
            interpreter: interpreter.to_owned(),
            fixed,
            flags: flags.to_owned(),
        })
    }
}

impl Matches {
    /// Whether the first bytes of a file, or its name, are those that are wanted
    /// (`search_binfmt_handler` in fs/binfmt_misc.c).
    #[must_use]
    pub fn fits(&self, head: &[u8], name: &str) -> bool {
        match self {
            Matches::Magic {
                offset,
                bytes,
                mask,
            } => {
                let found = head.get(*offset..).unwrap_or_default();
                let bits = mask.iter().copied().chain(std::iter::repeat(0xff));
                found.len() >= bytes.len()
                    && found
                        .iter()
                        .zip(bytes)
                        .zip(bits)
                        .all(|((found, wanted), bits)| (found ^ wanted) & bits == 0)
            }
            Matches::Extension(wanted) => {
                let extension = name.rsplit_once('.');
                extension.is_some_and(|(_, extension)| extension == wanted)
            }
        }
    }
}

/// The bytes of a field, in which `\xHH` stands for one.
fn unescaped(field: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if let (b'\\', [b'x', high, low, after @ ..]) = (first, after) {
            let digits = [*high, *low];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}

/// One step that an observer sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictedStep {
    /// `execute`, or `open`.
    pub execute: bool,
    /// The file.
    pub path: String,
    /// Exe of the process at that moment.
    pub exe: String,
    /// Its comm.
    pub comm: String,
}

/// What an observer does with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Lets it go.
    Go,
    /// Refuses it with this errno, by name.
    Refuse(String),
}

/// How the kernel's part ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelEnding {
    /// The call fails with this errno, by name, and the caller goes on.
    Errno(String),
    /// ENOEXEC, and perhaps a helper that the kernel starts to find out more.
    NoFormat {
        /// Path of the helper.
        helper: Option<String>,
    },
    /// The call would have gone well, and was to do no more (`AT_EXECVE_CHECK`).
    Checked,
    /// The caller is no more, and the program never runs: this signal.
    Signal(&'static str),
    /// The listener hangs.
    Hang,
    /// A program runs.
    Runs(Box<Started>),
}

/// A program that the kernel has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What the exe link says.
    pub exe: File,
    /// Its comm.
    pub comm: String,
    /// What is mapped as the program.
    pub program: File,
    /// The ELF interpreter.
    pub interpreter: Option<File>,
    /// `AT_EXECFN`.
    pub execfn: String,
    /// Where the descriptor of `AT_EXECFD` leads; none where there is no such descriptor.
    pub execfd: Option<String>,
    /// Its arguments.
    pub argv: Vec<String>,
    /// Its environment.
    pub environment: Vec<String>,
    /// Whether it is another user's (`AT_SECURE`).
    pub secure: bool,
    /// Who it is: whose paths the loader follows.
    pub caller: Caller,
}

/// Where steps go, and answers come from.
pub type Eye<'a> = dyn FnMut(&PredictedStep) -> Answer + 'a;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(rule: &str) -> Option<Matches> {
        BinfmtEntry::parse(rule, &World::default()).map(|format| format.matches)
    }

    #[test]
    fn a_magic_is_at_its_offset_and_only_the_bits_of_the_mask_count() {
        let found = matches(r"M:1:\x7fE\x00:\xff\xff\xfe:/i:F").unwrap();
        assert!(found.fits(b"_\x7fE\x01_", ""));
        assert!(!found.fits(b"_\x7fE\x02_", ""));
        assert!(!found.fits(b"\x7fE\x00", ""));
    }

    #[test]
    fn a_magic_without_a_mask_counts_every_bit() {
        let found = matches("M::ab::/i:").unwrap();
        assert!(found.fits(b"abc", "") && !found.fits(b"aB", "") && !found.fits(b"a", ""));
    }

    #[test]
    fn a_mask_of_another_length_is_no_rule() {
        assert_eq!(matches(r"M::ab:\xff:/i:"), None);
    }

    #[test]
    fn an_extension_is_after_the_last_dot() {
        let found = matches("E::exe::/i:").unwrap();
        assert!(found.fits(b"", "a.b.exe") && !found.fits(b"", "exe"));
    }
}
