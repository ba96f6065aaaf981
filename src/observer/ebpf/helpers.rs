//! `ebpf-helpers`: what helpers tell, with no struct walked.

use super::{Object, Programs, needs};
use crate::observer::Kind;

/// Its programs are those of `helpers.bpf.c`.
pub const KIND: Kind = Kind {
    name: "ebpf-helpers",
    needs: needs::HELPERS,
    takes: None,
    wants: &[],
    make: || Box::new(Programs::of(&OBJECT)),
};

static OBJECT: Object = Object {
    name: KIND.name,
    bytes: super::object!("helpers"),
    begin: |_| Ok(()),
};
