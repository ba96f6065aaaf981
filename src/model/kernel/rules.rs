//! The rules at their edges: the last value that is good, and the first that is not.

use super::*;
use crate::elf::{Elf, Flaw};
use crate::model::sample::{Sample, call, running, start};
use crate::model::{BinfmtEntry, Capabilities};

mod closing;
mod room;

/// How execve of a path ends on a release, once the call was changed.
fn ends(sample: &Sample, path: &str, release: &str, change: impl FnOnce(&mut Call)) -> String {
    let mut call = call(path);
    change(&mut call);
    match start(sample, &call, release).1 {
        KernelEnding::Errno(errno) => errno,
        KernelEnding::NoFormat { .. } => "ENOEXEC".to_owned(),
        KernelEnding::Checked => "checked".to_owned(),
        KernelEnding::Signal(signal) => signal.to_owned(),
        KernelEnding::Hang => "hang".to_owned(),
        KernelEnding::Runs(_) => "runs".to_owned(),
    }
}

/// A program `/a`.
fn plain() -> Sample {
    Sample::new().program("/a", &Elf::new())
}

/// A program `/a` with an ELF interpreter `/l`.
fn interpreted(interpreter: &Elf) -> Sample {
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new().program("/a", &program);
    sample.program("/l", interpreter)
}

fn at(fd: Option<i32>, path: &str, flags: i32) -> Target {
    Target::At {
        fd,
        path: path.to_owned(),
        flags,
        cloexec: false,
    }
}

/// As [`plain`], with `/a` open as descriptor 5 of a directory in which it is `b`.
fn open() -> Sample {
    let sample = plain().directory("/proc").directory("/proc/self");
    let sample = sample.directory("/proc/self/fd");
    sample
        .directory("/proc/self/fd/5")
        .program("/proc/self/fd/5/b", &Elf::new())
}

#[test]
fn a_filter_answers_before_anything_is_looked_at() {
    let filtered = |call: &mut Call| call.filtered = Some("ENOSYS".to_owned());
    assert_eq!(ends(&Sample::new(), "/none", "7.3", filtered), "ENOSYS");
}

#[test]
fn one_process_more_than_the_limit_is_too_many() {
    let count = |count| {
        ends(&plain(), "/a", "5.10", move |call| {
            call.caller.processes = Some((10, count));
        })
    };
    assert_eq!((&*count(10), &*count(11)), ("runs", "EAGAIN"));
}

#[test]
fn a_path_that_cannot_be_read_was_told_before_too_many_processes() {
    let empty = |release| {
        ends(&plain(), "", release, |call| {
            call.caller.processes = Some((1, 2))
        })
    };
    assert_eq!((&*empty("6.19"), &*empty("7.0")), ("ENOENT", "EAGAIN"));
}

#[test]
fn a_path_has_4095_bytes_at_the_most() {
    let slashes = |count: usize| ends(&plain(), &("/".repeat(count - 1) + "a"), "7.3", |_| {});
    assert_eq!((&*slashes(4095), &*slashes(4096)), ("runs", "ENAMETOOLONG"));
}

#[test]
fn an_empty_path_means_the_descriptor_only_where_it_is_said() {
    let target = |flags| {
        ends(&open(), "/", "7.3", |call| {
            call.target = at(Some(5), "", flags)
        })
    };
    assert_eq!(target(libc::AT_SYMLINK_NOFOLLOW), "ENOENT");
    assert_eq!(target(libc::AT_EMPTY_PATH), "EACCES");
}

#[test]
fn a_path_below_a_descriptor_is_named_after_it() {
    let mut call = call("/");
    call.target = at(Some(5), "b", 0);
    let found = running(&open(), &call);
    assert_eq!((&*found.execfn, &*found.comm), ("/dev/fd/5/b", "b"));
}

#[test]
fn an_absolute_path_is_its_own_name() {
    let mut call = call("/");
    call.target = at(Some(5), "/a", 0);
    assert_eq!(running(&open(), &call).execfn, "/a");
}

#[test]
fn a_path_without_a_descriptor_begins_in_the_working_directory() {
    let mut call = call("/");
    call.target = at(None, "b", 0);
    call.caller.cwd = "/proc/self/fd/5".to_owned();
    assert_eq!(running(&open(), &call).execfn, "b");
}

#[test]
fn a_first_argument_that_is_missing_is_an_empty_one() {
    let mut call = call("/a");
    call.argv.clear();
    assert_eq!(running(&plain(), &call).argv, [""]);
}

