//! What holds of every run, tried with generated ones: its text reads back as the same trail.

use proptest::prelude::*;

use super::{
    By, Exit, Fact, How, Later, LaterThread, LaunchCall, Mask, Run, Section, SelfReport, Sighting,
    Told, Trail, normalise, parse, printable,
};

/// A value as a guest has it: any bytes through [`printable`], and often what parts two fields.
pub(super) fn value() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..4),
        2 => Just(b" ".to_vec()),
        1 => Just(b"|".to_vec()),
        1 => Just(b"/".to_vec()),
        1 => Just(b"\\x20".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b" : path=".to_vec()),
        1 => Just(b" comm=".to_vec()),
        1 => Just(b" exe=".to_vec()),
        1 => Just(b" argv=".to_vec()),
        1 => Just(b" execfd=".to_vec()),
        1 => Just(b" thread=".to_vec()),
        1 => Just(b"\nlater p1: ".to_vec()),
        1 => Just(b" -> ".to_vec()),
        1 => Just(b" | ".to_vec()),
        1 => Just(b"none".to_vec()),
        1 => Just("\u{202e}\u{2028}".as_bytes().to_vec()),
        1 => Just(b"kworker/".to_vec()),
        1 => Just(b"gone".to_vec()),
        1 => Just(b"/proc/101/".to_vec()),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| printable(&parts.concat()))
}

/// A process id near the launcher's, special or of anybody.
fn pid() -> impl Strategy<Value = i32> {
    prop_oneof![4 => 100..110, 1 => 0..4, 1 => any::<i32>()]
}

/// The target of an exe link, which begins with a slash (d_path of fs/d_path.c).
fn link() -> impl Strategy<Value = String> {
    value().prop_map(|rest| format!("/{rest}"))
}

fn later() -> impl Strategy<Value = Later> {
    let own = || (prop::option::of(link()), prop::option::of(value()));
    let thread = prop::option::of(own().prop_map(|(exe, comm)| LaterThread { exe, comm }));
    (own(), thread).prop_map(|((exe, comm), thread)| Later { exe, comm, thread })
}

fn sighting() -> impl Strategy<Value = Sighting> {
    let denied = prop::option::of(Just("EPERM".to_owned()));
    let seen = (any::<u64>(), pid(), pid(), prop::option::of(link()));
    let held = (prop::option::of(value()), prop::option::of(later()));
    (seen, prop::option::of(value()), value(), denied, held).prop_map(
        |((mask, pid, ppid, exe), comm, path, denied, (thread, later))| Sighting {
            mask: Mask(mask),
            pid,
            tid: None,
            by: By::Program,
            ppid,
            exe,
            comm,
            thread,
            path,
            denied,
            later,
        },
    )
}

fn told() -> impl Strategy<Value = Told> {
    let descriptor = prop::option::of((any::<u64>(), prop::option::of(value())));
    let names = (
        prop::option::of(value()),
        value(),
        prop::option::of(value()),
    );
    (names, descriptor, prop::collection::vec(value(), 0..4)).prop_map(
        |((execfn, comm, exe), descriptor, argv)| Told {
            execfn,
            execfd: descriptor.as_ref().map(|(fd, _)| *fd),
            execfd_path: descriptor.and_then(|(_, path)| path),
            comm,
            exe,
            argv,
        },
    )
}

fn word() -> impl Strategy<Value = SelfReport> {
    let fact = value().prop_map(|value| Fact::new("state", value));
    let found = prop::collection::vec(fact, 0..3);
    (pid(), prop::option::of(told()), found).prop_map(|(pid, told, found)| SelfReport {
        pid,
        told,
        found,
    })
}

fn exit() -> impl Strategy<Value = Exit> {
    let how = prop_oneof![
        any::<i32>().prop_map(How::Exit),
        Just(How::Signal("SIGSEGV".to_owned())),
        Just(How::SignalInExec("SIGKILL".to_owned())),
        Just(How::Errno("ENOENT".to_owned())),
    ];
    (pid(), how).prop_map(|(pid, how)| Exit { pid, how })
}

fn run() -> impl Strategy<Value = Run> {
    let call = (pid(), value(), 0..8_usize).prop_map(|(pid, path, after)| LaunchCall {
        pid,
        call: "execve".to_owned(),
        path,
        after,
    });
    (
        prop::collection::vec(call, 0..3),
        prop::collection::vec((pid(), pid()), 0..6),
        prop::collection::vec(sighting(), 0..8),
        prop::collection::vec(exit(), 0..4),
        prop::collection::vec(word(), 0..3),
    )
        .prop_map(|(calls, parents, sightings, exits, words)| Run {
            launcher: 100,
            pid_max: 32768,
            calls,
            parents,
            sightings,
            exits,
            words,
        })
}

proptest! {
    #[test]
    fn the_text_of_a_run_reads_back_as_the_same_trail(run in run()) {
        let trail = normalise(&run);
        if trail != Trail::default() {
            let text = trail.to_string();
            prop_assert_eq!(parse(&text), Ok(trail), "{}", text);
        }
    }

    #[test]
    fn the_text_of_cases_reads_back(
        runs in prop::collection::vec((value(), run()), 1..3),
        facts in prop::collection::vec(value(), 0..2),
    ) {
        let case = |(heading, run): (String, Run)| Section { heading, trail: normalise(&run) };
        let trail = Trail {
            cases: runs.into_iter().map(case).collect(),
            facts: facts.into_iter().map(|value| Fact::new("edge", value)).collect(),
            ..Trail::default()
        };
        let text = trail.to_string();
        prop_assert_eq!(parse(&text), Ok(trail), "{}", text);
    }
}
