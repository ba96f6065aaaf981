//! What the loader opens: options, variables, lists of directories, names that are known.

use super::{copy, directory, dynamic, fixed, link, made, of, text, with};
use crate::arch;
use crate::case::{Case, Made, Program};
use crate::cases::parts::{LIBRARIES, MUSL};

/// All of them.
pub fn cases() -> Vec<Case> {
    [
        interpreters(),
        by_hand(),
        lists(),
        origins(),
        names(),
        preloads(),
    ]
    .concat()
}

fn set(case: &mut Case, name: &str, value: &str) {
    let environment = &mut case.exec.environment;
    environment.insert(name.to_owned(), value.to_owned());
}

/// ELF interpreters that are loaders, and that are none.
fn interpreters() -> Vec<Case> {
    let by = |interpreter: &str, needed: &[&str], files: Vec<Made>| {
        let own = dynamic("/tmp/a", needed, |program| {
            program.interpreter = Some(format!("{interpreter}\0"));
        });
        of("/tmp/a", [vec![own], files].concat())
    };
    let none = |needed: &[&str]| by("/tmp/b", &[], vec![dynamic("/tmp/b", needed, |_| {})]);
    let musl = with(of(MUSL, vec![dynamic("/tmp/b", &[], |_| {})]), |case| {
        case.exec.arguments = vec!["/tmp/b".to_owned()];
    });
    vec![
        by("/tmp/b", &[], vec![fixed("/tmp/b")]),
        none(&["libc.so.6"]),
        none(&[]),
        by(MUSL, &["libc.so"], Vec::new()),
        by(MUSL, &["libcap.so.2"], Vec::new()),
        musl,
    ]
}

/// The loader as the program, with options.
fn by_hand() -> Vec<Case> {
    let run = |arguments: &[&str], narrow: bool| {
        let change = |program: &mut Program| program.narrow = narrow;
        let files = vec![
            dynamic("/tmp/a", &["b"], change),
            dynamic("/tmp/c", &[], |_| {}),
            directory("/tmp/e", (0, 0), 0o755),
            dynamic("/tmp/e/b", &["c"], |_| {}),
            dynamic("/tmp/e/c", &[], |_| {}),
        ];
        with(of(arch::LOADER, files), |case| {
            case.exec.arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
            case.exec.directory = Some("/tmp".to_owned());
        })
    };
    vec![
        run(&["--library-path", "/tmp/e", "/tmp/a"], false),
        run(&["--library-path", "/tmp/e", "./a"], false),
        run(
            &["--preload", "/tmp/c", "--library-path", "/tmp/e", "/tmp/a"],
            false,
        ),
        run(&["--preload", "/tmp/c", "/tmp/a"], false),
        run(
            &["--argv0", "one", "--library-path", "/tmp/e", "/tmp/a"],
            false,
        ),
        run(&["--argv0", "/tmp/c", "/tmp/a"], false),
        run(&["--list", "/tmp/a"], false),
        run(&["a"], false),
        run(&[], false),
        run(&["/tmp/none"], false),
        run(&["--library-path", "/tmp/e", "/tmp/a"], true),
    ]
}

/// Where a library is looked for: lists of the program, of who needs it, of a variable.
fn lists() -> Vec<Case> {
    // A program that needs a library, which needs another one, by these lists.
    let needs = |own: (Option<&str>, Option<&str>), other: (Option<&str>, Option<&str>)| {
        let lists = |program: &mut Program, (rpath, runpath): (Option<&str>, Option<&str>)| {
            program.rpath = rpath.map(ToOwned::to_owned);
            program.runpath = runpath.map(ToOwned::to_owned);
        };
        let files = vec![
            dynamic("/tmp/a", &["b"], |program| lists(program, own)),
            dynamic("/tmp/b", &["c"], |program| lists(program, other)),
            directory("/tmp/e", (0, 0), 0o755),
            dynamic("/tmp/e/c", &["d"], |_| {}),
            dynamic("/tmp/e/d", &[], |_| {}),
        ];
        of("/tmp/a", files)
    };
    let (here, there, both) = (Some("/tmp"), Some("/tmp/e"), Some("/tmp:/tmp/e"));
    let variable = |value: &str| {
        let files = vec![
            dynamic("/tmp/a", &["b"], |_| {}),
            directory("/tmp/e", (0, 0), 0o755),
            dynamic("/tmp/e/b", &["c"], |_| {}),
            dynamic("/tmp/e/c", &[], |_| {}),
        ];
        with(of("/tmp/a", files), |case| {
            set(case, "LD_LIBRARY_PATH", value)
        })
    };
    // The first file of the name is of the other width, or of another machine.
    let other = |flaw: Option<crate::scenario::Flaw>, narrow: bool| {
        let files = vec![
            dynamic("/tmp/a", &["b"], |program| {
                program.runpath = both.map(ToOwned::to_owned)
            }),
            dynamic("/tmp/b", &["libaudit.so.1"], |program| {
                (program.flaw, program.narrow) = (flaw, narrow);
            }),
            directory("/tmp/e", (0, 0), 0o755),
            dynamic("/tmp/e/b", &["libcap.so.2"], |_| {}),
        ];
        of("/tmp/a", files)
    };
    vec![
        needs((both, None), (None, None)),
        needs((here, None), (there, None)),
        needs((both, None), (None, here)),
        needs((None, both), (None, None)),
        needs((None, here), (there, None)),
        needs((both, here), (None, None)),
        variable("/tmp/e"),
        variable("/tmp:/tmp/e"),
        variable("/tmp/none"),
        other(None, true),
        other(Some(crate::scenario::Flaw::Machine), false),
        other(Some(crate::scenario::Flaw::Machine), true),
        other(None, false),
    ]
}

