//! The search for an edge: the greatest number with which something still goes.
//!
//! Pure. Under emulation a start with megabytes of arguments takes long, and a search by halving makes twenty: where an
//! edge is expected is tried first, and a search that finds it there has tried four numbers.

use anyhow::{Result, ensure};

/// Where an edge is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// With this number it goes.
    pub least: usize,
    /// Where it is expected; a search that finds it elsewhere only takes longer.
    pub expected: usize,
    /// With this number it does not.
    pub greatest: usize,
}

impl Search {
    /// The greatest number with which it goes, for what goes with every lesser one.
    ///
    /// # Errors
    ///
    /// It does not go with the least number, or does with the greatest; or what a try says.
    pub fn run(self, mut goes: impl FnMut(usize) -> Result<bool>) -> Result<usize> {
        let Search {
            least,
            expected,
            greatest,
        } = self;
        let outside = |what| format!("the edge is not between {least} and {greatest}: {what}");
        ensure!(goes(least)?, outside("the least fails"));
        ensure!(!goes(greatest)?, outside("the greatest starts"));
        let (mut going, mut failing) = (least, greatest);
        let mut first = [expected, expected.saturating_add(1)].into_iter();
        while failing - going > 1 {
            let next = first.find(|number| (going + 1..failing).contains(number));
            let next = next.unwrap_or_else(|| going.midpoint(failing));
            match goes(next)? {
                true => going = next,
                false => failing = next,
            }
        }
        Ok(going)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search from 0 to 1000 finds where numbers up to `edge` go, and what it has tried.
    fn search(expected: usize, edge: usize) -> (Option<usize>, Vec<usize>) {
        let mut tried = Vec::new();
        let search = Search {
            least: 0,
            expected,
            greatest: 1000,
        };
        let found = search.run(|number| {
            tried.push(number);
            Ok(number <= edge)
        });
        (found.ok(), tried)
    }

    #[test]
    fn an_edge_where_it_is_expected_takes_four_tries() {
        assert_eq!(search(255, 255), (Some(255), vec![0, 1000, 255, 256]));
    }

    #[test]
    fn an_edge_elsewhere_is_found() {
        for edge in [0, 1, 254, 256, 257, 998, 999] {
            assert_eq!(search(255, edge).0, Some(edge), "{edge}");
        }
    }

    #[test]
    fn an_expectation_outside_is_no_number_to_try() {
        for expected in [0, 1000, usize::MAX] {
            let (found, tried) = search(expected, 700);
            assert_eq!(found, Some(700));
            assert!(tried.iter().all(|number| *number <= 1000), "{tried:?}");
        }
    }

    #[test]
    fn an_edge_that_is_outside_is_not_found() {
        assert_eq!(search(255, 1000), (None, vec![0, 1000]));
        let nothing = Search {
            least: 1,
            expected: 2,
            greatest: 3,
        };
        assert!(nothing.run(|_| Ok(false)).is_err());
    }
}
