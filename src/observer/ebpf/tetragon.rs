//! `tetragon-hook`: what Tetragon's policy process-exec-elf-begin hooks, and its complement.

use super::{Object, Programs, needs};
use crate::observer::Kind;

/// Its programs are those of `tetragon.bpf.c`.
pub const KIND: Kind = Kind {
    name: "tetragon-hook",
    needs: needs::BTF,
    takes: None,
    make: || Box::new(Programs::of(&OBJECT)),
};

static OBJECT: Object = Object {
    name: KIND.name,
    bytes: super::object!("tetragon"),
    begin: |_| Ok(()),
};
