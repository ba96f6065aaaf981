//! A start, and what surrounds it, as data: one type for what is generated, for `exetrail try` and for the
//! case files of a suite. Host and guest have it; [`crate::cases`] plays it.
//!
//! The text of a case file is TOML ([`read`]), and its form is told in `docs/suites.md`.

mod check;
mod names;
mod rule;
mod text;

use std::collections::BTreeMap;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{MOUNT_OPTIONS, Problem};
pub use names::{CAPABILITIES, capability, errno, file_capability, flag, limit};
pub use text::{locate, print, read, refused};

use crate::elf::Flaw;

/// One start as data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, in a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// More about it, in Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// What the kernel must have, such as `overlay` or `binfmt-misc`; a name that is none is answered with
    /// those that there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Parts of the fixture beside its base (`musl`, `i386`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The whole root instead of the fixture: a directory, a tar archive or an OCI image layout, from the
    /// suite's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// How long it may stand still, in seconds; 20 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// Further file systems that are watched, by a path on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<String>,
    /// Settings below `/proc/sys`, such as `kernel.core_pattern`; restored afterwards.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctl: BTreeMap<String, String>,
    /// What is executed, and how.
    pub exec: CaseExec,
    /// What a policy says no to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<Deny>,
    /// Mounts, made in this order before the files.
    #[serde(default, rename = "mount", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<CaseMount>,
    /// Files, made in this order.
    #[serde(default, rename = "file", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Made>,
    /// Entries of binfmt_misc, registered after the files are made; the last one is asked first.
    #[serde(default, rename = "binfmt", skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Registered>,
}

/// What is executed, by whom, and by which call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CaseExec {
    /// The path that the call is given; empty for a descriptor alone (`AT_EMPTY_PATH`).
    #[serde(default)]
    pub path: String,
    /// The call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub call: Way,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: By,
    /// A descriptor that the child has when it makes the call: where the path of `execveat` begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<Fd>,
    /// Flags of `execveat`: `AT_EMPTY_PATH`, `AT_SYMLINK_NOFOLLOW`, `AT_EXECVE_CHECK`, or a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The arguments after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// The first argument, where it is not the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv0: Option<String>,
    /// There is no argument at all, not even the first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_arguments: bool,
    /// Environment variables beside `PATH`, `HOME` and `SHELL`, or in their place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Working directory; `/` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// User id of the caller, who has no capability then; root where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// Group id of the caller; that of the user where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
    /// Further groups of the caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
    /// Root directory of the caller; the working directory is `/` in it where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chroot: Option<String>,
    /// Namespaces that the caller makes for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Namespace>,
    /// Capabilities that are taken from the caller's bounding set, such as `net_raw` (capabilities(7)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// Inheritable capabilities of the caller, such as `net_raw` (capabilities(7)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inheritable: Vec<String>,
    /// No exec may give the caller more than it has (`PR_SET_NO_NEW_PRIVS`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_new_privileges: bool,
    /// A filter of the caller answers every exec with this errno (seccomp(2)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<String>,
    /// Soft limits of the caller, such as `nofile = 16` (getrlimit(2)).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u64>,
}

/// How a program is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// execve(2) of the path.
    #[default]
    Execve,
    /// fexecve(3): open the path, execute the descriptor.
    Fexecve,
    /// execveat(2).
    Execveat,
    /// execve(2) by `int $0x80`, as 32-bit programs call it.
    Int80,
}

/// Who makes the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The process that was made for it, which has one thread.
    #[default]
    Itself,
    /// A thread of it that is not the leader.
    Thread,
    /// A child of it, by vfork(2).
    Vfork,
    /// A child of it, by posix_spawn(3).
    PosixSpawn,
    /// A child of it that shares its memory, by clone(2).
    CloneVm,
}

/// A namespace (namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// Of mounts.
    Mount,
    /// Of users; nobody is mapped.
    User,
}

/// A descriptor that is opened before the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fd {
    /// Its number; 5 where nothing is said.
    #[serde(default = "five", skip_serializing_if = "is_five")]
    pub number: i32,
    /// What it is opened on.
    pub path: String,
    /// `O_PATH` and `O_CLOEXEC`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Open>,
    /// What it is opened on is copied into memory, and the descriptor leads there (memfd_create(2)).
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory: bool,
    /// What becomes of it before the call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub then: Then,
}

