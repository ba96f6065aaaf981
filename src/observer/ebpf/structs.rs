//! `ebpf-structs`: what a program reads that walks the kernel's own structs.

use super::{Object, Programs, needs};
use crate::observer::Kind;

/// Its programs are those of `structs.bpf.c`.
pub const KIND: Kind = Kind {
    name: "ebpf-structs",
    needs: needs::STRUCTS,
    takes: None,
    wants: &[],
    make: || Box::new(Programs::of(&OBJECT)),
};

static OBJECT: Object = Object {
    name: KIND.name,
    bytes: super::object!("structs"),
    begin: |_| Ok(()),
};
