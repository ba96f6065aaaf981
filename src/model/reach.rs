//! Which rules of the model were applied how often, and which differences between kernels were asked about.
//!
//! The rules themselves know nothing of who counts: a rule that applies says so, and is heard only within
//! [`Reach::of`]. What is predicted never depends on it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::differences::{self, Difference};

macro_rules! rules {
    ($($name:ident: $words:literal,)*) => {
        /// A rule of the model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $words] $name,)*
        }

        impl Rule {
            /// All of them, in the order of the kernel and of the loader.
            pub const ALL: &[Rule] = &[$(Rule::$name),*];

            /// Its id.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Rule::$name => stringify!($name),)* }
            }

            /// What it says.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self { $(Rule::$name => $words,)* }
            }
        }
    };
}

rules! {
    Filtered: "A filter of the caller answers the call.",
    NameTooLong: "A path is longer than PATH_MAX: ENAMETOOLONG.",
    NameEmpty: "A path is empty without AT_EMPTY_PATH: ENOENT.",
    NameByDescriptor: "A program by descriptor is called /dev/fd/N.",
    NameInDirectory: "A program below a descriptor is called /dev/fd/N/PATH.",
    TooManyProcesses: "The user has too many processes: EAGAIN.",
    TooManyArguments: "Arguments and environment take more than their room: E2BIG.",
    LongArgument: "One string is longer than MAX_ARG_STRLEN: E2BIG.",
    StackLimit: "Arguments take more than RLIMIT_STACK: E2BIG.",
    SpaceForArguments: "Arguments take more than RLIMIT_AS: E2BIG.",
    EmptyArgv: "A first argument that is missing is put there, empty.",
    UnknownFlag: "A flag of execveat is not known: EINVAL.",
    Checked: "AT_EXECVE_CHECK ends the call.",
    NoFiles: "The system has no file left: ENFILE.",
    BadDescriptor: "A path begins at a descriptor that is not there: EBADF.",
    LinkNotFollowed: "A link at the end is not followed: ELOOP.",
    NoFile: "A path leads to a directory or a device: EACCES.",
    NotExecutable: "The caller may not execute the file: EACCES.",
    NoExecMount: "The file's mount does not let files be executed: EACCES.",
    ProgramRefused: "An observer refuses a step of the kernel.",
    Busy: "Somebody has the file open for writing: ETXTBSY.",
    LayerSteps: "The file of an overlay's layer has steps of its own.",
    ListenerHangs: "A listener of an overlay and its layer hangs.",
    Unreadable: "The first bytes of the file cannot be read.",
    TooDeep: "There are more interpreters than the kernel follows: ELOOP.",
    MiscMatches: "An entry of binfmt_misc recognises the file.",
    MiscKeepsArgv0: "It keeps the first argument (P).",
    MiscOpensBinary: "It gives the interpreter a descriptor of the file (O, C).",
    MiscCredentials: "The credentials are those of the file that is interpreted (C).",
    MiscFixed: "Its interpreter was opened when it was made (F).",
    MiscTransparent: "The process is said to be the file that is interpreted (T).",
    MiscLoader: "It takes the ELF interpreter's place (L).",
    MiscTwice: "Two files would need a descriptor: ENOEXEC.",
    Inaccessible: "An interpreter could not open what it is told to: ENOENT.",
    Script: "A file begins with #! and an interpreter.",
    ScriptArgument: "The interpreter is given an argument.",
    ScriptCut: "A line that is cut after its interpreter's name still counts.",
    ForeignElf: "An ELF file is no program, of another machine, or has no headers to read.",
    InterpreterMalformed: "PT_INTERP is too short, too long or without its NUL: ENOEXEC.",
    InterpreterCut: "PT_INTERP is after the file's end: EIO.",
    InterpreterOpened: "The ELF interpreter is opened.",
    InterpreterShort: "The ELF interpreter has no whole header: EIO.",
    InterpreterForeign: "The ELF interpreter is none for the program: ELIBBAD.",
    CapabilityMissing: "The file gives a capability that the caller may not have: EPERM.",
    TableTooLarge: "The shared table of descriptors cannot be copied: SIGSEGV.",
    LayerClosed: "Closing a descriptor opens what an overlay copied up.",
    LayerClosedHangs: "A listener that reads the exe link hangs while descriptors are closed.",
    BadAddresses: "A segment is where no process has memory: SIGSEGV.",
    InterpreterNotLoaded: "Nothing of the ELF interpreter can be loaded: SIGSEGV.",
    NoDescriptor: "No number is left for a descriptor: SIGSEGV.",
    SpaceForProgram: "Stack and segments take more than RLIMIT_AS: SIGSEGV.",
    NoFormat: "Nobody knows the format: ENOEXEC.",
    Helper: "The kernel starts modprobe because nobody knows the format.",
    Runs: "A program runs.",
    CommCut: "comm is cut after fifteen bytes.",
    CommOfFile: "comm is the name of the file behind the descriptor.",
    SetUser: "The program becomes another user (set-user-ID).",
    SetGroup: "The program gets another group (set-group-ID).",
    IdsIgnored: "Bits of set-user-ID or set-group-ID do not count here.",
    FileCapabilities: "The file gives capabilities.",
    Secure: "The program is told that it is another user's (AT_SECURE).",
    LinkFollowed: "A symlink is followed.",
    LinkForbidden: "A link of somebody else, where everybody can put one, is not followed: EACCES.",
    TooManyLinks: "More than forty symlinks are followed: ELOOP.",
    Missing: "A part of the path is not there: ENOENT.",
    NoDirectory: "A part of the path is no directory: ENOTDIR.",
    NotSearchable: "The caller may not search a directory: EACCES.",
    LongPart: "A part of the path is longer than NAME_MAX: ENAMETOOLONG.",
    Parent: "A part of the path is ..",
    SlashAtEnd: "A path that ends in a slash is a directory's.",
    Owner: "The owner's bits decide.",
    Group: "The group's bits decide.",
    FurtherGroup: "The bits of a further group decide.",
    Others: "The bits of all others decide.",
    Overrides: "A capability decides, not the bits.",
    ReadsAll: "A capability decides that gives reading alone, not the bits.",
    Musl: "musl's loader opens nothing.",
    NoLoader: "No loader runs before the program.",
    ByHand: "The loader is run by hand.",
    Preload: "LD_PRELOAD is heeded.",
    PreloadSecure: "LD_PRELOAD of a program that is another user's.",
    PreloadFile: "/etc/ld.so.preload is heeded.",
    Needed: "A library is needed.",
    Known: "A library is loaded already.",
    WithSlash: "A library is named by its path.",
    Rpath: "DT_RPATH is searched.",
    RpathOfLoader: "DT_RPATH of who loaded the library is searched.",
    LibraryPath: "LD_LIBRARY_PATH is searched.",
    Runpath: "DT_RUNPATH is searched.",
    Cache: "The cache is asked.",
    NoCache: "There is no cache to ask.",
    DefaultDirectories: "The default directories are searched.",
    EmptyDirectory: "An empty directory of a list is the working directory.",
    Origin: "$ORIGIN is where the object is.",
    OriginSecure: "$ORIGIN of a program that is another user's leads nowhere.",
    OtherWidth: "A library of another width or machine is passed over.",
    Malformed: "A library is malformed, which ends the search.",
    NoDynamicSection: "What has no dynamic section is no library, which ends the search.",
    LoaderRefused: "An observer refuses a step of the loader.",
    LoaderMayNotRead: "The loader may not read a library.",
    LoaderGivesUp: "The loader gives up.",
}