#[test]
fn a_flag_that_nobody_knows_is_refused() {
    let flag = |flags| {
        ends(&plain(), "/", "7.3", |call| {
            call.target = at(None, "/a", flags)
        })
    };
    assert_eq!(flag(0x4), "EINVAL");
    assert_eq!(
        flag(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW),
        "runs"
    );
}

#[test]
fn a_check_opens_and_does_no_more_since_it_is_known() {
    let mut call = call("/a");
    call.target = at(None, "/a", AT_EXECVE_CHECK);
    assert_eq!(
        start(&plain(), &call, "6.13"),
        (Vec::new(), errno("EINVAL"))
    );
    let (steps, ending) = start(&plain(), &call, "6.14");
    assert_eq!((steps.len(), ending), (2, KernelEnding::Checked));
}

#[test]
fn without_a_file_left_nothing_is_opened() {
    assert_eq!(
        ends(&plain(), "/none", "7.3", |call| call.caller.no_files = true),
        "ENFILE"
    );
}

#[test]
fn a_link_at_the_end_is_followed_where_nothing_is_said() {
    let sample = plain().link("/k", "/a");
    let flag = |flags| {
        ends(&sample, "/", "7.3", |call| {
            call.target = at(None, "/k", flags)
        })
    };
    assert_eq!(
        (&*flag(0), &*flag(libc::AT_SYMLINK_NOFOLLOW)),
        ("runs", "ELOOP")
    );
}

#[test]
fn a_directory_is_not_executed() {
    assert_eq!(
        ends(&plain().directory("/d"), "/d", "7.3", |_| {}),
        "EACCES"
    );
}

