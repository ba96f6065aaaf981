use super::*;
use crate::elf::Elf as Built;
use crate::model::sample::{Sample, call, libraries};
use crate::model::{Call, ElfHeaders as Headers};

mod rules;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A library with this name, which needs others.
fn library(file: &mut File, soname: &str, needed: &[&str]) {
    if let Some(elf) = file.image.as_mut().and_then(|image| image.elf.as_mut()) {
        *elf = Headers {
            soname: Some(soname.to_owned()),
            needed: needed.iter().map(|name| (*name).to_owned()).collect(),
            ..elf.clone()
        };
    }
}

/// A library: what has an interpreter has a dynamic section too.
fn shared() -> Built {
    Built::new().interpreter(LOADER)
}

/// A program `/a` that needs `x.so`, which needs `z.so`, and `y.so`.
fn sample() -> Sample {
    let elf = Built::new();
    let program = elf.clone().interpreter(LOADER).needs("x.so").needs("y.so");
    let directories = ["/etc", "/lib", "/lib64", "/usr", "/usr/lib", "/tmp"];
    let sample = directories
        .iter()
        .fold(Sample::new(), |sample, path| sample.directory(path));
    let sample = sample.file(CACHE, b"").program("/a", &program);
    let sample = sample.program(LOADER, &elf).program("/tmp/p.so", &shared());
    let sample = sample.with(LOADER, |file| library(file, "ld-linux-x86-64.so.2", &[]));
    ["x.so", "y.so", "z.so"]
        .iter()
        .fold(sample, |sample, name| {
            let path = format!("/lib/{name}");
            let needed: &[&str] = if *name == "x.so" { &["z.so"] } else { &[] };
            sample
                .program(&path, &shared())
                .with(&path, |file| library(file, name, needed))
        })
}

fn preloading(list: &str) -> Call {
    let mut call = call("/a");
    call.environment.push(format!("LD_PRELOAD={list}"));
    call
}

#[test]
fn libraries_are_loaded_breadth_first() {
    let (steps, loaded) = libraries(&sample(), &call("/a"), "");
    assert_eq!(steps, [CACHE, "/lib/x.so", "/lib/y.so", "/lib/z.so"]);
    assert_eq!(loaded, Loaded::Runs);
}

#[test]
fn what_is_preloaded_comes_first() {
    let (steps, _) = libraries(&sample(), &preloading("/tmp/p.so z.so"), "");
    assert_eq!(
        steps,
        ["/tmp/p.so", CACHE, "/lib/z.so", "/lib/x.so", "/lib/y.so"]
    );
}

#[test]
fn a_preload_that_is_missing_is_left_out() {
    assert_eq!(
        libraries(&sample(), &preloading("/tmp/none.so"), "").1,
        Loaded::Runs
    );
}

#[test]
fn a_program_of_another_user_preloads_nothing() {
    let sample = sample().with("/a", |file| file.owned.mode |= 0o4000);
    let mut call = preloading("/tmp/p.so");
    (call.caller.uid, call.caller.real) = (7, (7, 0));
    (call.caller.overrides, call.caller.reads) = (false, false);
    assert_eq!(libraries(&sample, &call, "").0[0], CACHE);
}

#[test]
fn the_real_user_is_told_of_another_one() {
    let mut call = preloading("/tmp/p.so");
    call.caller.real = (7, 0);
    assert_eq!(libraries(&sample(), &call, "").0[0], CACHE);
}

#[test]
fn a_program_of_another_user_preloads_what_is_set_user_id_in_the_default_directories() {
    let mut call = preloading("y.so z.so");
    call.caller.real = (7, 0);
    let sample = sample().with("/lib/y.so", |file| file.owned.mode |= 0o4000);
    let (steps, _) = libraries(&sample, &call, "");
    // The one with the bit is there already when it is needed.
    let wanted = ["/lib/y.so", "/lib/z.so", CACHE, "/lib/x.so", "/lib/z.so"];
    assert_eq!(steps, wanted);
}

/// As the sample, with `/a` in `/tmp/a` and its libraries in `/tmp`, where this path leads.
fn by(change: impl FnOnce(&mut Headers)) -> Sample {
    let elf = Built::new();
    let program = elf.clone().interpreter(LOADER).needs("y.so");
    let sample = sample()
        .program("/tmp/a", &program)
        .program("/tmp/y.so", &shared());
    let sample = sample.with("/tmp/a", |file| {
        change(file.image.as_mut().unwrap().elf.as_mut().unwrap());
    });
    sample.with("/tmp/y.so", |file| library(file, "y.so", &[]))
}

