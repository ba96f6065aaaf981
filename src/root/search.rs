//! Where a caller, env(1) and ld.so(8) look for a file by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use goblin::elf::header::{EM_386, EM_X86_64};

use super::places::Files;
use crate::trail::printable;

/// PATH of a caller who is given none (`scenario::Exec`).
const PATH: &str = "/usr/bin:/bin";
/// How many files are read for ld.so.conf: an image may have them include one another without end.
const MOST_CONFIGURED: usize = 1000;
/// Options of env(1) that the next word belongs to.
const WITH_A_WORD: [&str; 6] = ["-u", "--unset", "-C", "--chdir", "-a", "--argv0"];

/// Who makes the call, as far as files are found by that.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Its working directory; `/` where nothing is said.
    pub directory: Option<String>,
    /// What is set in its environment.
    pub environment: BTreeMap<String, String>,
}

impl Caller {
    /// A path from the working directory, without `.` in it.
    #[must_use]
    pub fn absolute(&self, path: &str) -> PathBuf {
        let directory = self.directory.as_deref().unwrap_or("/");
        let path = Path::new("/").join(directory).join(path);
        path.components().collect()
    }

    /// What a variable is set to.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    fn path(&self) -> &str {
        self.variable("PATH").unwrap_or(PATH)
    }

    /// Where execvp(3) looks for a command.
    pub fn search_path(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let directories = self.path().split(':');
        directories.map(move |directory| self.absolute(directory).join(name))
    }
}

/// Something that is needed and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What, as the one who needs it names it.
    pub what: String,
    /// Who needs it.
    pub by: PathBuf,
    /// Why it is not found, where that is not plain.
    pub hint: Option<String>,
}

impl Missing {
    /// A file that is looked for at its own path, or in all directories for libraries.
    #[must_use]
    pub fn file(name: &str, by: &Path) -> Missing {
        let hint = name.ends_with('\r').then(|| {
            "the carriage return (\\x0d) of a text file of Windows belongs to the name".to_owned()
        });
        Missing {
            what: printable(name.as_bytes()),
            by: by.to_owned(),
            hint,
        }
    }

    /// A file that is looked for from the working directory.
    #[must_use]
    pub fn from_directory(name: &str, caller: &Caller, by: &Path) -> Missing {
        let directory = caller.directory.as_deref().unwrap_or("/");
        let from = format!("it is a path from the working directory, {directory}");
        let missing = Missing::file(name, by);
        Missing {
            hint: missing.hint.or(Some(from)),
            ..missing
        }
    }