/// What becomes of a descriptor before the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// It is kept.
    #[default]
    Kept,
    /// It is closed.
    Closed,
    /// Its file is deleted.
    Deleted,
    /// Its file gets another name, with `.renamed` at its end.
    Renamed,
    /// Its file is opened for writing and closed, which has an overlay copy it up.
    Written,
}

/// A flag of open(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub enum Open {
    /// See open(2).
    #[serde(rename = "O_PATH")]
    Path,
    /// See open(2).
    #[serde(rename = "O_CLOEXEC")]
    Cloexec,
}

/// What is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Deny {
    /// Each event in turn, as a case of its own after one that allows all.
    Each,
    /// The n-th event, from 1.
    Event(usize),
    /// The n-th event, from 1, and every later one of the same file.
    Always(usize),
    /// The n-th event, from 1, with this errno; where the kernel can, from 6.14 on.
    Errno(usize, String),
    /// Every event whose words begin so, such as `open /etc/ld.so.cache`, in turn, after a case that
    /// allows all.
    Path(String),
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CaseMount {
    /// What is mounted.
    pub kind: Kind,
    /// Where.
    pub at: String,
    /// The directory that is shown there: of a bind mount, or the lower layer of an overlay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `noexec`, `nosuid`, `nodev`, `ro`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An empty tmpfs.
    Tmpfs,
    /// A directory at a second place.
    Bind,
    /// An overlay over a directory, whose upper layer is empty.
    Overlay,
}

/// A file, made before the call: one of `text`, `copy`, `host`, `symlink`, `hardlink`, `directory`,
/// `program` says what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Where; absolute.
    pub path: String,
    /// A file with this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A copy of a file of the guest's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
    /// A copy of a file of the suite's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A symlink to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symlink: Option<String>,
    /// A second name of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardlink: Option<String>,
    /// A directory.
    #[serde(default, skip_serializing_if = "is_default")]
    pub directory: bool,
    /// A small ELF program that exits with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// Permission bits; 0o755 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// User and group ids; root's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<(u32, u32)>,
    /// File capabilities (capabilities(7)): `net_raw` is permitted and effective, `net_raw+i` inheritable alone,
    /// with any of the letters `e`, `i` and `p` after the plus.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Another process has it open for writing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub written: bool,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A script, or anything else.
    Text(&'a str),
    /// A copy of a file of the guest.
    Copy(&'a str),
    /// A copy of a file of the host.
    Host(&'a str),
    /// A symlink.
    Link(&'a str),
    /// A second name.
    Hardlink(&'a str),
    /// A directory.
    Directory,
    /// An ELF program.
    Program(&'a Program),
}

/// An ELF program, made as it is described.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// For i386.
    #[serde(default, skip_serializing_if = "is_default")]
    pub narrow: bool,
    /// Its ELF interpreter, with all its bytes: `/lib64/ld-linux-x86-64.so.2\u0000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// A second one, which the kernel passes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// The libraries that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<String>,
    /// Where they are (`DT_RUNPATH`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runpath: Option<String>,
    /// Where they and theirs are (`DT_RPATH`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpath: Option<String>,
    /// So many program headers that say nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unused_headers: u16,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
}

/// An entry of binfmt_misc.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// Its name.
    pub name: String,
    /// The rule without its name, `M:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS` or `E::EXTENSION::INTERPRETER:FLAGS`.
    pub rule: String,
}

impl Made {
    /// What it is; none where nothing, or more than one thing, is said.
    #[must_use]
    pub fn content(&self) -> Option<Content<'_>> {
        let all = [
            self.text.as_deref().map(Content::Text),
            self.copy.as_deref().map(Content::Copy),
            self.host.as_deref().map(Content::Host),
            self.symlink.as_deref().map(Content::Link),
            self.hardlink.as_deref().map(Content::Hardlink),
            self.directory.then_some(Content::Directory),
            self.program.as_ref().map(Content::Program),
        ];
        let mut said = all.into_iter().flatten();
        let one = said.next()?;
        said.next().is_none().then_some(one)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn five() -> i32 {
    5
}

fn is_five(number: &i32) -> bool {
    *number == 5
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn the_schema_is_written_down() {
        crate::schema::holds("case", &schemars::schema_for!(Case));
    }
}
