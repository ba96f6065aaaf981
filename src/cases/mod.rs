//! Randomly generated execs, run like scenarios, held against the
//! model, and printed as a scenario file when it disagrees.
//!
//! A case is its seed: the same seed is the same case, on every kernel and machine.

mod play;
mod print;
mod strategy;

use std::ops::ControlFlow;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One start, with the files that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What is made, in this order.
    pub files: Vec<Made>,
    /// How the first of them, or something else, is started.
    pub start: Start,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further variables.
    pub variables: Vec<(String, String)>,
    /// Not by root.
    pub user: bool,
    /// Which event is refused.
    pub refused: Option<usize>,
}

/// A file in `/tmp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its name there.
    pub name: String,
    /// What it is.
    pub content: Content,
    /// Its permission bits.
    pub mode: u32,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A script, or anything else.
    Text(String),
    /// An ELF program.
    Program(Program),
    /// A symbolic link.
    Link(String),
    /// A directory.
    Directory,
    /// A copy of a file of the fixture.
    Copy(String),
}

/// An ELF program in words of [`crate::scenario::Elf`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// For i386.
    pub narrow: bool,
    /// Its ELF interpreter, with all its bytes.
    pub interpreter: Option<String>,
    /// The libraries that it needs.
    pub needed: Vec<&'static str>,
    /// Where they are.
    pub runpath: Option<&'static str>,
    /// What is wrong with it.
    pub flaw: Option<crate::scenario::Flaw>,
}

/// How a program is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// execve(2).
    Path(String),
    /// fexecve(3).
    Opened(String),
    /// execveat(2) of a descriptor, 5.
    Descriptor {
        /// Where it leads.
        path: String,
        /// `O_PATH`.
        path_only: bool,
        /// `O_CLOEXEC`.
        cloexec: bool,
        /// Flags besides `AT_EMPTY_PATH`.
        flags: i32,
    },
    /// execveat(2) of a path, from the descriptor 5 of `/tmp` or from the working directory.
    At {
        /// From `/tmp`.
        directory: bool,
        /// The path.
        path: String,
        /// The flags.
        flags: i32,
    },
}

impl Case {
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
    let tree = strategy::case().new_tree(&mut runner);
    tree.unwrap_or_else(|reason| unreachable!("the strategy of cases rejects: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_case() {
        assert_eq!(Case::of(7), Case::of(7));
    }

    #[test]
    fn seeds_are_different_cases() {
        let different = (0..20).filter(|seed| Case::of(*seed) != Case::of(seed + 1));
        assert!(different.count() > 15);
    }

    #[test]
    fn a_case_shrinks_to_what_is_bad_about_it() {
        let has_link = |case: &Case| {
            let links = case.files.iter();
            let mut links = links.filter(|made| matches!(made.content, Content::Link(_)));
            links.next().is_some()
        };
        let seed =
            (0..200).find(|seed| has_link(&Case::of(*seed)) && Case::of(*seed).files.len() > 3);
        let small = Case::shrink(seed.unwrap(), |case| ControlFlow::Continue(has_link(case)));
        assert!(
            has_link(&small) && small.arguments.is_empty() && !small.user,
            "{small:?}"
        );
    }
}
