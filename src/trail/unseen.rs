//! Processes of a scenario's tree that no step tells of, so that the trail has no name for them.

use std::collections::BTreeMap;

use super::Names;

/// What the name of one begins with.
pub(crate) const UNSEEN: &str = "unseen";

/// Their numbers, in the order in which they were started: `unseen1`, `unseen2`, ...
#[derive(Debug, Default)]
pub(crate) struct Unseen(BTreeMap<i32, usize>);

impl Unseen {
    /// Somebody of the tree has started this process.
    pub(crate) fn starts(&mut self, pid: i32, names: &Names) {
        if names.known(pid).is_none() {
            let next = self.0.len() + 1;
            self.0.entry(pid).or_insert(next);
        }
    }

    /// The name of a process: the trail's, or one of these; `unseen` of whom nobody of the tree has started.
    pub(crate) fn name(&self, pid: i32, names: &Names) -> String {
        names.known(pid).unwrap_or_else(|| match self.number(pid) {
            0 => UNSEEN.to_owned(),
            number => format!("{UNSEEN}{number}"),
        })
    }

    /// The number of a process; 0 for one that has none.
    pub(crate) fn number(&self, pid: i32) -> usize {
        self.0.get(&pid).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::{Run, Sighting};

    #[test]
    fn who_is_unseen_is_numbered_as_started() {
        let names = Names::of(&Run::sample(vec![Sighting::sample(101)]));
        let mut unseen = Unseen::default();
        for pid in [109, 101, 105, 109] {
            unseen.starts(pid, &names);
        }
        let told = [101, 109, 105, 7].map(|pid| unseen.name(pid, &names));
        assert_eq!(told, ["p1", "unseen1", "unseen2", "unseen"]);
    }
}
