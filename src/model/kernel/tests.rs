//! One case of each rule.

use super::*;
use crate::elf::{Elf, Flaw};
use crate::model::sample::{Sample, call, running, start};
use crate::model::script::first_line;
use crate::model::{BinfmtEntry, Image, Matches};
use crate::trail::Release;

fn by_descriptor(cloexec: bool) -> Call {
    Call {
        target: Target::At {
            fd: Some(5),
            path: String::new(),
            flags: libc::AT_EMPTY_PATH,
            cloexec,
        },
        ..call("/a")
    }
}

#[test]
fn program_and_interpreter_are_opened_by_the_caller() {
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new()
        .program("/a", &program)
        .program("/l", &Elf::new());
    let steps = [
        "execute /a by /caller",
        "open /a by /caller",
        "execute /l by /caller",
        "open /l by /caller",
    ];
    assert_eq!(start(&sample, &call("/a"), "5.10").0, steps);
    assert_eq!(running(&sample, &call("/a")).exe.name, "/a");
}

#[test]
fn a_script_becomes_its_interpreter_and_keeps_its_own_comm() {
    let sample = Sample::new()
        .file("/s.sh", b"#!/a -x\n")
        .program("/a", &Elf::new());
    let running = running(&sample, &call("/s.sh"));
    assert_eq!(
        (running.exe.name.as_str(), running.comm.as_str()),
        ("/a", "s.sh")
    );
    assert_eq!(running.argv, ["/a", "-x", "/s.sh"]);
}

#[test]
fn six_scripts_are_one_too_many() {
    let chain = (0..6).fold(Sample::new().program("/0", &Elf::new()), |sample, level| {
        sample.file(
            &format!("/{}", level + 1),
            format!("#!/{level}\n").as_bytes(),
        )
    });
    assert_eq!(start(&chain, &call("/6"), "7.3").1, errno("ELOOP"));
    assert!(matches!(
        start(&chain, &call("/5"), "7.3").1,
        KernelEnding::Runs(_)
    ));
}

#[test]
fn a_script_by_a_descriptor_that_will_be_closed_is_not_found() {
    let sample = Sample::new()
        .program("/a", &Elf::new())
        .file("/proc/self/fd/5", b"#!/a\n");
    let sample = sample
        .directory("/proc")
        .directory("/proc/self")
        .directory("/proc/self/fd");
    assert_eq!(
        start(&sample, &by_descriptor(true), "7.3").1,
        errno("ENOENT")
    );
    assert!(matches!(
        start(&sample, &by_descriptor(false), "7.3").1,
        KernelEnding::Runs(_)
    ));
}

#[test]
fn comm_by_descriptor_depends_on_the_kernel() {
    let sample = Sample::new().program("/proc/self/fd/5", &Elf::new());
    let sample = sample
        .directory("/proc")
        .directory("/proc/self")
        .directory("/proc/self/fd");
    let sample = sample.with("/proc/self/fd/5", |file| file.name = "/bin/true".into());
    let comm = |release| match start(&sample, &by_descriptor(true), release).1 {
        KernelEnding::Runs(running) => running.comm,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (comm("6.12.13"), comm("6.12.14")),
        ("5".into(), "true".into())
    );
}

#[test]
fn arguments_that_do_not_fit_are_found_before_or_behind_the_open() {
    let sample = Sample::new().program("/a", &Elf::new());
    let mut call = call("/a");
    call.argv.push("x".repeat(1 << 17));
    assert_eq!(start(&sample, &call, "6.7"), (Vec::new(), errno("E2BIG")));
    assert_eq!(start(&sample, &call, "6.8").0.len(), 2);
}

#[test]
fn a_writer_is_noticed_behind_the_events() {
    let sample = Sample::new()
        .program("/a", &Elf::new())
        .with("/a", |file| file.busy = true);
    let (steps, ending) = start(&sample, &call("/a"), "7.3");
    assert_eq!((steps.len(), ending), (2, errno("ETXTBSY")));
}

