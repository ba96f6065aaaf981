//! What cases are made of. The simplest choice stands first: that is where a case shrinks to.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;

use super::parts::MUSL;
use super::twist::{settle, twist};
use crate::arch;
use crate::case::{Case, CaseExec, Fd, Made, Open, Program, Then, Way};
use crate::scenario::Flaw;

/// The descriptor that a call begins at.
const FD: i32 = 5;
/// Names of the files, in `/tmp`.
pub(super) const NAMES: [&str; 6] = [
    "a",
    "b",
    "c",
    "d.exe",
    "longer-than-a-comm",
    "\u{fc}-\u{e9}",
];
/// What stands in the fixture, is missing, or is something else. What starts a program is never told to
/// start one that was made here, which could go on for ever (`circle.rs` has the rest of that).
const ELSEWHERE: [&str; 12] = [
    "/usr/bin/true",
    "/usr/bin/busybox",
    "/usr/bin/ls",
    "/usr/bin/env",
    "/usr/bin/bash",
    arch::LOADER,
    "/tmp/none",
    "/usr/bin",
    "/usr/bin/true/",
    "/tmp/a/b",
    "/dev/null",
    "tmp/b",
];

pub fn case() -> impl Strategy<Value = Case> {
    with_twists(5)
}

/// With at most so many twists.
pub fn with_twists(most: usize) -> impl Strategy<Value = Case> {
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
    let twists = vec(twist(), 0..=most);
    (files, exec(), arguments, twists).prop_map(|(files, exec, arguments, twists)| {
        let mut case = Case {
            files,
            exec: CaseExec { arguments, ..exec },
            ..Case::default()
        };
        for twist in twists {
            twist.apply(&mut case);
        }
        settle(&mut case);
        case
    })
}

fn mode() -> impl Strategy<Value = u32> {
    prop_oneof![12 => Just(0o755), 1 => Just(0o644), 1 => Just(0o711), 1 => Just(0o700)]
}

/// A path to one of the files, most often, or to something else.
pub(super) fn path() -> impl Strategy<Value = String> {
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
        2 => select(SHELL.to_vec()).prop_map(move |script| text(script.to_owned())),
        4 => program().prop_map(|program| Made { program: Some(program), ..Made::default() }),
        3 => path().prop_map(|target| Made { symlink: Some(target), ..Made::default() }),
        2 => select(vec!["/usr/bin/true", "/usr/bin/busybox", "/usr/bin/env"])
            .prop_map(|path| Made { copy: Some(path.to_owned()), ..Made::default() }),
        1 => Just(Made { directory: true, ..Made::default() }),
        2 => nonsense().prop_map(text),
    ]
}

/// Scripts that start programs of the fixture in turn.
const SHELL: [&str; 4] = [
    "#!/usr/bin/bash\n/usr/bin/true\n/usr/bin/true one\n",
    "#!/usr/bin/bash\nexec /usr/bin/env true\n",
    "#!/usr/bin/busybox sh\n/usr/bin/true\n",
    "#!/usr/bin/env bash\n/usr/bin/none\n",
];

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
        "EXETRAIL\n",
        "EXEtRAIL\n",
        "\u{1}\u{2}\u{3}\u{4}",
        "\u{7f}ELF",
        "\u{7f}ELF\u{2}\u{1}\u{1}",
    ]);
    text.prop_map(ToOwned::to_owned)
}

fn program() -> impl Strategy<Value = Program> {
    let loader = select(vec![arch::LOADER, arch::LOADER, arch::LOADER_NARROW, MUSL]);
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
        "$ORIGIN/b",
        "libc.so",
    ]);
    let flaw = option::weighted(0.3, select(FLAWS.to_vec()));
    let narrow = prop_oneof![5 => Just(false), 1 => Just(true)];
    let directories = || {
        let list = select(vec![
            "/tmp",
            "/tmp/d:/usr/lib",
            "$ORIGIN",
            "$ORIGIN/../tmp",
            ":/tmp/c",
        ]);
        option::weighted(0.2, list.prop_map(ToOwned::to_owned))
    };
    let second = option::weighted(0.1, path());
    let unused_headers = prop_oneof![12 => Just(0), 1 => Just(80), 1 => Just(1200)];
    let headers = (second, unused_headers, flaw);
    let libraries = (vec(library, 0..=3), directories(), directories());
    (narrow, interpreter, headers, libraries).prop_map(
        |(narrow, interpreter, (second, unused_headers, flaw), (needed, runpath, rpath))| Program {
            narrow,
            interpreter,
            second,
            needed: needed.into_iter().map(ToOwned::to_owned).collect(),
            runpath,
            rpath,
            unused_headers,
            flaw,
        },
    )
}

/// What can be wrong with a program.
const FLAWS: [Flaw; 10] = [
    Flaw::Machine,
    Flaw::Address,
    Flaw::Truncated,
    Flaw::Short,
    Flaw::Relocatable,
    Flaw::NoHeaders,
    Flaw::HeaderSize,
    Flaw::HeadersOutside,
    Flaw::InterpreterOutside,
    Flaw::NothingLoaded,
];

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
                        memory: false,
                        then: Then::Kept,
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
                memory: false,
                then: Then::Kept,
            }),
            flags: flag.into_iter().collect(),
            ..by(Way::Execveat)(match directory {
                true => name.to_owned(),
                false => format!("/tmp/{name}"),
            })
        }),
    ]
}
