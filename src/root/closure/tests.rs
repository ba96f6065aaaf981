use std::fs;

use super::*;
use crate::elf::{Elf as Made, Flaw};
use crate::root::{Added, Host, Root, Within};
use crate::vm::tree::{Entry, Tree};

/// What a program takes along and misses, for this caller, with these files at other places.
fn closure_of(path: &Path, caller: &Caller, added: &[&Added]) -> (Vec<PathBuf>, Vec<Missing>) {
    let mut root = Root::default();
    let mut host = Host {
        root: &mut root,
        added,
    };
    let mut closure = Closure::new(&mut host, caller, Foreign::Refused);
    closure.add(path, "asked for").unwrap();
    assert_eq!(closure.damaged, [""; 0].map(PathBuf::from));
    let taken = closure.taken.iter().map(|(path, _)| path.clone()).collect();
    (taken, closure.missing)
}

fn closure(path: &Path) -> (Vec<PathBuf>, Vec<String>) {
    let (taken, missing) = closure_of(path, &Caller::default(), &[]);
    let missing = missing.into_iter().map(|missing| missing.what);
    (taken, missing.collect())
}

/// A caller with a variable set.
fn with(name: &str, value: &Path) -> Caller {
    let value = value.to_str().unwrap().to_owned();
    Caller {
        environment: [(name.to_owned(), value)].into(),
        ..Caller::default()
    }
}

fn dynamic() -> Made {
    Made::new().interpreter("/lib64/ld-linux-x86-64.so.2")
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_script_takes_its_interpreter_and_that_ones_libraries() {
    let dir = tempfile::tempdir().unwrap();
    let script = file(dir.path(), "run", b"#!/bin/sh\n:\n");
    let (taken, missing) = closure(&script);
    assert!(taken.contains(&PathBuf::from("/bin/sh")), "{taken:?}");
    assert!(
        taken.iter().any(|path| path.ends_with("libc.so.6")),
        "{taken:?}"
    );
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_library_is_found_by_runpath_and_origin_before_the_usual_places() {
    let dir = tempfile::tempdir().unwrap();
    let library = file(dir.path(), "libown.so", &Made::new().build());
    let program = Made::new()
        .interpreter("/lib64/ld-linux-x86-64.so.2")
        .needs("libown.so")
        .runpath("$ORIGIN");
    let program = file(dir.path(), "program", &program.build());
    let (taken, missing) = closure(&program);
    assert!(taken.contains(&library), "{taken:?} {missing:?}");
}

/// A program with this path for libraries, one of which needs another one in `below`.
fn chain(path: impl Fn(Made) -> Made) -> (Vec<PathBuf>, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let first = Made::new().interpreter(loader).needs("libsecond.so");
    file(&below, "libfirst.so", &first.build());
    let second = file(&below, "libsecond.so", &Made::new().build());
    let program = Made::new().interpreter(loader).needs("libfirst.so");
    let program = file(dir.path(), "program", &path(program).build());
    (closure(&program).0, second)
}

#[test]
fn rpath_goes_for_what_a_library_needs() {
    let (taken, second) = chain(|program| program.rpath("$ORIGIN/below"));
    assert!(taken.contains(&second), "{taken:?}");
}

#[test]
fn runpath_does_not_go_for_what_a_library_needs() {
    let (taken, second) = chain(|program| program.runpath("$ORIGIN/below"));
    assert!(!taken.contains(&second), "{taken:?}");
}

#[test]
fn what_the_program_has_loaded_a_library_need_not_find() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    let first = file(
        &below,
        "libfirst.so",
        &dynamic().needs("libsecond.so").build(),
    );
    let second = file(&below, "libsecond.so", &Made::new().build());
    let program = dynamic().needs("libfirst.so").needs("libsecond.so");
    let program = program.runpath("$ORIGIN/below").build();
    let (taken, missing) = closure(&file(dir.path(), "program", &program));
    assert!(taken.contains(&first) && taken.contains(&second));
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_library_of_two_programs_is_looked_through_for_each() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    let shared = file(&one, "libshared.so", &dynamic().needs("libown.so").build());
    let own = file(&two, "libown.so", &Made::new().build());
    let needs = |path: &str| dynamic().needs(shared.to_str().unwrap()).rpath(path);
    let plain = file(dir.path(), "plain", &needs("/nowhere").build());
    let with = file(dir.path(), "with", &needs("$ORIGIN/two").build());
    let mut root = Root::default();
    let mut host = Host {
        root: &mut root,
        added: &[],
    };
    let caller = Caller::default();
    let mut closure = Closure::new(&mut host, &caller, Foreign::Refused);
    closure.add(&plain, "asked for").unwrap();
    closure.add(&with, "asked for").unwrap();
    assert_eq!(closure.missing[0].by, shared);
    assert!(closure.done.contains_key(&own));
}

#[test]
fn the_origin_of_a_program_is_where_its_symlink_leads() {
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there");
    fs::create_dir(&there).unwrap();
    let library = file(&there, "libown.so", &Made::new().build());
    let program = Made::new()
        .interpreter("/lib64/ld-linux-x86-64.so.2")
        .needs("libown.so")
        .runpath("$ORIGIN");
    file(&there, "program", &program.build());
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("there/program", &link).unwrap();
    let (taken, missing) = closure(&link);
    assert!(taken.contains(&library), "{taken:?} {missing:?}");
}

#[test]
fn the_same_words_of_two_libraries_are_a_file_beside_each() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = dynamic();
    let mut beside = Vec::new();
    for name in ["one", "two"] {
        let own = dir.path().join(name);
        fs::create_dir(&own).unwrap();
        let needs = dynamic().needs("$ORIGIN/libz.so").build();
        program = program.needs(&file(&own, "lib.so", &needs).display().to_string());
        beside.push(file(&own, "libz.so", &Made::new().build()));
    }
    let (taken, missing) = closure(&file(dir.path(), "program", &program.build()));
    assert!(
        beside.iter().all(|library| taken.contains(library)),
        "{taken:?} {missing:?}"
    );
}

