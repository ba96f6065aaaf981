//! `tetragon-hook`: what Tetragon's policy process-exec-elf-begin hooks, and its complement.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::{Object, Programs, known, needs};
use crate::observer::Kind;

/// Its programs are those of `tetragon.bpf.c`.
pub const KIND: Kind = Kind {
    name: "tetragon-hook",
    needs: needs::TETRAGON,
    takes: None,
    wants: &[],
    make: || Box::new(Programs::of(&OBJECT)),
};

static OBJECT: Object = Object {
    name: KIND.name,
    bytes: super::object!("tetragon"),
    begin: |programs| {
        known::tell(programs, "KEPT_OF", |process| {
            let binary = fs::read_link(process.join("exe")).ok()?;
            let arguments = fs::read(process.join("cmdline")).ok()?;
            let mut kept: Kept = [0; 8 + 2 * ROOM];
            known::put(&mut kept, 0, 8, LONGEST, binary.as_os_str().as_bytes())?;
            known::put(&mut kept, 4, 8 + ROOM, LONGEST, &arguments)?;
            Some(kept)
        })
    },
};

/// `struct kept` of `tetragon.bpf.c`: two lengths, and two texts.
type Kept = [u8; 8 + 2 * ROOM];
const ROOM: usize = 512;
/// `KEPT` there.
const LONGEST: usize = 255;
