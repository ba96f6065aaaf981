//! The rules at their edges.

use super::*;
use crate::elf::Flaw;
use crate::model::Reach;
use crate::model::sample::running;

fn environment(variables: &[&str]) -> Call {
    let mut call = call("/a");
    let variables = variables.iter().map(|variable| (*variable).to_owned());
    call.environment.extend(variables);
    call
}

fn steps(sample: &Sample, call: &Call) -> Vec<String> {
    libraries(sample, call, "").0
}

fn ends(sample: &Sample, call: &Call) -> Loaded {
    libraries(sample, call, "").1
}

/// The sample with `/tmp/y.so`, which is called so.
fn elsewhere() -> Sample {
    let sample = sample().program("/tmp/y.so", &shared());
    sample.with("/tmp/y.so", |file| library(file, "y.so", &[]))
}

fn headers(file: &mut File) -> &mut Headers {
    file.image.as_mut().unwrap().elf.as_mut().unwrap()
}

#[test]
fn musls_loader_is_all_that_a_program_may_need() {
    let loader = "/lib/ld-musl-x86_64.so.1";
    let with = |library: &str| {
        let program = Built::new().interpreter(loader).needs(library);
        let sample = sample()
            .program("/m", &program)
            .program(loader, &Built::new());
        ends(&sample, &call("/m"))
    };
    assert_eq!(with(arch::MUSL[0]), Loaded::Runs);
    assert!(matches!(with("x.so"), Loaded::Unknown(_)));
}

#[test]
fn musls_loader_by_hand_is_not_predicted() {
    let sample = sample().program("/lib/ld-musl-x86_64.so.1", &Built::new());
    let end = ends(&sample, &call("/lib/ld-musl-x86_64.so.1"));
    assert!(matches!(end, Loaded::Unknown(_)));
}

#[test]
fn an_interpreter_that_needs_nothing_is_the_program() {
    let program = Built::new().interpreter("/i");
    let alone = sample()
        .program("/b", &program)
        .program("/i", &Built::new());
    assert_eq!(ends(&alone, &call("/b")), Loaded::Runs);
    let asks = sample().program("/b", &program);
    let asks = asks
        .program("/i", &Built::new().interpreter("/j"))
        .program("/j", &Built::new());
    assert!(matches!(ends(&asks, &call("/b")), Loaded::Unknown(_)));
}

#[test]
fn a_static_program_has_no_loader() {
    let sample = sample().program("/b", &Built::new());
    assert_eq!(
        libraries(&sample, &call("/b"), ""),
        (Vec::new(), Loaded::Runs)
    );
}

#[test]
fn a_limit_of_the_address_space_is_not_predicted() {
    let mut call = call("/a");
    call.caller.space = 1 << 30;
    assert!(matches!(ends(&sample(), &call), Loaded::Unknown(_)));
}

#[test]
fn the_last_of_two_variables_counts() {
    let call = environment(&["LD_PRELOAD=/tmp/none.so", "LD_PRELOAD=/tmp/p.so"]);
    assert_eq!(steps(&sample(), &call)[0], "/tmp/p.so");
    let other = environment(&["XLD_PRELOAD=/tmp/p.so"]);
    assert_eq!(steps(&sample(), &other)[0], CACHE);
}

#[test]
fn auditing_libraries_are_not_predicted_where_they_are_heeded() {
    let mut call = environment(&["LD_AUDIT=/tmp/p.so"]);
    assert!(matches!(ends(&sample(), &call), Loaded::Unknown(_)));
    call.caller.real = (7, 0);
    assert_eq!(ends(&sample(), &call), Loaded::Runs);
}

#[test]
fn directories_of_the_environment_are_parted_by_either_sign() {
    for list in ["/none:/tmp", "/none;/tmp", "/tmp/"] {
        let call = environment(&[&format!("LD_LIBRARY_PATH={list}")]);
        assert!(
            steps(&elsewhere(), &call).contains(&"/tmp/y.so".to_owned()),
            "{list}"
        );
    }
}

#[test]
fn directories_of_the_environment_do_not_count_for_another_user() {
    let mut call = environment(&["LD_LIBRARY_PATH=/tmp"]);
    call.caller.real = (7, 0);
    assert!(steps(&elsewhere(), &call).contains(&"/lib/y.so".to_owned()));
}