#[test]
fn what_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let program = Made::new()
        .interpreter("/nowhere/ld.so")
        .needs("libnowhere.so");
    let program = file(dir.path(), "program", &program.build());
    let (_, missing) = closure(&program);
    assert_eq!(missing, ["/nowhere/ld.so", "libnowhere.so"]);
}

#[test]
fn a_program_for_another_machine_is_an_error_that_names_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = Made::new().build();
    bytes[18] = 183;
    let program = file(dir.path(), "program", &bytes);
    let caller = Caller::default();
    let added = |foreign| {
        let mut root = Root::default();
        let mut host = Host {
            root: &mut root,
            added: &[],
        };
        Closure::new(&mut host, &caller, foreign).add(&program, "asked for")
    };
    let error = added(Foreign::Refused).unwrap_err().to_string();
    assert!(error.contains("is for AARCH64"), "{error}");
    added(Foreign::Taken).unwrap();
}

#[test]
fn a_program_needs_what_its_program_headers_say_whatever_its_sections_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = dynamic().needs("libnowhere.so").build();
    // e_shoff, e_shentsize and e_shnum (elf(5)): a table beyond the end.
    bytes[40..48].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    bytes[58..62].copy_from_slice(&[64, 0, 9, 0]);
    assert!(goblin::elf::Elf::parse(&bytes).is_err());
    let (taken, missing) = closure(&file(dir.path(), "program", &bytes));
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    assert!(taken.iter().any(|path| path == loader), "{taken:?}");
    assert_eq!(missing, ["libnowhere.so"]);
}

#[test]
fn a_program_whose_headers_nobody_can_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let flawed = |flaw| dynamic().flaw(flaw).build();
    let caller = Caller::default();
    for (flaw, is_damaged) in [
        (Flaw::HeadersOutside, true),
        (Flaw::InterpreterOutside, true),
        // An object file is no program.
        (Flaw::Relocatable, false),
    ] {
        let program = file(dir.path(), "program", &flawed(flaw));
        let mut root = Root::default();
        let mut host = Host {
            root: &mut root,
            added: &[],
        };
        let mut closure = Closure::new(&mut host, &caller, Foreign::Refused);
        closure.add(&program, "asked for").unwrap();
        assert_eq!(!closure.damaged.is_empty(), is_damaged, "{flaw:?}");
    }
}

#[test]
fn a_relative_interpreter_is_in_the_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let script = file(dir.path(), "run", b"#! ./interpreter x\n");
    let interpreter = file(dir.path(), "interpreter", &Made::new().build());
    let directory = dir.path().to_str().map(ToOwned::to_owned);
    let caller = Caller {
        directory,
        ..Caller::default()
    };
    let (taken, missing) = closure_of(&script, &caller, &[]);
    assert_eq!(
        (taken, missing),
        (vec![script.clone(), interpreter], vec![])
    );
    let (_, missing) = closure_of(&script, &Caller::default(), &[]);
    let hint = missing[0].hint.as_deref().unwrap();
    assert!(hint.ends_with("from the working directory, /"), "{hint}");
}