/// `$ORIGIN`, `$LIB` and `$PLATFORM`, of a program and of a library, which may be another user's.
fn origins() -> Vec<Case> {
    let origin = |own: &str, other: &str, mode: u32, user: Option<u32>| {
        let list = |program: &mut Program, list: &str| program.runpath = Some(list.to_owned());
        let mut program = dynamic("/tmp/a", &["b"], |program| list(program, own));
        program.mode = Some(mode);
        let files = vec![
            program,
            dynamic("/tmp/b", &["c"], |program| list(program, other)),
            directory("/tmp/e", (0, 0), 0o755),
            dynamic("/tmp/e/c", &["libcap.so.2"], |_| {}),
        ];
        with(of("/tmp/a", files), |case| case.exec.user = user)
    };
    vec![
        origin("$ORIGIN", "$ORIGIN/e", 0o755, None),
        origin("$ORIGIN", "/tmp/e", 0o4755, Some(1000)),
        origin("/tmp", "$ORIGIN/e", 0o4755, Some(1000)),
        origin("/tmp", "/tmp/e", 0o4755, Some(1000)),
        origin("/tmp/$LIB:/tmp", "/tmp/e", 0o755, None),
        origin("/tmp/$PLATFORM:/tmp", "/tmp/e", 0o755, None),
        origin("${ORIGIN}", "/tmp/e", 0o755, None),
    ]
}

/// A library that is known already: by its name, by the name that it has itself, by its file.
fn names() -> Vec<Case> {
    let here = |program: &mut Program| program.rpath = Some("/tmp".to_owned());
    let twice = vec![
        dynamic("/tmp/a", &["b", "c"], here),
        dynamic("/tmp/b", &["d"], |_| {}),
        dynamic("/tmp/c", &["b", "d"], |_| {}),
        dynamic("/tmp/d", &[], |_| {}),
    ];
    // `x` is `c`, which is there when it is asked for; it is asked for twice.
    let second_name = |hard: bool| {
        let other = made("/tmp/x", |made| match hard {
            true => made.hardlink = Some("/tmp/c".to_owned()),
            false => made.symlink = Some("c".to_owned()),
        });
        vec![
            dynamic("/tmp/a", &["b", "c", "d"], here),
            dynamic("/tmp/b", &["x"], |_| {}),
            dynamic("/tmp/c", &["d"], |_| {}),
            dynamic("/tmp/d", &["x", "e"], |_| {}),
            dynamic("/tmp/e", &[], |_| {}),
            other,
        ]
    };
    let by_soname = vec![
        dynamic("/tmp/a", &["b", "libcap.so.2"], here),
        link("/tmp/b", &format!("{LIBRARIES}/libcap.so.2")),
    ];
    // What has no dynamic section is no library: nothing is opened behind it.
    let no_library = vec![
        dynamic("/tmp/a", &["b", "c"], here),
        fixed("/tmp/b"),
        dynamic("/tmp/c", &[], |_| {}),
    ];
    [
        twice,
        second_name(true),
        second_name(false),
        by_soname,
        no_library,
    ]
    .map(|files| of("/tmp/a", files))
    .to_vec()
}

/// What is preloaded, by a variable or a file; of a program that may be another user's.
fn preloads() -> Vec<Case> {
    let by_file = |length: usize| {
        let names = "/tmp/b\n";
        let file = text(
            "/etc/ld.so.preload",
            &(" ".repeat(length - names.len()) + names),
        );
        let file = Made {
            mode: Some(0o644),
            ..file
        };
        of(
            "/tmp/a",
            vec![copy("/tmp/a"), dynamic("/tmp/b", &[], |_| {}), file],
        )
    };
    let by_variable = |name: &str, of_library: u32, of_program: u32| {
        let mut own = dynamic(&format!("{LIBRARIES}/{name}"), &["libcap.so.2"], |_| {});
        own.mode = Some(of_library);
        let mut program = copy("/tmp/a");
        program.mode = Some(of_program);
        with(of("/tmp/a", vec![program, own]), |case| {
            case.exec.user = Some(1000);
            set(case, "LD_PRELOAD", name);
        })
    };
    let mut all = [255, 256, 257].map(by_file).to_vec();
    for mode in [0o755, 0o4755] {
        all.push(by_variable("libown.so", mode, 0o4755));
        all.push(by_variable("libown.so", mode, 0o755));
    }
    all.extend([254, 255].map(|length| by_variable(&"l".repeat(length), 0o4755, 0o4755)));
    let audited = with(of("/tmp/a", vec![copy("/tmp/a")]), |case| {
        set(case, "LD_AUDIT", "libaudit.so.1");
    });
    all.push(audited);
    all
}