#[test]
fn an_interpreter_of_another_width_is_bad() {
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new()
        .program("/a", &program)
        .program("/l", &Elf::new_32());
    assert_eq!(start(&sample, &call("/a"), "7.3").1, errno("ELIBBAD"));
}

#[test]
fn an_interpreter_shorter_than_a_header_is_an_error_of_reading() {
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new().program("/a", &program).file("/l", b"short");
    assert_eq!(start(&sample, &call("/a"), "7.3").1, errno("EIO"));
}

#[test]
fn what_fails_behind_the_point_of_no_return_is_a_signal() {
    let sample = Sample::new().program("/a", &Elf::new().flaw(Flaw::Address));
    assert_eq!(
        start(&sample, &call("/a"), "7.3").1,
        KernelEnding::Signal("SIGSEGV")
    );
}

#[test]
fn a_refused_execute_has_no_open() {
    let sample = Sample::new().program("/a", &Elf::new());
    let mut steps = 0;
    let kernel = Release::of("7.3").unwrap();
    let ending = exec(&sample.0, &call("/a"), kernel, &mut |_| {
        steps += 1;
        Answer::Refuse("EPERM".to_owned())
    });
    assert_eq!((steps, ending), (1, errno("EPERM")));
}

#[test]
fn an_unknown_format_had_a_helper() {
    let sample = Sample::new().file("/a", &[1, 2, 3, 4]);
    let mut call = call("/a");
    call.modprobe = "/m".to_owned();
    let helper = |release| match start(&sample, &call, release).1 {
        KernelEnding::NoFormat { helper } => helper,
        other => panic!("{other:?}"),
    };
    assert_eq!((helper("6.13"), helper("6.14")), (Some("/m".into()), None));
}

#[test]
fn an_overlays_file_opens_the_one_of_its_layer() {
    let sample = Sample::new().program("/a", &Elf::new()).with("/a", |file| {
        file.watched = false;
        let layer = File {
            name: "/layer".into(),
            watched: true,
            ..file.clone()
        };
        file.layer = Some(Box::new(layer));
    });
    let count = |release| start(&sample, &call("/a"), release).0.len();
    assert_eq!((count("6.4"), count("6.5")), (0, 2));
}

fn line(text: &str) -> Option<(String, Option<String>)> {
    first_line(&Image::of(text.as_bytes()).head)
}

fn parsed(name: &str, argument: Option<&str>) -> Option<(String, Option<String>)> {
    Some((name.to_owned(), argument.map(ToOwned::to_owned)))
}

#[test]
fn blanks_around_the_interpreter_do_not_count() {
    assert_eq!(line("#! \t/a \n"), parsed("/a", None));
}

#[test]
fn all_behind_the_interpreter_is_one_argument() {
    assert_eq!(line("#!/a -b  c \n"), parsed("/a", Some("-b  c")));
}

#[test]
fn a_line_of_blanks_is_no_script() {
    assert_eq!(line("#!  \n"), None);
}

#[test]
fn a_name_that_fills_the_buffer_is_no_script() {
    assert_eq!(line(&format!("#!/{}", "a".repeat(300))), None);
}

#[test]
fn an_argument_that_fills_the_buffer_is_cut() {
    let long = format!("#!/a {}\n", "b".repeat(300));
    assert_eq!(line(&long), parsed("/a", Some(&"b".repeat(250))));
}

#[test]
fn a_nul_ends_the_line() {
    assert_eq!(line("#!/a\0b\n"), parsed("/a", None));
}

#[test]
fn a_blank_in_front_of_the_end_of_the_file_is_an_empty_argument() {
    assert_eq!(line("#!/a "), parsed("/a", Some("")));
}

#[test]
fn nothing_at_all_is_a_script_of_an_empty_name() {
    assert_eq!(line("#!"), parsed("", None));
}

/// The end of `/a`, a program with an ELF interpreter, for this caller.
fn ends(loader: &Elf, change: impl FnOnce(&mut Call)) -> KernelEnding {
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new().program("/a", &program).program("/l", loader);
    let mut call = call("/a");
    change(&mut call);
    start(&sample, &call, "7.3").1
}

