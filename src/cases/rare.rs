//! What seldom comes up by itself, or never: values at an edge, limits of the whole system, and what takes several things
//! at once. A case has one of these, and at most one twist besides.

use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;

mod other_user;
mod room;

use other_user::{OtherUser, other_user};
use room::{Full, full};

use super::parts::made;
use super::strategy;
use super::twist::{add, need, settle};
use crate::arch;
use crate::case::{Case, CaseExec, Fd, Made, Open, Program, Registered, Then, Way};
use crate::scenario::Flaw;

/// One of them.
#[derive(Clone, Debug)]
enum Rare {
    /// The path of the call has this length.
    LongPath(usize),
    /// A part of it has.
    LongPart(usize),
    /// Strings have just the room that they may have.
    Room(Full),
    /// As many long arguments, with this limit of the stack.
    Arguments(usize, u64),
    /// The address space has this many pages, and the stack this many bytes.
    Space(u64, u64),
    /// A user has too many processes, and executes this.
    Processes(Option<&'static str>),
    /// The system has no file left for a user.
    NoFiles,
    /// A format wants a descriptor (`O`), and none is left.
    NoDescriptor,
    /// modprobe is asked about a file that begins so.
    Helper(&'static str),
    /// The program is in a directory of this owner and mode.
    Directory((u32, u32), u32),
    /// Libraries that need libraries, by these lists of the program and of the first library, which may be of
    /// the other width.
    Libraries(Option<&'static str>, Option<&'static str>, bool),
    /// An absolute path beside a descriptor, or the descriptor itself, that the exec closes or not.
    Beside { path: &'static str, cloexec: bool },
    /// The ELF interpreter is this.
    Interpreter(Box<Made>),
    /// A link whose target ends so, in a path that ends so.
    Slashes(&'static str, &'static str),
    /// The loader is run by hand, in a directory, with a program that needs a library beside it.
    ByHand(&'static str, Option<&'static str>),
    /// `/etc/ld.so.preload` has this length.
    PreloadFile(usize),
    /// The program is another user's, or is not, after all.
    OtherUser(OtherUser),
}

/// A case with one of them.
pub fn case() -> impl Strategy<Value = Case> {
    (strategy::with_twists(1), rare()).prop_map(|(mut case, rare)| {
        rare.apply(&mut case);
        settle(&mut case);
        case
    })
}

fn rare() -> impl Strategy<Value = Rare> {
    let lists = || select(vec![None, Some("/tmp"), Some("/tmp/e"), Some("$ORIGIN/e")]);
    let owners = select(vec![(0, 0), (1000, 0), (0, 1000), (0, 100)]);
    let modes = select(vec![0o755, 0o711, 0o700, 0o710, 0o744, 0o750, 0o705, 0o070]);
    let heads = vec![
        "\u{1}\u{2}\u{3}\u{4}",
        "abc\u{1}",
        "\u{7f}bcd",
        "\t\n ~\u{1}",
        "abcd",
    ];
    let calls = prop_oneof![
        2 => (4093..4098_usize).prop_map(Rare::LongPath),
        2 => (254..258_usize).prop_map(Rare::LongPart),
        8 => full().prop_map(Rare::Room),
        1 => (select(vec![14, 15, 16, 46, 47, 48]), any::<bool>()).prop_map(|(count, much)| {
            Rare::Arguments(count, if much { 1 << 30 } else { 8 << 20 })
        }),
        2 => (33..37_u64, select(vec![40_960, 8 << 20])).prop_map(|(pages, stack)| Rare::Space(pages, stack)),
        2 => select(vec![None, Some(""), Some("/tmp/none")]).prop_map(Rare::Processes),
        1 => Just(Rare::NoFiles),
        1 => Just(Rare::NoDescriptor),
        3 => select(heads).prop_map(Rare::Helper),
        3 => (select(vec!["/tmp/a", ""]), any::<bool>())
            .prop_map(|(path, cloexec)| Rare::Beside { path, cloexec }),
    ];
    let libraries = (lists(), lists(), any::<bool>());
    let files = prop_oneof![
        3 => (owners, modes).prop_map(|(owner, mode)| Rare::Directory(owner, mode)),
        3 => libraries.prop_map(|(one, two, narrow)| Rare::Libraries(one, two, narrow)),
        4 => interpreter().prop_map(|made| Rare::Interpreter(Box::new(made))),
        2 => (select(vec!["/tmp/a", "/tmp/a/", "/usr/", "/usr"]), select(vec!["/tmp/k", "/tmp/k/"]))
            .prop_map(|(target, path)| Rare::Slashes(target, path)),
        2 => (select(vec!["/tmp/a", "./a", "tmp/a"]), select(vec![None, Some("/tmp"), Some("/usr/lib")]))
            .prop_map(|(program, directory)| Rare::ByHand(program, directory)),
        1 => (255..259_usize).prop_map(Rare::PreloadFile),
        8 => other_user().prop_map(Rare::OtherUser),
    ];
    prop_oneof![1 => calls, 1 => files]
}

fn interpreter() -> impl Strategy<Value = Made> {
    let text = |length: usize| made("/tmp/b", |made| made.text = Some("x".repeat(length)));
    let flaws = [
        Flaw::Machine,
        Flaw::Address,
        Flaw::Short,
        Flaw::Relocatable,
        Flaw::NoHeaders,
        Flaw::HeaderSize,
        Flaw::HeadersOutside,
        Flaw::NothingLoaded,
    ];
    let needed = select(vec![None, Some("libc.so.6")]);
    let second = select(vec![None, Some("/usr/bin/true\0")]);
    let program = (option::of(select(flaws.to_vec())), needed, second);
    let program = program.prop_map(|(flaw, needed, interpreter)| {
        made("/tmp/b", |made| {
            made.program = Some(Program {
                flaw,
                needed: needed.map(ToOwned::to_owned).into_iter().collect(),
                interpreter: interpreter.map(ToOwned::to_owned),
                ..Program::default()
            });
        })
    });
    prop_oneof![1 => select(vec![51, 52, 53, 63, 64, 65]).prop_map(text), 2 => program]
}

impl Rare {
    fn apply(self, case: &mut Case) {
        match self {
            Rare::LongPath(length) => {
                let own = "/tmp/a".len();
                let odd = if (length - own) % 2 == 1 { "/" } else { "" };
                plain(
                    case,
                    &format!("/tmp{}{odd}/a", "/.".repeat((length - own) / 2)),
                );
            }
            Rare::LongPart(length) => plain(case, &format!("/tmp/{}", "x".repeat(length))),
            Rare::Room(full) => full.apply(case),
            Rare::Arguments(count, stack) => {
                alone(case);
                case.exec.limits.insert("stack".to_owned(), stack);
                case.exec.arguments = vec!["x".repeat(131_071); count];
            }
            Rare::Space(pages, stack) => {
                alone(case);
                case.files = vec![program("/tmp/a", |_| {})];
                let limits = [("as", pages * 4096), ("stack", stack)];
                case.exec.limits = limits.map(|(name, value)| (name.to_owned(), value)).into();
            }
            Rare::Processes(path) => {
                if let Some(path) = path {
                    plain(case, path);
                }
                case.exec.user = Some(1000);
                case.exec.limits.insert("nproc".to_owned(), 0);
            }
            Rare::NoFiles => {
                plain(case, "/tmp/a");
                case.exec.user = Some(1000);
                case.sysctl.insert("fs.file-max".to_owned(), "0".to_owned());
            }
            Rare::NoDescriptor => {
                alone(case);
                case.exec.limits.insert("nofile".to_owned(), 3);
                interpreted(case, "O");
            }
            Rare::Helper(head) => {
                alone(case);
                case.files = vec![text(head)];
                need(case, "modules");
                let modprobe = "/usr/bin/true".to_owned();
                case.sysctl.insert("kernel.modprobe".to_owned(), modprobe);
            }
            Rare::Directory(owner, mode) => {
                plain(case, "/tmp/e/a");
                directory(case, owner, mode);
                add(
                    case,
                    made("/tmp/e/a", |made| {
                        made.copy = Some("/usr/bin/true".to_owned())
                    }),
                );
                if case.exec.user.is_none() {
                    case.exec.user = Some(1000);
                    case.exec.groups = vec![100];
                }
            }
            Rare::Libraries(program, library, narrow) => libraries(case, program, library, narrow),
            Rare::Beside { path, cloexec } => {
                plain(case, path);
                case.exec.call = Way::Execveat;
                case.exec.flags = vec!["AT_EMPTY_PATH".to_owned()];
                case.exec.fd = Some(Fd {
                    number: 5,
                    path: if path.is_empty() { "/tmp/a" } else { "/tmp" }.to_owned(),
                    flags: cloexec.then_some(Open::Cloexec).into_iter().collect(),
                    memory: false,
                    then: Then::Kept,
                });
            }
            Rare::Interpreter(interpreter) => {
                alone(case);
                let own = program("/tmp/a", |program| {
                    program.interpreter = Some("/tmp/b\0".to_owned());
                });
                case.files = vec![own, *interpreter];
            }
            Rare::Slashes(target, path) => {
                plain(case, path);
                add(
                    case,
                    made("/tmp/k", |made| made.symlink = Some(target.to_owned())),
                );
            }
            Rare::ByHand(path, place) => {
                alone(case);
                case.exec.path = arch::LOADER.to_owned();
                case.exec.arguments = vec![path.to_owned()];
                case.exec.directory = place.map(ToOwned::to_owned);
                let own = program("/tmp/a", |program| {
                    program.interpreter = Some(format!("{}\0", arch::LOADER));
                    program.needed = vec!["b".to_owned()];
                    program.runpath = Some("$ORIGIN".to_owned());
                });
                case.files = vec![own, program("/tmp/b", |_| {})];
            }
            Rare::PreloadFile(length) => {
                alone(case);
                let names = "/tmp/b\n";
                case.files = vec![
                    made("/tmp/a", |made| {
                        made.copy = Some("/usr/bin/true".to_owned())
                    }),
                    program("/tmp/b", |_| {}),
                    made("/etc/ld.so.preload", |made| {
                        made.text = Some(" ".repeat(length - names.len()) + names);
                        made.mode = Some(0o644);
                    }),
                ];
            }
            Rare::OtherUser(other) => other.apply(case),
        }
    }
}

/// A program that needs a library, which needs another one: each is in `/tmp`, the last in `/tmp/e` besides.
fn libraries(case: &mut Case, of_program: Option<&str>, of_library: Option<&str>, narrow: bool) {
    alone(case);
    case.files.clear();
    directory(case, (0, 0), 0o755);
    let own = |path: &str, needed: &str, rpath: Option<&str>| {
        program(path, |program| {
            // Nothing else has a dynamic section.
            program.interpreter = Some(format!("{}\0", arch::LOADER));
            program.needed = vec![needed.to_owned()];
            program.rpath = rpath.map(ToOwned::to_owned);
        })
    };
    let first = own("/tmp/a", "b", of_program);
    let mut library = own("/tmp/b", "c", of_library);
    if let Some(library) = &mut library.program {
        library.narrow = narrow;
    }
    let last = ["/tmp/c", "/tmp/e/c"].map(|path| own(path, "libc.so.6", None));
    case.files.extend([first, library]);
    case.files.extend(last);
}

/// The file is a text that an entry of binfmt_misc with these flags interprets.
fn interpreted(case: &mut Case, flags: &str) {
    case.files = vec![text("EXETRAIL\n")];
    format(case, flags);
}

fn format(case: &mut Case, flags: &str) {
    need(case, "binfmt-misc");
    case.formats = vec![Registered {
        name: "rare".to_owned(),
        rule: format!("M::EXETRAIL::/usr/bin/true:{flags}"),
    }];
}

fn program(path: &str, change: impl FnOnce(&mut Program)) -> Made {
    let mut program = Program::default();
    change(&mut program);
    made(path, |made| made.program = Some(program))
}

fn text(text: &str) -> Made {
    made("/tmp/a", |made| made.text = Some(text.to_owned()))
}

fn directory(case: &mut Case, owner: (u32, u32), mode: u32) {
    let directory = made("/tmp/e", |made| {
        made.directory = true;
        made.owner = Some(owner);
        made.mode = Some(mode);
    });
    add(case, directory);
}

/// The call is execve(2) of this path, by the caller itself.
fn plain(case: &mut Case, path: &str) {
    let CaseExec {
        arguments,
        environment,
        user,
        groups,
        limits,
        ..
    } = std::mem::take(&mut case.exec);
    case.exec = CaseExec {
        path: path.to_owned(),
        arguments,
        environment,
        user,
        groups,
        limits,
        ..CaseExec::default()
    };
}

/// As [`plain`] of `/tmp/a`, and nothing else is unusual.
fn alone(case: &mut Case) {
    *case = Case {
        exec: CaseExec {
            path: "/tmp/a".to_owned(),
            ..CaseExec::default()
        },
        files: std::mem::take(&mut case.files),
        ..Case::default()
    };
    // What lay on a mount is a file like any other.
    case.files.retain(|made| !made.path.starts_with("/tmp/m"));
    if case.files.iter().all(|made| made.path != "/tmp/a") {
        case.files.clear();
    }
}
