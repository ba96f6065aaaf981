//! Which rules are told of.

use super::*;
use crate::elf::Elf;
use crate::model::sample::{Sample, call, start};
use crate::model::{BinfmtEntry, Reach};

/// How often these rules are told of for a call.
fn told<const N: usize>(sample: &Sample, call: &Call, rules: [Rule; N]) -> [u64; N] {
    let (_, reach) = Reach::of(|| start(sample, call, "7.3"));
    rules.map(|rule| reach.rule(rule))
}

#[test]
fn a_name_is_that_of_a_descriptor_or_below_it() {
    let named = |path: &str| {
        let mut call = call("/");
        call.target = Target::At {
            fd: Some(5),
            path: path.to_owned(),
            flags: libc::AT_EMPTY_PATH,
            cloexec: false,
        };
        let rules = [Rule::NameByDescriptor, Rule::NameInDirectory];
        told(&Sample::new(), &call, rules)
    };
    assert_eq!((named(""), named("b")), ([1, 0], [0, 1]));
}

#[test]
fn a_comm_is_cut_when_it_has_more_than_fifteen_bytes() {
    let cut = |length: usize| {
        let path = format!("/{}", "x".repeat(length));
        let sample = Sample::new().program(&path, &Elf::new());
        told(&sample, &call(&path), [Rule::CommCut])
    };
    assert_eq!((cut(14), cut(15), cut(16)), ([0], [0], [1]));
}

#[test]
fn an_interpreter_that_was_opened_when_its_entry_was_made_is_told_of() {
    let fixed = |flags: &str| {
        let sample = Sample::new().file("/a", b"ab").program("/i", &Elf::new());
        let mut call = call("/a");
        let entry = BinfmtEntry::parse(&format!("M::ab::/i:{flags}"), &sample.0);
        call.formats.extend(entry);
        told(&sample, &call, [Rule::MiscFixed])
    };
    assert_eq!((fixed("F"), fixed("")), ([1], [0]));
}