#[test]
fn directories_of_the_environment_come_after_an_rpath_and_before_a_runpath() {
    let sample = |change: fn(&mut Headers)| {
        let sample = by(change).directory("/o").program("/o/y.so", &shared());
        sample.with("/o/y.so", |file| library(file, "y.so", &[]))
    };
    let mut call = environment(&["LD_LIBRARY_PATH=/o"]);
    call.target = crate::model::Target::Path("/tmp/a".to_owned());
    let rpath = sample(|elf| elf.rpath = Some("/tmp".to_owned()));
    let runpath = sample(|elf| elf.runpath = Some("/tmp".to_owned()));
    assert_eq!(steps(&rpath, &call), ["/tmp/y.so"]);
    assert_eq!(steps(&runpath, &call), ["/o/y.so"]);
}

/// What comes of running the loader with these arguments.
fn by_hand(sample: &Sample, arguments: &[&str]) -> (Vec<String>, Loaded) {
    let mut call = call(LOADER);
    let arguments = arguments.iter().map(|argument| (*argument).to_owned());
    call.argv.extend(arguments);
    libraries(sample, &call, "")
}

#[test]
fn a_loader_run_by_hand_takes_options() {
    let (found, end) = by_hand(&elsewhere(), &["--library-path", "/tmp", "/a"]);
    assert_eq!(
        (found.last().unwrap().as_str(), end),
        ("/lib/z.so", Loaded::Runs)
    );
    assert!(found.contains(&"/tmp/y.so".to_owned()));
    assert_eq!(
        by_hand(&sample(), &["--preload", "/tmp/p.so", "/a"]).0[..2],
        ["/a", "/tmp/p.so"]
    );
    assert_eq!(by_hand(&sample(), &["--argv0", "/none", "/a"]).0[0], "/a");
}

#[test]
fn a_loader_run_by_hand_otherwise_is_not_predicted() {
    for arguments in [&["--verify", "/a"][..], &["a"], &[]] {
        let (found, end) = by_hand(&sample(), arguments);
        assert!(
            found.is_empty() && matches!(end, Loaded::Unknown(_)),
            "{arguments:?}"
        );
    }
}

#[test]
fn an_option_with_a_path_in_it_is_no_program() {
    let option = by_hand(&sample(), &["--inhibit-rpath=/lib/x.so", "/a"]);
    let reason = "the loader is given an option";
    assert_eq!(option, (Vec::new(), Loaded::Unknown(reason)));
}

#[test]
fn a_loader_run_by_hand_gives_up_without_a_program_of_its_width() {
    assert_eq!(
        by_hand(&sample(), &["/none"]),
        (Vec::new(), Loaded::Exits(GIVES_UP))
    );
    let narrow = sample().program("/n", &Built::new_32());
    assert_eq!(
        by_hand(&narrow, &["/n"]),
        (vec!["/n".to_owned()], Loaded::Exits(GIVES_UP))
    );
    let text = sample().file("/t", b"text");
    assert_eq!(
        by_hand(&text, &["/t"]),
        (vec!["/t".to_owned()], Loaded::Exits(GIVES_UP))
    );
}

#[test]
fn an_origin_of_a_program_by_hand_is_that_of_its_path() {
    let sample = by(|elf| elf.runpath = Some("$ORIGIN".to_owned()));
    let mut call = call(LOADER);
    call.argv.push("./a".to_owned());
    call.caller.cwd = "/tmp".to_owned();
    assert_eq!(steps(&sample, &call), ["/tmp/a", "/tmp/y.so"]);
    call.argv[1] = "/tmp/a".to_owned();
    call.caller.cwd = "/lib".to_owned();
    assert_eq!(steps(&sample, &call), ["/tmp/a", "/tmp/y.so"]);
}

#[test]
fn an_origin_in_the_root_is_the_root() {
    let sample = sample().with("/a", |file| {
        headers(file).runpath = Some("$ORIGIN/tmp".to_owned())
    });
    let sample = sample.program("/tmp/y.so", &shared());
    assert!(steps(&sample, &call("/a")).contains(&"/tmp/y.so".to_owned()));
}

#[test]
fn what_is_preloaded_is_parted_by_colons_and_blanks() {
    let found = steps(&sample(), &preloading(":/tmp/p.so:/lib/z.so\t/lib/y.so "));
    assert_eq!(found[..3], ["/tmp/p.so", "/lib/z.so", "/lib/y.so"]);
}

#[test]
fn a_program_of_another_user_preloads_by_name_alone() {
    let preloaded = |length: usize| {
        let name = "p".repeat(length);
        let path = format!("/lib/{name}");
        let sample = sample().mode(&path, &Built::new().build(), 0o4755);
        let mut call = preloading(&name);
        call.caller.real = (7, 0);
        steps(&sample, &call)[0] == path
    };
    assert!(preloaded(254) && !preloaded(255));
    let sample = sample().with("/lib/y.so", |file| file.owned.mode |= 0o4000);
    let mut call = preloading("/lib/y.so");
    call.caller.real = (7, 0);
    assert_eq!(steps(&sample, &call)[0], CACHE);
}