#[test]
fn what_nobody_may_execute_and_what_its_mount_forbids_is_not_opened() {
    let mode = Sample::new().mode("/a", &Elf::new().build(), 0o644);
    let mount = plain().with("/a", |file| file.noexec = true);
    for sample in [mode, mount] {
        assert_eq!(
            start(&sample, &call("/a"), "7.3"),
            (Vec::new(), errno("EACCES"))
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_opened_first() {
    let broken = |file: &mut File| file.unreadable = Some("EIO".to_owned());
    let program = start(&plain().with("/a", broken), &call("/a"), "7.3");
    assert_eq!((program.0.len(), program.1), (2, errno("EIO")));
    let sample = interpreted(&Elf::new()).with("/l", broken);
    let interpreter = start(&sample, &call("/a"), "7.3");
    assert_eq!((interpreter.0.len(), interpreter.1), (4, errno("EIO")));
}

#[test]
fn modprobe_is_asked_when_one_of_four_bytes_is_no_text() {
    let helper = |bytes: &[u8], modprobe: &str| {
        let mut call = call("/a");
        call.modprobe = modprobe.to_owned();
        match start(&Sample::new().file("/a", bytes), &call, "5.10").1 {
            KernelEnding::NoFormat { helper } => helper,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(helper(b"abc\x01", "/m"), Some("/m".to_owned()));
    assert_eq!(helper(b"\tb\n~\x01", "/m"), None);
    assert_eq!(helper(b" b\x7f", "/m"), Some("/m".to_owned()));
    assert_eq!(helper(b"abc\x01", ""), None);
}

/// A text `/a` that begins with `ab` and two entries that know it: `/i` by these flags, and of `cd`, `/j`.
fn misc(flags: &str, change: impl FnOnce(&mut Call)) -> (Sample, Call) {
    let sample = Sample::new().file("/a", b"ab").program("/i", &Elf::new());
    let sample = sample.program("/j", &Elf::new());
    let mut call = call("/a");
    call.argv = vec!["zero".to_owned(), "one".to_owned()];
    for rule in [format!("M::ab::/i:{flags}"), "M::cd::/j:O".to_owned()] {
        call.formats.extend(BinfmtEntry::parse(&rule, &sample.0));
    }
    change(&mut call);
    (sample, call)
}

/// Arguments and descriptor of the program that is started for it.
fn given(flags: &str) -> (Vec<String>, Option<String>) {
    let (sample, call) = misc(flags, |_| {});
    let found = running(&sample, &call);
    (found.argv, found.execfd)
}

#[test]
fn an_entry_puts_its_interpreter_in_the_place_of_the_first_argument() {
    assert_eq!(given("").0, ["/i", "/a", "one"]);
    assert_eq!(given("P").0, ["/i", "/a", "zero", "one"]);
}

#[test]
fn an_entry_gives_a_descriptor_where_it_says_so() {
    assert_eq!(given("").1, None);
    for flags in ["O", "C"] {
        assert_eq!(given(flags).1.as_deref(), Some("/a"), "{flags}");
    }
}

#[test]
fn a_transparent_entry_changes_neither_arguments_nor_exe() {
    let (sample, call) = misc("T", |_| {});
    let found = running(&sample, &call);
    assert_eq!(found.argv, ["zero", "one"]);
    assert_eq!((&*found.exe.name, &*found.program.name), ("/a", "/i"));
    assert_eq!(found.execfd.as_deref(), Some("/a"));
}

#[test]
fn an_entry_gives_the_files_credentials_where_it_says_so() {
    let user = |flags| {
        let (sample, mut call) = misc(flags, |_| {});
        (call.caller.uid, call.caller.real) = (7, (7, 0));
        let sample = sample.with("/a", |file| file.owned.mode = 0o4755);
        let found = running(&sample, &call);
        (found.caller.uid, found.secure)
    };
    assert_eq!((user("C"), user("O")), ((0, true), (7, false)));
}

#[test]
fn an_interpreter_that_was_opened_when_the_entry_was_made_needs_no_path() {
    let (_, call) = misc("F", |_| {});
    let sample = Sample::new().file("/a", b"ab");
    assert_eq!(running(&sample, &call).exe.name, "/i");
    assert_eq!(start(&sample, &call, "7.3").0.len(), 4);
}

#[test]
fn an_entry_takes_the_place_of_the_elf_interpreter() {
    let sample = interpreted(&Elf::new()).program("/i", &Elf::new());
    let mut call = call("/a");
    call.formats
        .extend(BinfmtEntry::parse(r"M:1:ELF::/i:L", &sample.0));
    let found = running(&sample, &call);
    assert_eq!(found.interpreter.unwrap().name, "/i");
    assert_eq!(found.exe.name, "/a");
}

#[test]
fn two_descriptors_for_two_interpreters_are_one_too_many() {
    let (sample, call) = misc("O", |_| {});
    let sample = sample.file("/i", b"cd");
    assert_eq!(start(&sample, &call, "7.3").1, errno("ENOEXEC"));
    let (_, call) = misc("", |_| {});
    assert_eq!(running(&sample, &call).execfd.as_deref(), Some("/i"));
}

#[test]
fn an_entry_cannot_open_a_descriptor_that_will_be_closed() {
    let sample = open().file("/proc/self/fd/5/b", b"ab");
    let end = |path: &str, cloexec| {
        let (_, mut call) = misc("", |_| {});
        call.target = Target::At {
            fd: Some(5),
            path: path.to_owned(),
            flags: 0,
            cloexec,
        };
        let sample = sample.0.clone();
        let sample = Sample(sample).program("/i", &Elf::new()).file("/t", b"ab");
        start(&sample, &call, "7.3").1
    };
    assert_eq!(end("b", true), errno("ENOENT"));
    assert!(matches!(end("b", false), KernelEnding::Runs(_)));
    assert!(matches!(end("/t", true), KernelEnding::Runs(_)));
}

#[test]
fn comm_is_cut_after_fifteen_bytes() {
    let sample = Sample::new().program("/abcdefghijklmnopqr", &Elf::new());
    let comm = running(&sample, &call("/abcdefghijklmnopqr")).comm;
    assert_eq!(comm, "abcdefghijklmno");
}

#[test]
fn comm_is_cut_by_its_bytes_and_told_from_our_words() {
    for (path, comm) in [
        ("/123456789abcde\\x0a", "123456789abcde\\x0a"),
        ("/123456789abcdeß", "123456789abcde\\xc3"),
        ("/gone", "\\x67one"),
    ] {
        let sample = Sample::new().program(path, &Elf::new());
        assert_eq!(running(&sample, &call(path)).comm, comm);
    }
}

#[test]
fn comm_of_a_deleted_file_is_its_name() {
    let sample = open().program("/proc/self/fd/5", &Elf::new());
    let sample = sample.with("/proc/self/fd/5", |file| file.name = "/t (deleted)".into());
    let mut call = call("/");
    call.target = at(Some(5), "", libc::AT_EMPTY_PATH);
    let found = running(&sample, &call);
    assert_eq!((&*found.comm, &*found.execfn), ("t", "/dev/fd/5"));
}

#[test]
fn a_program_of_another_machine_is_of_no_format() {
    for flaw in [Flaw::Machine, Flaw::Relocatable, Flaw::HeaderSize] {
        let sample = Sample::new().program("/a", &Elf::new().flaw(flaw));
        assert_eq!(ends(&sample, "/a", "7.3", |_| {}), "ENOEXEC", "{flaw:?}");
    }
}

#[test]
fn the_name_of_an_interpreter_must_be_there_and_well_formed() {
    let malformed = Elf::new().interpreter_bytes(b"/l");
    let cut = Elf::new().interpreter("/l").flaw(Flaw::InterpreterOutside);
    let end = |program: &Elf| ends(&Sample::new().program("/a", program), "/a", "7.3", |_| {});
    assert_eq!((&*end(&malformed), &*end(&cut)), ("ENOEXEC", "EIO"));
}

#[test]
fn an_interpreter_has_a_whole_header() {
    let end = |size| {
        let short = |file: &mut File| file.image.as_mut().unwrap().size = size;
        ends(
            &interpreted(&Elf::new()).with("/l", short),
            "/a",
            "7.3",
            |_| {},
        )
    };
    assert_eq!((&*end(63), &*end(64)), ("EIO", "runs"));
}

#[test]
fn an_interpreter_for_32_bits_has_a_shorter_header() {
    let end = |size| {
        let program = Elf::new_32().interpreter("/l");
        let sample = Sample::new()
            .program("/a", &program)
            .program("/l", &Elf::new_32());
        let short = |file: &mut File| file.image.as_mut().unwrap().size = size;
        ends(&sample.with("/l", short), "/a", "7.3", |_| {})
    };
    assert_eq!((&*end(51), &*end(52)), ("EIO", "runs"));
}

#[test]
fn an_interpreter_whose_headers_cannot_be_read_is_bad() {
    let interpreter = Elf::new().flaw(Flaw::HeaderSize);
    assert_eq!(
        ends(&interpreted(&interpreter), "/a", "7.3", |_| {}),
        "ELIBBAD"
    );
}

#[test]
fn an_interpreter_that_cannot_be_loaded_is_found_late() {
    for flaw in [Flaw::Relocatable, Flaw::Address] {
        let sample = interpreted(&Elf::new().flaw(flaw));
        assert_eq!(ends(&sample, "/a", "7.3", |_| {}), "SIGSEGV", "{flaw:?}");
    }
}

#[test]
fn a_capability_that_may_not_be_given_is_refused() {
    let sample = plain().with("/a", |file| {
        file.capabilities = Some(Capabilities {
            permitted: 1 << 13,
            inheritable: 0,
            effective: true,
        });
    });
    assert_eq!(
        ends(&sample, "/a", "7.3", |call| call.caller.bounding = 0),
        "EPERM"
    );
}

#[test]
fn a_descriptor_is_needed_only_for_a_file_that_is_interpreted() {
    let without = |call: &mut Call| call.caller.no_descriptor = true;
    let (sample, call) = misc("O", without);
    assert_eq!(
        start(&sample, &call, "7.3").1,
        KernelEnding::Signal("SIGSEGV")
    );
    assert_eq!(ends(&plain(), "/a", "7.3", without), "runs");
}

#[test]
fn program_headers_have_64_kilobytes_at_the_most() {
    let end = |unused| {
        let program = Elf::new().unused_headers(unused);
        ends(&Sample::new().program("/a", &program), "/a", "7.3", |_| {})
    };
    // Two are there besides: 1170 times 56 bytes fit.
    assert_eq!((&*end(1168), &*end(1169)), ("runs", "ENOEXEC"));
}

#[test]
fn a_listener_of_an_overlay_and_its_layer_hangs_on_some_kernels() {
    let sample = plain().with("/a", |file| file.layer = Some(Box::new(file.clone())));
    let end = |release| ends(&sample, "/a", release, |_| {});
    assert_eq!(
        ["6.13", "6.14", "7.3.3", "7.3.4"].map(end),
        ["runs", "hang", "hang", "runs"]
    );
    assert_eq!(start(&sample, &call("/a"), "6.13").0.len(), 4);
    assert_eq!(start(&sample, &call("/a"), "6.4").0.len(), 2);
}

#[test]
fn a_working_directory_that_is_gone_is_no_descriptor_that_is_not_open() {
    let end = ends(&plain(), "/", "7.3", |call| {
        call.target = at(None, "b", 0);
        call.caller.cwd = "/gone".to_owned();
    });
    assert_eq!(end, "ENOENT");
}

#[test]
fn a_descriptor_that_is_not_open_is_told_for_what_is_below_it() {
    let end = |path: &str, fd| ends(&plain(), "/", "7.3", |call| call.target = at(fd, path, 0));
    assert_eq!(end("b", Some(5)), "EBADF");
    assert_eq!(end("b", None), "ENOENT");
}
