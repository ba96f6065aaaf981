//! Root of the subject, which `build.rs` compiles; see `mod.rs`.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../sys/bare.rs"]
mod bare;
#[path = "../sys/disguise.rs"]
mod disguise;
#[path = "../sys/entry.rs"]
mod entry;
#[path = "../trail/escape.rs"]
mod escape;
mod role;
#[expect(dead_code, reason = "the library uses what this program does not")]
mod state;
mod word;

use alloc::format;
use alloc::string::String;

use bare::{Failed, Given};
use disguise::Guise;
use escape::printable;
use role::{DISGUISE_FD, OPENED, ROLE, Role, STATE, TELL_FD};

/// Plays the role that the environment names and returns the exit status.
fn main(given: &Given) -> i32 {
    let role = variable(given, ROLE).and_then(Role::of_name);
    match role {
        Some(Role::Report) => report(given),
        Some(Role::State) => find(given),
        Some(Role::Disguise) => pretend(given, Guise::take),
        Some(Role::DisguiseUnprivileged) => pretend(given, unprivileged),
        Some(Role::Exit) => 0,
        Some(Role::Crash) => bare::crash(),
        // It is executed by a scenario alone.
        None => 2,
    }
}

/// Says how this program finds itself.
fn find(given: &Given) -> i32 {
    let names = variable(given, STATE).unwrap_or_default();
    let names = core::str::from_utf8(names).unwrap_or_default();
    say(&word::line(
        bare::process_id(),
        None,
        &state::look(names, given),
    ))
}

/// Says what this program was told.
fn report(given: &Given) -> i32 {
    let link = |path: &str| bare::read_link(path).ok().map(|target| printable(&target));
    let told = word::Heard {
        execfn: given.execfn.as_deref().map(printable),
        execfd: given.execfd,
        execfd_path: given
            .execfd
            .and_then(|fd| link(&format!("/proc/self/fd/{fd}"))),
        comm: printable(&bare::comm()),
        exe: link("/proc/self/exe"),
        argv: given
            .argv
            .iter()
            .map(|argument| printable(argument))
            .collect(),
    };
    say(&word::line(bare::process_id(), Some(&told), &[]))
}

/// Says what this program was told, becomes another to look at, and opens a file.
fn pretend(given: &Given, take: fn(&Guise) -> Result<(), Failed>) -> i32 {
    if report(given) != 0 {
        return 99;
    }
    let guise = Guise::of(DISGUISE_FD, b"true\0", b"/usr/bin/true\0");
    match take(&guise).and_then(|()| bare::read(OPENED)) {
        Ok(_) => 0,
        Err(Failed(errno)) => errno,
    }
}

/// Takes another's place without a privilege, and says who did and what each call said.
fn unprivileged(guise: &Guise) -> Result<(), Failed> {
    let mut found = state::look("uids,effective", &Given::default());
    let said = guise.take_unprivileged()?;
    found.extend(said.into_iter().map(|(call, said)| (call, state::number(said))));
    bare::write(
        TELL_FD,
        word::line(bare::process_id(), None, &found).as_bytes(),
    )
}

fn say(line: &String) -> i32 {
    match bare::write(TELL_FD, line.as_bytes()) {
        Ok(()) => 0,
        Err(_) => 99,
    }
}

fn variable<'a>(given: &'a Given, name: &str) -> Option<&'a [u8]> {
    let value = |variable: &'a [u8]| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    given
        .environment
        .iter()
        .find_map(|variable| value(variable))
}