#[test]
fn an_origin_is_the_directory_of_the_exe() {
    let sample = by(|elf| elf.runpath = Some("$ORIGIN".to_owned()));
    assert_eq!(libraries(&sample, &call("/tmp/a"), "").0, ["/tmp/y.so"]);
}

#[test]
fn an_origin_of_another_users_program_leads_nowhere() {
    let sample = by(|elf| elf.rpath = Some("$ORIGIN".to_owned()));
    let mut call = call("/tmp/a");
    call.caller.real = (7, 0);
    assert_eq!(libraries(&sample, &call, "").0, [CACHE, "/lib/y.so"]);
}

#[test]
fn an_rpath_counts_for_what_is_needed_further_on() {
    let sample = by(|elf| elf.rpath = Some("/tmp".to_owned()));
    let sample = sample.with("/tmp/y.so", |file| library(file, "y.so", &["p.so"]));
    let (steps, _) = libraries(&sample, &call("/tmp/a"), "");
    assert_eq!(steps, ["/tmp/y.so", "/tmp/p.so"]);
}

#[test]
fn an_rpath_beside_a_runpath_counts_for_nothing() {
    let sample = by(|elf| {
        elf.rpath = Some("/tmp".to_owned());
        elf.runpath = Some("/none".to_owned());
    });
    let (steps, _) = libraries(&sample, &call("/tmp/a"), "");
    assert_eq!(steps, [CACHE, "/lib/y.so"]);
}

#[test]
fn an_empty_directory_is_the_working_directory() {
    let sample = by(|elf| elf.runpath = Some("/none:".to_owned()));
    let mut call = call("/tmp/a");
    call.caller.cwd = "/tmp".to_owned();
    assert_eq!(libraries(&sample, &call, "").0, ["/tmp/y.so"]);
}

#[test]
fn without_a_descriptor_nothing_is_opened() {
    let mut call = call("/a");
    call.caller.no_descriptor = true;
    let wanted = (Vec::new(), Loaded::Exits(GIVES_UP));
    assert_eq!(libraries(&sample(), &call, ""), wanted);
}

#[test]
fn a_library_of_another_machine_is_passed_over() {
    let sample = by(|elf| elf.runpath = Some("/tmp".to_owned()));
    let sample = sample.with("/tmp/y.so", |file| {
        file.image.as_mut().unwrap().elf.as_mut().unwrap().machine = 22;
    });
    let (steps, _) = libraries(&sample, &call("/tmp/a"), "");
    assert_eq!(steps, ["/tmp/y.so", CACHE, "/lib/y.so"]);
}

#[test]
fn a_library_that_is_none_ends_the_search() {
    let sample = by(|elf| elf.runpath = Some("/tmp".to_owned()));
    let sample = sample.file("/tmp/y.so", b"text");
    let (steps, loaded) = libraries(&sample, &call("/tmp/a"), "");
    assert_eq!(
        (steps, loaded),
        (vec!["/tmp/y.so".into()], Loaded::Exits(GIVES_UP))
    );
}

#[test]
fn a_refused_library_is_looked_for_again() {
    let (steps, loaded) = libraries(&sample(), &call("/a"), "/lib/y.so");
    assert_eq!(steps, [CACHE, "/lib/x.so", "/lib/y.so", "/lib/y.so"]);
    assert_eq!(loaded, Loaded::Exits(GIVES_UP));
}

#[test]
fn without_the_cache_the_directories_are_searched() {
    let (steps, loaded) = libraries(&sample(), &call("/a"), CACHE);
    assert_eq!((steps[1].as_str(), loaded), ("/lib/x.so", Loaded::Runs));
}

#[test]
fn a_loader_run_by_hand_opens_its_program_first() {
    let mut call = call(LOADER);
    call.argv.push("/a".to_owned());
    assert_eq!(libraries(&sample(), &call, "").0[..2], ["/a", CACHE]);
}

#[test]
fn an_interpreter_that_is_no_loader_is_not_predicted() {
    let program = Built::new().interpreter("/x").needs("y");
    let sample = sample().program(LOADER, &program);
    assert!(matches!(
        libraries(&sample, &call("/a"), "").1,
        Loaded::Unknown(_)
    ));
}