impl Rule {
    /// Says that it was applied, where it was.
    pub(super) fn applies(self, does: bool) -> bool {
        if does {
            count(self.id());
        }
        does
    }
}

impl Difference {
    /// Says that a kernel was asked about it.
    pub(super) fn asked(&self, is_in: bool) {
        count(&self.key(is_in));
    }

    fn key(&self, is_in: bool) -> String {
        format!("{} {}", if is_in { "has" } else { "lacks" }, self.what)
    }
}

/// How often rules were applied, and differences asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach(BTreeMap<String, u64>);

thread_local! {
    static HEARD: RefCell<Option<Reach>> = const { RefCell::new(None) };
}

fn count(key: &str) {
    HEARD.with_borrow_mut(|heard| {
        if let Some(Reach(counts)) = heard {
            match counts.get_mut(key) {
                Some(count) => *count += 1,
                None => drop(counts.insert(key.to_owned(), 1)),
            }
        }
    });
}

impl Reach {
    /// What the model does meanwhile.
    pub fn of<T>(work: impl FnOnce() -> T) -> (T, Reach) {
        let before = HEARD.replace(Some(Reach::default()));
        let result = work();
        let heard = HEARD.replace(before);
        (result, heard.unwrap_or_default())
    }

    /// Adds what was heard elsewhere.
    pub fn add(&mut self, other: &Reach) {
        for (key, count) in &other.0 {
            *self.0.entry(key.clone()).or_default() += count;
        }
    }

