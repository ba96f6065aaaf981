//! Randomly generated execs, run like scenarios, held against the
//! model, and printed as a case file when it disagrees. Here is also what plays a case, whoever made it.
//!
//! A case is its seed: the same seed is the same case, on every kernel and machine. From [`RARE`] on, cases have
//! what seldom comes up by itself, and from [`POINTED`] on each is made for one rule.

mod caller;
mod circle;
pub mod kept;
mod parts;
mod play;
mod pointed;
mod rare;
mod strategy;
mod twist;

use std::ops::ControlFlow;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

pub use play::{attempt, play};

use crate::case::Case;

/// The first seed of cases that have something rare.
pub const RARE: u64 = 1_000_000;
/// The first seed of cases that are made for one rule each.
pub const POINTED: u64 = 2_000_000;

/// The case of a seed.
#[must_use]
pub fn of(seed: u64) -> Case {
    tree(seed).current()
}

/// Looks for the smallest case that is as `bad` as the one of this seed, in bounded time.
///
/// `bad` breaks off when it cannot tell.
pub fn shrink(seed: u64, mut bad: impl FnMut(&Case) -> ControlFlow<(), bool>) -> Case {
    let mut tree = tree(seed);
    let mut worst = tree.current();
    for _ in 0..SHRINKS {
        let case = tree.current();
        let is_bad = match bad(&case) {
            ControlFlow::Continue(is_bad) => is_bad,
            ControlFlow::Break(()) => break,
        };
        let more = match is_bad {
            true => {
                worst = case;
                tree.simplify()
            }
            false => tree.complicate(),
        };
        if !more {
            break;
        }
    }
    worst
}

/// How many smaller cases are tried.
const SHRINKS: usize = 150;

fn tree(seed: u64) -> impl proptest::strategy::ValueTree<Value = Case> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    // Nothing filters, so that nothing can be rejected too often.
    let cases = match seed {
        ..RARE => strategy::case().boxed(),
        RARE..POINTED => rare::case().boxed(),
        _ => pointed::case(seed - POINTED).boxed(),
    };
    let tree = cases.new_tree(&mut runner);
    tree.unwrap_or_else(|reason| unreachable!("the strategy of cases rejects: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_case() {
        assert_eq!(of(7), of(7));
    }

    #[test]
    fn what_is_generated_is_what_a_case_file_may_say() {
        let pointed = POINTED..POINTED + 3 * pointed::count();
        for seed in (0..1000).chain(RARE..RARE + 1000).chain(pointed) {
            let case = of(seed);
            let needs: Vec<_> = crate::need::NAMED.iter().map(|(name, _)| *name).collect();
            assert_eq!(case.check(&needs), Ok(()), "seed {seed}");
        }
    }

    #[test]
    fn seeds_are_different_cases() {
        let different = (0..20).filter(|seed| of(*seed) != of(seed + 1));
        assert!(different.count() > 15);
    }

    #[test]
    fn a_case_shrinks_to_what_is_bad_about_it() {
        let has_link = |case: &Case| case.files.iter().any(|made| made.symlink.is_some());
        let seed = (0..200).find(|seed| has_link(&of(*seed)) && of(*seed).files.len() > 3);
        let small = shrink(seed.unwrap(), |case| ControlFlow::Continue(has_link(case)));
        assert!(
            has_link(&small) && small.exec.arguments.is_empty() && small.exec.user.is_none(),
            "{small:?}"
        );
    }
}
