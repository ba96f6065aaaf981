//! What seldom comes up by itself, or never: limits of the whole system, values at an edge, and what needs two things
//! at once. A case has one of these, and at most one twist besides.

use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use proptest::sample::select;

use super::strategy;
use super::twist::{add, need, settle};
use crate::arch;
use crate::case::{Case, CaseExec, Made, Program, Registered};

/// One of them.
#[derive(Clone, Debug)]
enum Rare {
    /// The path of the call has this length.
    LongPath(usize),
    /// A part of it has.
    LongPart(usize),
    /// Arguments of these lengths, with this limit of the stack.
    Arguments(Vec<usize>, u64),
    /// A user has too many processes, and executes this.
    Processes(Option<&'static str>),
    /// The system has no file left for a user.
    NoFiles,
    /// A format wants a descriptor (`O`), and none is left.
    NoDescriptor,
    /// modprobe is asked about a file that begins so.
    Helper(&'static str),
    /// The program is in a directory of this owner and mode, and a user executes it.
    Directory((u32, u32), u32),
    /// Libraries that need libraries, found by these lists of the program and of the first library.
    Libraries(Option<&'static str>, Option<&'static str>),
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
    let lengths = prop_oneof![
        // Around a quarter of a megabyte of stack, which is the least; the environment takes a part.
        4 => (130_700..131_072_usize).prop_map(|last| (vec![last], 1 << 19)),
        2 => (0..2000_usize).prop_map(|last| (vec![3000, last], 4096)),
        2 => (2000..5000_usize).prop_map(|last| (vec![last], 8192)),
        1 => select(vec![14, 15, 16]).prop_map(|count| (vec![131_071; count], 8 << 20)),
        1 => select(vec![46, 47, 48]).prop_map(|count| (vec![131_071; count], 1 << 30)),
    ];
    let lists = || select(vec![None, Some("/tmp"), Some("/tmp/e"), Some("$ORIGIN/e")]);
    let owners = select(vec![(0, 0), (1000, 0), (0, 1000), (0, 100)]);
    let modes = select(vec![0o755, 0o711, 0o700, 0o710, 0o744, 0o750, 0o705, 0o070]);
    prop_oneof![
        1 => (4093..4098_usize).prop_map(Rare::LongPath),
        1 => (254..258_usize).prop_map(Rare::LongPart),
        4 => lengths.prop_map(|(lengths, stack)| Rare::Arguments(lengths, stack)),
        2 => select(vec![None, Some(""), Some("/tmp/none")]).prop_map(Rare::Processes),
        1 => Just(Rare::NoFiles),
        1 => Just(Rare::NoDescriptor),
        2 => select(vec!["\u{1}\u{2}\u{3}\u{4}", "abc\u{1}", "\u{7f}bcd", "\t\n ~\u{1}", "abcd"]).prop_map(Rare::Helper),
        2 => (owners, modes).prop_map(|(owner, mode)| Rare::Directory(owner, mode)),
        3 => (lists(), lists()).prop_map(|(program, library)| Rare::Libraries(program, library)),
    ]
}

impl Rare {
    fn apply(self, case: &mut Case) {
        match self {
            Rare::LongPath(length) => {
                let ends = ["/tmp", "/a"];
                let own: usize = ends.map(str::len).iter().sum();
                let dots = "/.".repeat((length - own) / 2);
                let odd = if (length - own) % 2 == 1 { "/" } else { "" };
                plain(case, &format!("{}{dots}{odd}{}", ends[0], ends[1]));
            }
            Rare::LongPart(length) => plain(case, &format!("/tmp/{}", "x".repeat(length))),
            Rare::Arguments(lengths, stack) => {
                plain(case, "/tmp/a");
                case.exec.limits.insert("stack".to_owned(), stack);
                let strings = lengths.into_iter().map(|length| "x".repeat(length));
                case.exec.arguments = strings.collect();
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
                plain(case, "/tmp/a");
                case.exec.limits.insert("nofile".to_owned(), 3);
                let format = |flags| format!("M::EXETRAIL::/usr/bin/true:{flags}");
                text(case, "EXETRAIL\n");
                need(case, "binfmt-misc");
                case.formats = vec![Registered {
                    name: "rare".to_owned(),
                    rule: format("O"),
                }];
            }
            Rare::Helper(head) => {
                plain(case, "/tmp/a");
                text(case, head);
                need(case, "modules");
                let modprobe = "/usr/bin/true".to_owned();
                case.sysctl.insert("kernel.modprobe".to_owned(), modprobe);
            }
            Rare::Directory(owner, mode) => {
                plain(case, "/tmp/e/a");
                directory(case, owner, mode);
                let copy = Some("/usr/bin/true".to_owned());
                add(case, made("/tmp/e/a", |made| made.copy = copy));
                if case.exec.user.is_none() {
                    case.exec.user = Some(1000);
                    case.exec.groups = vec![100];
                }
            }
            Rare::Libraries(of_program, of_library) => libraries(case, of_program, of_library),
        }
    }
}

/// A program that needs a library, which needs another one: each is in `/tmp`, the last in `/tmp/e` besides.
fn libraries(case: &mut Case, of_program: Option<&str>, of_library: Option<&str>) {
    plain(case, "/tmp/a");
    case.files.clear();
    case.mounts.clear();
    case.watch.clear();
    directory(case, (0, 0), 0o755);
    let own = |path: &str, needed: &str, rpath: Option<&str>| {
        made(path, |made| {
            made.program = Some(Program {
                needed: vec![needed.to_owned()],
                rpath: rpath.map(ToOwned::to_owned),
                ..Program::default()
            });
        })
    };
    let mut program = own("/tmp/a", "b", of_program);
    if let Some(program) = &mut program.program {
        program.interpreter = Some(format!("{}\0", arch::LOADER));
    }
    let library = own("/tmp/b", "c", of_library);
    let last = ["/tmp/c", "/tmp/e/c"].map(|path| own(path, "libc.so.6", None));
    case.files.extend([program, library]);
    case.files.extend(last);
}

fn made(path: &str, change: impl FnOnce(&mut Made)) -> Made {
    let mut made = Made {
        path: path.to_owned(),
        ..Made::default()
    };
    change(&mut made);
    made
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

/// The first file is this text, and may be executed.
fn text(case: &mut Case, text: &str) {
    case.files.retain(|made| made.path != "/tmp/a");
    let is_link = |made: &Made| made.hardlink.is_some();
    case.files.retain(|made| !is_link(made));
    add(
        case,
        made("/tmp/a", |made| made.text = Some(text.to_owned())),
    );
}
