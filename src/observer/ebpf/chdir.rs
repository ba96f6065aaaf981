//! `exec-fork-chdir`: full paths from working directories that are kept beside the kernel.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::{Object, Programs, known, needs};
use crate::observer::Kind;

/// Its programs are those of `chdir.bpf.c`.
pub const KIND: Kind = Kind {
    name: "exec-fork-chdir",
    needs: needs::CHDIR,
    takes: None,
    wants: &[],
    make: || Box::new(Programs::of(&OBJECT)),
};

static OBJECT: Object = Object {
    name: KIND.name,
    bytes: super::object!("chdir"),
    begin: |programs| {
        known::tell(programs, "PLACES", |process| {
            let path = fs::read_link(process.join("cwd")).ok()?;
            let mut place: Place = [0; 4 + ROOM];
            known::put(&mut place, 0, 4, LONGEST, path.as_os_str().as_bytes())?;
            Some(place)
        })
    },
};

/// `struct place` of `chdir.bpf.c`: the length, and the path.
type Place = [u8; 4 + ROOM];
const ROOM: usize = 512;
/// `PATH` there.
const LONGEST: usize = 255;
