//! What closing a descriptor opens that is older than the copy of its file.

use super::super::super::{Closed, Older, exit};
use super::*;

/// As [`plain`], beside a file `/o` of an overlay, which is `/layer` in a layer that is watched.
fn overlaid() -> Sample {
    plain().program("/o", &Elf::new()).with("/o", |file| {
        let layer = File {
            name: "/layer".into(),
            ..file.clone()
        };
        file.watched = false;
        file.layer = Some(Box::new(layer));
    })
}

fn older(closed: Closed) -> Call {
    let mut call = call("/a");
    call.older = Some(Older {
        path: "/o".to_owned(),
        closed,
    });
    call
}

/// The step that comes after those of the program, on a release.
fn last(release: &str) -> Option<String> {
    let (steps, _) = start(&overlaid(), &older(Closed::ByExec), release);
    steps.get(2).cloned()
}

#[test]
fn nobody_is_asked_before_layers_have_events() {
    assert_eq!(last("6.4"), None);
}

#[test]
fn descriptors_are_closed_behind_the_new_exe_or_before_it() {
    assert_eq!(last("6.16").as_deref(), Some("open / (deleted) by /a"));
    assert_eq!(last("6.12.110"), None, "it hangs");
    assert_eq!(last("6.12.111").as_deref(), Some("open /layer by /caller"));
}

#[test]
fn a_listener_that_reads_the_link_hangs_between_the_two_changes() {
    let ending = |release| start(&overlaid(), &older(Closed::ByExec), release).1;
    assert_eq!(ending("7.1.13"), KernelEnding::Hang);
    assert!(matches!(ending("7.2.7"), KernelEnding::Runs(_)));
}

#[test]
fn a_refusal_of_it_is_heeded_by_nobody() {
    let kernel = Release::of("7.3").unwrap();
    let ending = exec(
        &overlaid().0,
        &older(Closed::ByExec),
        kernel,
        &mut |step| match step.path == "/layer" {
            true => Answer::Refuse("EPERM".to_owned()),
            false => Answer::Go,
        },
    );
    assert!(matches!(ending, KernelEnding::Runs(_)));
}

#[test]
fn what_is_kept_is_closed_by_the_exit() {
    let ends = |call: &Call, release| exit(&overlaid().0, call, Release::of(release).unwrap());
    let kept = older(Closed::ByExit);
    assert_eq!(ends(&kept, "7.3").as_deref(), Some("/layer"));
    assert_eq!(ends(&kept, "6.16").as_deref(), Some("/ (deleted)"));
    assert_eq!(ends(&kept, "6.4"), None);
    assert_eq!(ends(&older(Closed::ByExec), "7.3"), None);
    let by_child = Call {
        by: By::Child { tells: true },
        ..kept.clone()
    };
    assert_eq!(ends(&by_child, "7.3"), None);
    let (steps, _) = start(&overlaid(), &kept, "7.3");
    assert_eq!(steps.len(), 2);
}

#[test]
fn a_layer_that_is_not_watched_has_no_step() {
    let sample = overlaid().with("/o", |file| file.layer.as_mut().unwrap().watched = false);
    assert_eq!(start(&sample, &older(Closed::ByExec), "7.3").0.len(), 2);
}
