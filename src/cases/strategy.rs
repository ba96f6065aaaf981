//! What cases are made of. The simplest choice stands first: that is where a case shrinks to.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;

use crate::arch;
use crate::case::{Case, CaseExec, Deny, Fd, Made, Open, Program, Way};
use crate::scenario::Flaw;

/// Who is not root.
const NOBODY: u32 = 65534;
/// The descriptor that a call begins at.
const FD: i32 = 5;
/// Names of the files, in `/tmp`.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// What stands in the fixture, is missing, or is something else; nothing that starts a program,
/// which could go on for ever.
const ELSEWHERE: [&str; 10] = [
    "/usr/bin/true",
    "/usr/bin/busybox",
    "/usr/bin/ls",
    arch::LOADER,
    "/tmp/none",
    "/usr/bin",
    "/usr/bin/true/",
    "/tmp/a/b",
    "/dev/null",
    "tmp/b",
];

pub fn case() -> impl Strategy<Value = Case> {
    let files = vec(content(), 1..=NAMES.len());
    let modes = vec(mode(), NAMES.len());
    let files = (files, modes).prop_map(|(contents, modes)| {
        let named = NAMES.iter().zip(contents).zip(modes);
        named
            .map(|((name, content), mode)| Made {
                path: format!("/tmp/{name}"),
                // A symlink has no mode.
                mode: content.symlink.is_none().then_some(mode),
                ..content
            })
            .collect()
    });
    let arguments = vec(select(vec!["one", "", "/usr/bin/true", "--"]), 0..=2);
    let arguments = arguments.prop_map(|all| all.into_iter().map(ToOwned::to_owned).collect());
    let variables = prop_oneof![
        6 => Just(Vec::new()),
        1 => preload(),
        1 => Just(vec![("LD_LIBRARY_PATH".to_owned(), "/tmp:/tmp/c".to_owned())]),
    ];
    let refused = prop_oneof![7 => Just(None), 1 => (1..=8_usize).prop_map(Some)];
    let user = prop_oneof![5 => Just(false), 1 => Just(true)];
    (files, exec(), arguments, variables, user, refused).prop_map(
        |(files, exec, arguments, variables, user, refused)| Case {
            files,
            exec: CaseExec {
                arguments,
                environment: variables.into_iter().collect(),
                user: user.then_some(NOBODY),
                ..exec
            },
            deny: refused.map(Deny::Event),
            ..Case::default()
        },
    )
}

fn preload() -> impl Strategy<Value = Vec<(String, String)>> {
    let list = select(vec![
        "libaudit.so.1",
        "libmissing.so",
        "/tmp/b",
        "/lib/x86_64-linux-gnu/libaudit.so.1 libcap.so.2",
    ]);
    list.prop_map(|list| vec![("LD_PRELOAD".to_owned(), list.to_owned())])
}

fn mode() -> impl Strategy<Value = u32> {
    prop_oneof![12 => Just(0o755), 1 => Just(0o644), 1 => Just(0o711), 1 => Just(0o700)]
}

/// A path to one of the files, most often, or to something else.
fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(NAMES.to_vec()).prop_map(|name| format!("/tmp/{name}")),
        3 => select(ELSEWHERE.to_vec()).prop_map(ToOwned::to_owned),
        1 => select(NAMES.to_vec()).prop_map(|name| format!("/tmp/./../tmp//{name}")),
    ]
}

/// A file whose path and mode are still to be said.
fn content() -> impl Strategy<Value = Made> {
    let text = |text| Made {
        text: Some(text),
        ..Made::default()
    };
    prop_oneof![
        5 => script().prop_map(text),
        4 => program().prop_map(|program| Made { program: Some(program), ..Made::default() }),
        3 => path().prop_map(|target| Made { symlink: Some(target), ..Made::default() }),
        2 => select(vec!["/usr/bin/true", "/usr/bin/busybox"])
            .prop_map(|path| Made { copy: Some(path.to_owned()), ..Made::default() }),
        1 => Just(Made { directory: true, ..Made::default() }),
        2 => nonsense().prop_map(text),
    ]
}

/// A `#!` line of every shape.
fn script() -> impl Strategy<Value = String> {
    let blank = || select(vec!["", " ", "\t", "  \t "]);
    let argument = prop_oneof![
        3 => Just(String::new()),
        1 => Just(" -x".to_owned()),
        1 => Just(" /tmp/b c  d".to_owned()),
        1 => (200..300_usize).prop_map(|length| format!(" {}", "x".repeat(length))),
    ];
    let end = prop_oneof![
        6 => Just("\n:\n"),
        1 => Just(""),
        1 => Just(" "),
        1 => Just("\0\n"),
        1 => Just("\r\n"),
    ];
    let padding = prop_oneof![8 => Just(0), 1 => 118..128_usize];
    (blank(), padding, path(), argument, blank(), end).prop_map(
        |(before, padding, path, argument, behind, end)| {
            // A path may be as long as one likes without leading elsewhere.
            let dots = if path.starts_with('/') { padding } else { 0 };
            format!(
                "#!{before}{}{path}{argument}{behind}{end}",
                "/.".repeat(dots)
            )
        },
    )
}