    /// How often a rule was applied.
    #[must_use]
    pub fn rule(&self, rule: Rule) -> u64 {
        self.0.get(rule.id()).copied().unwrap_or_default()
    }

    /// How often a kernel was asked about a difference that has it, or that lacks it.
    #[must_use]
    pub fn difference(&self, difference: &Difference, is_in: bool) -> u64 {
        let key = difference.key(is_in);
        self.0.get(&key).copied().unwrap_or_default()
    }

    /// The rules that were never applied, and the differences that were never asked about.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let rules = Rule::ALL.iter().filter(|rule| self.rule(**rule) == 0);
        let rules = rules.map(|rule| format!("{}: {}", rule.id(), rule.words()));
        let both = differences::ALL
            .iter()
            .flat_map(|found| [(found, true), (found, false)]);
        let asked = both.filter(|(found, is_in)| self.difference(found, *is_in) == 0);
        rules
            .chain(asked.map(|(found, is_in)| found.key(is_in)))
            .collect()
    }
}

impl From<Reach> for BTreeMap<String, u64> {
    fn from(reach: Reach) -> BTreeMap<String, u64> {
        reach.0
    }
}

impl From<BTreeMap<String, u64>> for Reach {
    fn from(counts: BTreeMap<String, u64>) -> Reach {
        Reach(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_heard_where_it_applies() {
        let ((), reach) = Reach::of(|| {
            Rule::Script.applies(true);
            Rule::Script.applies(true);
            Rule::Busy.applies(false);
        });
        assert_eq!((reach.rule(Rule::Script), reach.rule(Rule::Busy)), (2, 0));
    }

    #[test]
    fn nothing_is_heard_outside() {
        Rule::Script.applies(true);
        let ((), reach) = Reach::of(|| {});
        assert_eq!(reach, Reach::default());
    }

    #[test]
    fn a_difference_is_heard_by_whether_a_kernel_has_it() {
        let found = &differences::OPENS_FIRST;
        let ((), reach) = Reach::of(|| {
            found.asked(true);
            found.asked(true);
            found.asked(false);
        });
        assert_eq!(
            [true, false].map(|is_in| reach.difference(found, is_in)),
            [2, 1]
        );
        let missing = reach.missing();
        assert!(!missing.iter().any(|line| line.ends_with(found.what)));
    }

    #[test]
    fn what_was_heard_elsewhere_is_added() {
        let apply = |rule: Rule| Reach::of(|| rule.applies(true)).1;
        let mut reach = apply(Rule::Script);
        reach.add(&apply(Rule::Script));
        reach.add(&apply(Rule::Busy));
        assert_eq!(
            [Rule::Script, Rule::Busy].map(|rule| reach.rule(rule)),
            [2, 1]
        );
    }

    #[test]
    fn what_was_heard_is_a_count_of_ids() {
        let (_, reach) = Reach::of(|| Rule::Script.applies(true));
        let counts = BTreeMap::from(reach.clone());
        assert_eq!(counts, BTreeMap::from([("Script".to_owned(), 1)]));
        assert_eq!(Reach::from(counts), reach);
    }

    #[test]
    fn what_was_never_applied_is_missing() {
        let ((), reach) = Reach::of(|| _ = Rule::Script.applies(true));
        let missing = reach.missing();
        assert!(missing.iter().any(|line| line.starts_with("Busy:")));
        assert!(!missing.iter().any(|line| line.starts_with("Script:")));
        assert_eq!(
            missing.len(),
            Rule::ALL.len() - 1 + 2 * differences::ALL.len()
        );
    }
}