    /// A command that env(1) looks for.
    #[must_use]
    pub fn on_path(name: &str, caller: &Caller, by: &Path) -> Missing {
        let path = caller.path();
        let here = match search(name) {
            Some(found) => format!(", where {} is not", found.display()),
            None => String::new(),
        };
        let missing = Missing::file(name, by);
        let searched = format!("env looks for it in PATH={path}{here}");
        Missing {
            hint: missing.hint.or(Some(searched)),
            ..missing
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing { what, by, hint } = self;
        write!(f, "{} needs {what}, which is not there", by.display())?;
        match hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

/// What env(1) runs that is given one argument, as every `#!` line gives it.
#[must_use]
pub fn run_by_env(argument: &str) -> Option<&str> {
    if !argument.starts_with('-') {
        return Some(argument).filter(|word| !word.contains('='));
    }
    // Only -S has it split what the kernel hands over in one piece.
    let words = match argument.strip_prefix("--split-string") {
        Some(words) => words.trim_start_matches('='),
        None => argument.split_once('S')?.1,
    };
    let mut words = words.split_ascii_whitespace();
    loop {
        match words.next()? {
            option if WITH_A_WORD.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            variable if variable.contains('=') => {}
            program => return Some(program),
        }
    }
}

/// The names in a list of libraries that are preloaded.
pub fn list(names: &str) -> impl Iterator<Item = &str> {
    let names = names.split(|letter: char| letter == ':' || letter.is_ascii_whitespace());
    names.filter(|name| !name.is_empty())
}

/// A list of libraries in a file, where `#` begins a comment.
#[must_use]
pub fn without_comments(text: &str) -> String {
    let lines = text.lines();
    let lines = lines.map(|line| line.split('#').next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// A path with `$ORIGIN`, `$LIB` and `$PLATFORM` in it, as an object means it whose directory this is.
#[must_use]
pub fn expand(path: &str, origin: &Path) -> String {
    let origin = origin.display().to_string();
    let names = [
        ("ORIGIN", origin.as_str()),
        ("LIB", "lib/x86_64-linux-gnu"),
        ("PLATFORM", "x86_64"),
    ];
    names.iter().fold(path.to_owned(), |path, (name, value)| {
        path.replace(&format!("${{{name}}}"), value)
            .replace(&format!("${name}"), value)
    })
}

/// Whether a library is there, and for programs of this width.
pub fn is_library(files: &dyn Files, path: &Path, wide: bool) -> bool {
    let Some(head) = files.is_file(path).then(|| files.head(path).ok()).flatten() else {
        return false;
    };
    // EI_CLASS, then e_machine (elf(5)).
    let machine = u16::from_le_bytes([head[18], head[19]]);
    (head[4] == 2) == wide && machine == if wide { EM_X86_64 } else { EM_386 }
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
pub fn default_directories(files: &dyn Files) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut read = BTreeSet::new();
    configured(files, Path::new("/etc/ld.so.conf"), &mut read, &mut found);
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
        // Of musl alone.
        "/usr/local/lib",
    ];
    found.extend(usual.map(PathBuf::from));
    found
}

/// Adds the directories of a file and of those that it includes, each of which is read once.
fn configured(
    files: &dyn Files,
    conf: &Path,
    read: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) {
    if read.len() == MOST_CONFIGURED || !read.insert(conf.to_owned()) {
        return;
    }
    let text = match files.is_file(conf) {
        true => files.bytes(conf).unwrap_or_default(),
        false => return,
    };
    let text = String::from_utf8_lossy(&text);
    for line in without_comments(&text).lines().map(str::trim) {
        match line.strip_prefix("include") {
            Some(pattern) => {
                let above = conf.parent().unwrap_or(Path::new("/"));
                let pattern = above.join(pattern.trim());
                let (Some(directory), Some(name)) = (pattern.parent(), pattern.file_name()) else {
                    continue;
                };
                let glob = globset::Glob::new(&name.to_string_lossy());
                let Ok(glob) = glob.map(|glob| glob.compile_matcher()) else {
                    continue;
                };
                for path in files.list(directory) {
                    if path.file_name().is_some_and(|name| glob.is_match(name)) {
                        configured(files, &path, read, found);
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
    use crate::root::Within;
    use crate::vm::tree::{Entry, Tree};

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
    fn env_is_given_one_argument_and_splits_it_when_it_is_told_to() {
        assert_eq!(run_by_env("python3"), Some("python3"));
        assert_eq!(run_by_env("bash -e"), Some("bash -e"));
        assert_eq!(run_by_env("-S bash -e"), Some("bash"));
        assert_eq!(run_by_env("-vS A=b bash"), Some("bash"));
        assert_eq!(run_by_env("--split-string=bash -e"), Some("bash"));
        assert_eq!(run_by_env("-S -i -u HOME A=b bash -e"), Some("bash"));
        assert_eq!((run_by_env("-i"), run_by_env("A=b")), (None, None));
    }

    #[test]
    fn a_path_is_from_the_working_directory() {
        let caller = Caller {
            directory: Some("/srv".to_owned()),
            ..Caller::default()
        };
        assert_eq!(caller.absolute("./x"), Path::new("/srv/x"));
        assert_eq!(caller.absolute("/x"), Path::new("/x"));
        assert_eq!(Caller::default().absolute("x"), Path::new("/x"));
    }

    #[test]
    fn a_configuration_that_includes_itself_is_read_once() {
        let mut tree = Tree::default();
        let text = b"/opt/lib\ninclude ld.so.conf\ninclude ld.so.conf\n";
        let bytes = text.as_slice().into();
        let mode = 0o644;
        tree.add("etc/ld.so.conf", Entry::File { mode, bytes })
            .unwrap();
        let mut found = default_directories(&Within(&tree));
        found.retain(|path| path == Path::new("/opt/lib"));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn names_in_braces_are_expanded_as_well() {
        let of = |path| expand(path, Path::new("/srv"));
        assert_eq!(of("$ORIGIN/a:${ORIGIN}/b"), "/srv/a:/srv/b");
        assert_eq!(of("/$LIB/${PLATFORM}"), "/lib/x86_64-linux-gnu/x86_64");
    }

    #[test]
    fn what_is_preloaded_by_a_file_stands_in_no_comment() {
        let text = without_comments("/a /b # /c\n/d:/e");
        assert_eq!(list(&text).collect::<Vec<_>>(), ["/a", "/b", "/d", "/e"]);
    }
}