#[test]
fn the_file_of_preloads_counts_for_everybody() {
    let sample = sample().file(PRELOAD, b"/tmp/p.so\n");
    let mut call = call("/a");
    call.caller.real = (7, 0);
    assert_eq!(steps(&sample, &call)[..2], [PRELOAD, "/tmp/p.so"]);
}

#[test]
fn the_file_of_preloads_is_known_as_far_as_its_head() {
    let end = |length: usize| {
        let sample = sample().file(PRELOAD, &b" ".repeat(length));
        ends(&sample, &call("/a"))
    };
    assert_eq!(end(256), Loaded::Runs);
    assert!(matches!(end(257), Loaded::Unknown(_)));
}

#[test]
fn a_library_that_is_missing_ends_the_program() {
    let program = Built::new().interpreter(LOADER).needs("none.so");
    let sample = sample().program("/b", &program);
    assert_eq!(
        libraries(&sample, &call("/b"), ""),
        (vec![CACHE.into()], Loaded::Exits(GIVES_UP))
    );
    let path = Built::new().interpreter(LOADER).needs("/none.so");
    let sample = sample.program("/b", &path);
    assert_eq!(
        libraries(&sample, &call("/b"), ""),
        (Vec::new(), Loaded::Exits(GIVES_UP))
    );
}

#[test]
fn a_library_that_says_it_is_another_is_that_one() {
    let sample = sample().with("/tmp/p.so", |file| library(file, "y.so", &[]));
    let found = steps(&sample, &preloading("/tmp/p.so"));
    assert_eq!(found, ["/tmp/p.so", CACHE, "/lib/x.so", "/lib/z.so"]);
}

#[test]
fn a_file_of_two_names_is_loaded_once() {
    let program = Built::new()
        .interpreter(LOADER)
        .needs("/lib/x.so")
        .needs("/k");
    let sample = sample().program("/b", &program).link("/k", "/lib/x.so");
    let sample = sample.with("/lib/x.so", |file| headers(file).soname = None);
    let found = steps(&sample, &call("/b"));
    assert_eq!(found, ["/lib/x.so", "/lib/x.so", CACHE, "/lib/z.so"]);
}

#[test]
fn words_that_depend_on_the_processor_are_not_predicted() {
    for path in ["/$LIB/y.so", "/$PLATFORM/y.so", "/${ORIGIN}/y.so"] {
        let end = ends(&sample(), &preloading(path));
        assert!(matches!(end, Loaded::Unknown(_)), "{path}");
    }
}

#[test]
fn a_library_that_may_not_be_read_is_passed_over() {
    let sample = by(|elf| elf.runpath = Some("/tmp".to_owned()));
    let sample = sample.with("/tmp/y.so", |file| file.owned.mode = 0o711);
    let mut call = call("/tmp/a");
    (call.caller.uid, call.caller.gid) = (7, 7);
    (call.caller.overrides, call.caller.reads) = (false, false);
    call.caller.real = (7, 7);
    assert_eq!(steps(&sample, &call), [CACHE, "/lib/y.so"]);
}

#[test]
fn what_is_not_watched_is_opened_without_a_step() {
    let sample = sample().with("/lib/y.so", |file| file.watched = false);
    assert_eq!(
        libraries(&sample, &call("/a"), ""),
        (
            [CACHE, "/lib/x.so", "/lib/z.so"]
                .map(str::to_owned)
                .to_vec(),
            Loaded::Runs
        )
    );
}

#[test]
fn an_rpath_of_the_program_is_searched_once() {
    let sample = by(|elf| elf.rpath = Some("/tmp".to_owned()));
    let sample = sample.with("/tmp/y.so", |file| headers(file).machine = 22);
    let found = steps(&sample, &call("/tmp/a"));
    assert_eq!(found, ["/tmp/y.so", CACHE, "/lib/y.so"]);
}

/// How often these rules are told of when `/tmp/a` is started.
fn told<const N: usize>(sample: &Sample, refused: &str, rules: [Rule; N]) -> [u64; N] {
    let (_, reach) = Reach::of(|| libraries(sample, &call("/tmp/a"), refused));
    rules.map(|rule| reach.rule(rule))
}

#[test]
fn whose_rpath_is_searched_is_told() {
    let rules = [Rule::Rpath, Rule::RpathOfLoader];
    let own = by(|elf| elf.rpath = Some("/tmp".to_owned()));
    assert_eq!(told(&own, "", rules), [1, 0]);
    let inherited = own.with("/tmp/y.so", |file| library(file, "y.so", &["p.so"]));
    assert_eq!(told(&inherited, "", rules), [1, 1]);
}