#[test]
fn a_carriage_return_and_other_blanks_belong_to_the_interpreters_name() {
    let dir = tempfile::tempdir().unwrap();
    for (line, name) in [
        (&b"#!/bin/sh\r\n"[..], "/bin/sh\\x0d"),
        (b"#!\t/bin/sh\x0b\n", "/bin/sh\\x0b"),
    ] {
        let (_, missing) = closure(&file(dir.path(), "run", line));
        assert_eq!(missing, [name]);
    }
    let script = file(dir.path(), "run", b"#!/usr/bin/env sh\r\n");
    let (_, missing) = closure_of(&script, &Caller::default(), &[]);
    let said = missing[0].to_string();
    assert!(
        said.contains("needs sh\\x0d") && said.contains("carriage return"),
        "{said}"
    );
}

#[test]
fn libraries_are_found_by_the_variables_of_the_loader() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    fs::create_dir(&below).unwrap();
    let library = file(&below, "libown.so", &Made::new().build());
    let needs = file(dir.path(), "needs", &dynamic().needs("libown.so").build());
    let plain = file(dir.path(), "plain", &dynamic().build());
    let taken = |program, caller: Caller| closure_of(program, &caller, &[]).0;
    assert!(taken(&needs, with("LD_LIBRARY_PATH", &below)).contains(&library));
    assert!(taken(&plain, with("LD_PRELOAD", &library)).contains(&library));
    let gone = with("LD_PRELOAD", Path::new("libnowhere.so"));
    assert_eq!(closure_of(&plain, &gone, &[]).1[0].what, "libnowhere.so");
}

#[test]
fn libraries_of_a_preload_file_that_is_added_go_along() {
    let dir = tempfile::tempdir().unwrap();
    let library = file(dir.path(), "libown.so", &Made::new().build());
    let text = format!("{} # /nowhere\n", library.display());
    let added = Added {
        host: file(dir.path(), "list", text.as_bytes()),
        guest: "/etc/ld.so.preload".to_owned(),
        own: false,
    };
    let program = file(dir.path(), "program", &dynamic().build());
    let (taken, missing) = closure_of(&program, &Caller::default(), &[&added]);
    assert!(taken.contains(&library), "{taken:?}");
    assert_eq!(missing, []);
}

#[test]
fn scripts_that_name_one_another_are_followed_further_than_the_kernel_does_and_not_for_ever() {
    let mut tree = Tree::default();
    let mode = 0o755;
    for number in 0..5000 {
        let bytes = format!("#!/{}\n", number + 1).into_bytes().into();
        let entry = Entry::File { mode, bytes };
        tree.add(&number.to_string(), entry).unwrap();
    }
    let (caller, mut within) = (Caller::default(), Within(&tree));
    let mut closure = Closure::new(&mut within, &caller, Foreign::Refused);
    closure.add(Path::new("/0"), "the program").unwrap();
    assert!((6..100).contains(&closure.taken.len()));
}

#[test]
fn a_root_is_looked_through_as_this_host_is() {
    let mut tree = Tree::default();
    let put = |tree: &mut Tree, name: &str, bytes: Vec<u8>| {
        let bytes = bytes.into();
        let entry = Entry::File { mode: 0o755, bytes };
        tree.add(name, entry).unwrap();
    };
    put(&mut tree, "run", b"#!./program\n".to_vec());
    put(&mut tree, "program", dynamic().needs("libown.so").build());
    put(&mut tree, "opt/lib/libown.so", Made::new().build());
    put(&mut tree, "etc/ld.so.conf.d/a.conf", b"/opt/lib\n".to_vec());
    let conf = b"include ld.so.conf.d/*.conf\n".to_vec();
    put(&mut tree, "etc/ld.so.conf", conf);
    let caller = Caller::default();
    let mut within = Within(&tree);
    let mut closure = Closure::new(&mut within, &caller, Foreign::Refused);
    closure.add(Path::new("/run"), "the program").unwrap();
    let missing: Vec<_> = closure.missing.iter().map(|one| &one.what).collect();
    assert_eq!(missing, ["/lib64/ld-linux-x86-64.so.2"]);
    assert!(closure.done.contains_key(Path::new("/opt/lib/libown.so")));
}
