//! What several kernels showed as one sequence: what is alike stands once, with who has it.

use std::collections::BTreeSet;
use std::hash::Hash;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Numbers of the sequences that have an element.
pub type Who = BTreeSet<usize>;

/// Joins sequences, each with its number, in the order of the first; what a later one has in
/// addition stands where that one has it. What moved stands at both places.
pub fn merge<T: Clone + Eq + Hash + Ord>(sequences: &[(usize, Vec<T>)]) -> Vec<(T, Who)> {
    let mut merged: Vec<(T, Who)> = Vec::new();
    for (number, sequence) in sequences {
        let known: Vec<T> = merged.iter().map(|(element, _)| element.clone()).collect();
        let mut next = Vec::with_capacity(known.len());
        let new = |at: usize| (sequence[at].clone(), Who::from([*number]));
        for op in capture_diff_slices(Algorithm::Myers, &known, sequence) {
            let (old, own) = (op.old_range(), op.new_range());
            next.extend(merged[old].iter().cloned().map(|(element, mut who)| {
                if let DiffOp::Equal { .. } = op {
                    who.insert(*number);
                }
                (element, who)
            }));
            if !matches!(op, DiffOp::Equal { .. }) {
                next.extend(own.map(new));
            }
        }
        merged = next;
    }
    merged
}

/// A key of each element of each sequence.
pub fn keys<P, K>(all: &[(usize, &[P])], key: impl Fn(&P) -> K) -> Vec<(usize, Vec<K>)> {
    let keys = |own: &[P]| own.iter().map(&key).collect();
    all.iter()
        .map(|(number, own)| (*number, keys(own)))
        .collect()
}

/// The first element of each sequence for which this holds, where there is one.
pub fn having<'a, P>(all: &[(usize, &'a [P])], is: impl Fn(&P) -> bool) -> Vec<(usize, &'a P)> {
    let own = all.iter().filter_map(|(number, own)| {
        let found = own.iter().find(|one| is(one))?;
        Some((*number, found))
    });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequences' letters joined, each that not all have with its owners' numbers.
    fn merged(sequences: &[&str]) -> String {
        let all: Vec<_> = sequences
            .iter()
            .enumerate()
            .map(|(number, text)| (number, text.chars().collect()))
            .collect();
        let shown = merge::<char>(&all).into_iter().map(|(letter, who)| {
            let who: String = match who.len() == sequences.len() {
                true => String::new(),
                false => who.iter().map(ToString::to_string).collect(),
            };
            format!("{letter}{who}")
        });
        shown.collect()
    }

    #[test]
    fn what_is_alike_stands_once() {
        assert_eq!(merged(&["abc", "abc"]), "abc");
    }

    #[test]
    fn what_is_added_stands_where_it_came() {
        assert_eq!(merged(&["ac", "abc"]), "ab1c");
    }

    #[test]
    fn what_went_and_came_again_is_one() {
        assert_eq!(merged(&["abc", "ac", "abc"]), "ab02c");
    }

    #[test]
    fn what_moved_stands_at_both_places() {
        assert_eq!(merged(&["abc", "bca"]), "a0bca1");
    }
}