#[test]
fn whether_there_is_a_cache_to_ask_is_told() {
    let rules = [Rule::Cache, Rule::NoCache];
    let sample = by(|_| {});
    assert_eq!(told(&sample, "", rules), [1, 0]);
    assert_eq!(told(&sample, CACHE, rules), [0, 1]);
}

#[test]
fn a_directory_is_searched_once() {
    let sample = by(|elf| elf.runpath = Some("/tmp:/tmp/:/tmp".to_owned()));
    let sample = sample.with("/tmp/y.so", |file| headers(file).machine = 22);
    let found = steps(&sample, &call("/tmp/a"));
    assert_eq!(found, ["/tmp/y.so", CACHE, "/lib/y.so"]);
}

#[test]
fn libraries_of_the_other_width_are_elsewhere() {
    let loader = "/lib/ld-linux.so.2";
    let program = Built::new_32().interpreter(loader).needs("y.so");
    let sample = sample().directory("/lib32").program("/n", &program);
    let sample = sample
        .program(loader, &Built::new_32())
        .program("/lib32/y.so", &Built::new_32().interpreter(LOADER));
    let sample = sample.with(loader, |file| library(file, "ld-linux.so.2", &[]));
    let found = libraries(&sample, &call("/n"), "");
    assert_eq!(
        found,
        (
            [CACHE, "/lib32/y.so"].map(str::to_owned).to_vec(),
            Loaded::Runs
        )
    );
}

#[test]
fn a_library_in_the_other_width_is_passed_over() {
    let sample = by(|elf| elf.runpath = Some("/tmp".to_owned()));
    let sample = sample.program("/tmp/y.so", &Built::new_32().interpreter(LOADER));
    assert_eq!(
        steps(&sample, &call("/tmp/a")),
        ["/tmp/y.so", CACHE, "/lib/y.so"]
    );
}

#[test]
fn an_rpath_of_a_library_with_a_runpath_does_not_count_for_what_it_needs() {
    let sample = by(|elf| elf.rpath = Some("/tmp".to_owned()));
    let sample = sample.with("/tmp/y.so", |file| {
        library(file, "y.so", &["p.so"]);
        headers(file).runpath = Some("/none".to_owned());
    });
    let (found, end) = libraries(&sample, &call("/tmp/a"), "");
    assert_eq!(
        (found, end),
        (
            ["/tmp/y.so", CACHE].map(str::to_owned).to_vec(),
            Loaded::Exits(GIVES_UP)
        )
    );
}

#[test]
fn the_programs_rpath_counts_for_what_is_preloaded_by_others() {
    // Its own list, then that of who asked for it, is read from the library up to the program.
    let sample = by(|elf| elf.rpath = Some("/tmp".to_owned()));
    let sample = sample.directory("/o").program("/o/q.so", &shared());
    let sample = sample.with("/tmp/y.so", |file| {
        library(file, "y.so", &["q.so"]);
        headers(file).rpath = Some("/o".to_owned());
    });
    assert_eq!(steps(&sample, &call("/tmp/a")), ["/tmp/y.so", "/o/q.so"]);
}

#[test]
fn a_program_that_is_no_elf_file_any_more_ends() {
    let text = sample().program(
        "/b",
        &Built::new().interpreter(LOADER).flaw(Flaw::NothingLoaded),
    );
    let mut program = running(&text, &call("/b"));
    program.program.image.as_mut().unwrap().elf = None;
    let end = load(&text.0, &program, &mut |_| Answer::Go);
    assert_eq!(end, Loaded::Exits(GIVES_UP));
}

#[test]
fn a_library_that_has_two_names_is_known_by_both() {
    let program = Built::new().interpreter(LOADER).needs("x.so");
    let program = program.needs("y.so").needs("k.so");
    let sample = sample()
        .program("/b", &program)
        .link("/lib/k.so", "y.so")
        .with("/lib/x.so", |file| library(file, "x.so", &[]))
        .with("/lib/y.so", |file| library(file, "y.so", &["k.so"]));
    let seen = steps(&sample, &call("/b"));
    assert_eq!(seen, [CACHE, "/lib/x.so", "/lib/y.so", "/lib/y.so"]);
}

#[test]
fn what_has_no_dynamic_section_is_no_library() {
    let sample = sample().program("/lib/x.so", &Built::new());
    assert_eq!(steps(&sample, &call("/a")), [CACHE, "/lib/x.so"]);
    assert_eq!(ends(&sample, &call("/a")), Loaded::Exits(127));
}