fn nonsense() -> impl Strategy<Value = String> {
    let text = select(vec![
        "",
        "#",
        "#!",
        "#!\n",
        "#! \t\n",
        "#!\0",
        "plain text\n",
        "\u{1}\u{2}\u{3}\u{4}",
        "\u{7f}ELF",
        "\u{7f}ELF\u{2}\u{1}\u{1}",
    ]);
    text.prop_map(ToOwned::to_owned)
}

fn program() -> impl Strategy<Value = Program> {
    let loader = select(vec![arch::LOADER, arch::LOADER_NARROW]);
    let interpreter = prop_oneof![
        2 => Just(None),
        5 => loader.prop_map(|path| Some(format!("{path}\0"))),
        3 => path().prop_map(|path| Some(format!("{path}\0"))),
        1 => Just(Some("/usr/bin/true".to_owned())),
        1 => Just(Some("\0".to_owned())),
        1 => Just(Some("\0\0".to_owned())),
    ];
    let library = select(vec![
        "libc.so.6",
        "libcap.so.2",
        "libaudit.so.1",
        "libmissing.so",
        "b",
        "/tmp/c",
    ]);
    let flaw = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Flaw::Machine)),
        1 => Just(Some(Flaw::Address)),
        1 => Just(Some(Flaw::Truncated)),
    ];
    let narrow = prop_oneof![5 => Just(false), 1 => Just(true)];
    let runpath = option::weighted(0.2, select(vec!["/tmp", "/tmp/d:/usr/lib"]));
    (narrow, interpreter, vec(library, 0..=3), runpath, flaw).prop_map(
        |(narrow, interpreter, needed, runpath, flaw)| Program {
            narrow,
            interpreter,
            needed: needed.into_iter().map(ToOwned::to_owned).collect(),
            runpath: runpath.map(ToOwned::to_owned),
            flaw,
        },
    )
}

/// What is executed, without arguments and the like.
fn exec() -> impl Strategy<Value = CaseExec> {
    let flags = prop_oneof![
        4 => Just(None),
        1 => Just(Some("AT_SYMLINK_NOFOLLOW")),
        1 => Just(Some("AT_EXECVE_CHECK")),
        1 => Just(Some("0x40000000")),
    ];
    let flags = flags.prop_map(|flag| flag.map(ToOwned::to_owned));
    let name = || prop_oneof![5 => Just("a"), 1 => select(NAMES.to_vec())];
    let own = || name().prop_map(|name| format!("/tmp/{name}"));
    let by = |call| {
        move |path| CaseExec {
            path,
            call,
            ..CaseExec::default()
        }
    };
    prop_oneof![
        6 => own().prop_map(by(Way::Execve)),
        1 => path().prop_map(by(Way::Execve)),
        1 => select(vec!["tmp/a", "./tmp/../tmp/a", "/tmp/a/", "", "/proc/self/exe", "tmp/a/."])
            .prop_map(ToOwned::to_owned)
            .prop_map(by(Way::Execve)),
        1 => own().prop_map(by(Way::Fexecve)),
        2 => (own(), any::<bool>(), any::<bool>(), flags.clone()).prop_map(
            move |(path, path_only, cloexec, flag)| {
                let open = [path_only.then_some(Open::Path), cloexec.then_some(Open::Cloexec)];
                CaseExec {
                    fd: Some(Fd {
                        number: FD,
                        path,
                        flags: open.into_iter().flatten().collect(),
                    }),
                    flags: ["AT_EMPTY_PATH".to_owned()].into_iter().chain(flag).collect(),
                    ..by(Way::Execveat)(String::new())
                }
            },
        ),
        2 => (any::<bool>(), name(), flags).prop_map(move |(directory, name, flag)| CaseExec {
            fd: directory.then(|| Fd {
                number: FD,
                path: "/tmp".to_owned(),
                flags: vec![Open::Path, Open::Cloexec],
            }),
            flags: flag.into_iter().collect(),
            ..by(Way::Execveat)(match directory {
                true => name.to_owned(),
                false => format!("/tmp/{name}"),
            })
        }),
    ]
}