#[test]
fn an_elf_interpreter_with_nothing_to_load_is_found_when_nobody_can_be_told() {
    let nothing = Elf::new().flaw(Flaw::NothingLoaded);
    assert_eq!(ends(&nothing, |_| {}), KernelEnding::Signal("SIGSEGV"));
}

#[test]
fn a_program_with_nothing_to_load_starts() {
    let sample = Sample::new().program("/a", &Elf::new().flaw(Flaw::NothingLoaded));
    assert!(matches!(
        start(&sample, &call("/a"), "7.3").1,
        KernelEnding::Runs(_)
    ));
}

#[test]
fn a_limit_of_the_address_space_is_found_by_the_stack() {
    let end = |pages: u64| ends(&Elf::new(), |call| call.caller.space = pages * 4096);
    assert_eq!(end(34), KernelEnding::Signal("SIGSEGV"));
    // A page of arguments, 32 of stack, one each of program and interpreter.
    assert!(matches!(end(35), KernelEnding::Runs(_)));
}

#[test]
fn a_limit_of_the_address_space_is_found_by_arguments_of_two_pages() {
    let end = |length: usize| {
        ends(&Elf::new(), |call| {
            call.caller.space = 4096;
            call.argv.push("x".repeat(length));
        })
    };
    // Two names of three bytes and the word at the top, with four NULs.
    assert_eq!(end(4096), KernelEnding::Errno("E2BIG".into()));
    assert_eq!(end(4000), KernelEnding::Signal("SIGSEGV"));
}

#[test]
fn a_shared_table_that_cannot_be_copied_ends_the_process() {
    let end = ends(&Elf::new(), |call| call.caller.large_table = true);
    assert_eq!(end, KernelEnding::Signal("SIGSEGV"));
}

#[test]
fn program_headers_of_more_than_a_page_are_read_by_newer_kernels() {
    let end = |unused, release| {
        let program = Elf::new().unused_headers(unused);
        let sample = Sample::new().program("/a", &program);
        start(&sample, &call("/a"), release).1
    };
    // Two are there besides: 73 times 56 bytes fit.
    assert!(matches!(end(71, "6.16"), KernelEnding::Runs(_)));
    assert!(matches!(end(72, "6.16"), KernelEnding::NoFormat { .. }));
    assert!(matches!(end(72, "6.17"), KernelEnding::Runs(_)));
}

#[test]
fn a_descriptor_that_is_not_open_is_told_before_the_path() {
    let sample = Sample::new().program("/a", &Elf::new());
    let errno = KernelEnding::Errno("EBADF".into());
    assert_eq!(start(&sample, &by_descriptor(false), "7.3").1, errno);
    let absolute = Call {
        target: Target::At {
            fd: Some(5),
            path: "/a".into(),
            flags: 0,
            cloexec: false,
        },
        ..call("/a")
    };
    assert!(matches!(
        start(&sample, &absolute, "7.3").1,
        KernelEnding::Runs(_)
    ));
}

#[test]
fn a_transparent_format_needs_no_path_to_the_file() {
    let directories = ["/proc", "/proc/self", "/proc/self/fd"];
    let sample = directories
        .into_iter()
        .fold(Sample::new(), Sample::directory);
    let sample = sample.file("/proc/self/fd/5", b"xyz");
    let sample = sample.program("/a", &Elf::new());
    let ending = |flags: &str| {
        let mut call = by_descriptor(true);
        call.formats = vec![BinfmtEntry {
            matches: Matches::Magic {
                offset: 0,
                bytes: b"xyz".into(),
                mask: Vec::new(),
            },
            interpreter: "/a".to_owned(),
            fixed: None,
            flags: flags.to_owned(),
        }];
        start(&sample, &call, "7.3").1
    };
    assert_eq!(ending("O"), errno("ENOENT"));
    assert!(matches!(ending("T"), KernelEnding::Runs(_)));
}
