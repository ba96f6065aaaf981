//! What an event may tell of a process.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The fields of an event, in the order in which they are written.
pub type Fields = BTreeMap<Field, String>;

/// Something that an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// The process that was started.
    Child,
    /// The parent.
    Parent,
    /// The thread that asked for the exec, where it is told beside the process.
    Was,
    /// A user id; real and effective where there are two.
    Uid,
    /// A group id; real and effective where there are two.
    Gid,
    /// The login user (`loginuid`).
    Auid,
    /// The path of the program, in whatever form this way has it.
    Path,
    /// The path of the interpreter, in whatever form this way has it.
    Interp,
    /// Names of further files that the kernel looked up in the call.
    Items,
    /// The file that was opened, resolved by the kernel.
    File,
    /// Of which content a digest is that is told: the file's own, another's, that of no file which is there, or zeros.
    Digest,
    /// Target of the exe link.
    Exe,
    /// The comm.
    Comm,
    /// The arguments.
    Argv,
    /// The working directory.
    Cwd,
    /// The cgroup.
    Cgroup,
    /// What came of it, such as 0, an errno by name, an exit status or a signal.
    Result,
}

impl Field {
    /// Every field.
    pub const ALL: [Field; 17] = [
        Field::Child,
        Field::Parent,
        Field::Was,
        Field::Uid,
        Field::Gid,
        Field::Auid,
        Field::Path,
        Field::Interp,
        Field::Items,
        Field::File,
        Field::Digest,
        Field::Exe,
        Field::Comm,
        Field::Argv,
        Field::Cwd,
        Field::Cgroup,
        Field::Result,
    ];

    /// The field as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Child => "child",
            Field::Parent => "parent",
            Field::Was => "was",
            Field::Uid => "uid",
            Field::Gid => "gid",
            Field::Auid => "auid",
            Field::Path => "path",
            Field::Interp => "interp",
            Field::Items => "items",
            Field::File => "file",
            Field::Digest => "digest",
            Field::Exe => "exe",
            Field::Comm => "comm",
            Field::Argv => "argv",
            Field::Cwd => "cwd",
            Field::Cgroup => "cgroup",
            Field::Result => "result",
        }
    }

    /// The field of that word.
    #[must_use]
    pub fn find(word: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
