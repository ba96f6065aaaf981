//! Lines the steps of one process up: what is the same, what moved, what has another name, what came and went.
//!
//! A trail has 10,000 lines at the most (`view`): nothing here takes more than a time that is quadratic in that.

use std::collections::HashMap;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::change::{Act, What};
use super::fields;
use crate::trail::Step;

/// Compares the steps of one process.
pub fn one_process(old: &[&Step], new: &[&Step]) -> Vec<What> {
    let acts = |steps: &[&Step]| steps.iter().map(|step| Act::from(*step)).collect();
    let (before, after): (Vec<Act>, Vec<Act>) = (acts(old), acts(new));
    let mut lined = Lined::up(&before, &after);
    let mut whats = lined.moved();
    whats.extend(lined.renamed());
    whats.extend(lined.gone.iter().flatten().map(|&from| What::Removed {
        act: before[from].clone(),
    }));
    whats.extend(lined.come.iter().flatten().map(|&to| What::Added {
        act: after[to].clone(),
        after: to.checked_sub(1).map(|last| after[last].clone()),
    }));
    whats.extend(fields::compare(old, new, &lined.pairs));
    whats
}

/// Two lists of steps, as far as it is known which of one is which of the other.
struct Lined<'a> {
    before: &'a [Act],
    after: &'a [Act],
    /// Places in both of what is one step.
    pairs: Vec<(usize, usize)>,
    /// Places in the first of what is in no pair.
    gone: Vec<Option<usize>>,
    /// Places in the second of what is in no pair.
    come: Vec<Option<usize>>,
}

impl<'a> Lined<'a> {
    /// Pairs what is the same in the same order.
    fn up(before: &'a [Act], after: &'a [Act]) -> Lined<'a> {
        let mut lined = Lined {
            before,
            after,
            pairs: Vec::new(),
            gone: Vec::new(),
            come: Vec::new(),
        };
        for op in capture_diff_slices(Algorithm::Myers, before, after) {
            match op {
                DiffOp::Equal { .. } => lined.pairs.extend(op.old_range().zip(op.new_range())),
                DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                    lined.gone.extend(op.old_range().map(Some));
                    lined.come.extend(op.new_range().map(Some));
                }
            }
        }
        lined
    }

    /// Pairs what is the same elsewhere: it moved.
    fn moved(&mut self) -> Vec<What> {
        let places = places(self.before);
        let mut whats = Vec::new();
        for slot in &mut self.gone {
            let Some(from) = *slot else { continue };
            let is_it = |to: usize| self.after[to] == self.before[from];
            let found = self.come.iter_mut().find(|other| other.is_some_and(is_it));
            if let Some(to) = found.and_then(Option::take) {
                *slot = None;
                whats.push(moved(&places, self.after, from, to));
                self.pairs.push((from, to));
            }
        }
        self.pairs.sort_unstable();
        whats
    }

    /// Pairs a removal and an addition between the same neighbours: another name for one step.
    fn renamed(&mut self) -> Vec<What> {
        let mut whats = Vec::new();
        for slot in &mut self.gone {
            let Some(from) = *slot else { continue };
            let (low, high) = gap(&self.pairs, from, self.after.len());
            let is_it = |to: usize| {
                let is_here = low.is_none_or(|low| to > low) && to < high;
                is_here && self.before[from].step == self.after[to].step
            };
            let found = self.come.iter_mut().find(|other| other.is_some_and(is_it));
            if let Some(to) = found.and_then(Option::take) {
                *slot = None;
                whats.push(What::Renamed {
                    from: self.before[from].clone(),
                    to: self.after[to].clone(),
                });
                self.pairs.push((from, to));
            }
        }
        self.pairs.sort_unstable();
        whats
    }
}

/// Where a step can stand now with no pair between its old place and its new one: behind the first of these, if there
/// is one, and before the second.
fn gap(pairs: &[(usize, usize)], from: usize, length: usize) -> (Option<usize>, usize) {
    let (mut low, mut high) = (None, length);
    for &(old, new) in pairs {
        match old < from {
            true => low = low.max(Some(new)),
            false => high = high.min(new),
        }
    }
    (low, high)
}

/// The first and the last place of each step.
fn places(steps: &[Act]) -> HashMap<&Act, (usize, usize)> {
    let mut places = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        places.entry(step).or_insert((place, place)).1 = place;
    }
    places
}

/// The words for a step that moved; `places` are those of the first list.
fn moved(places: &HashMap<&Act, (usize, usize)>, after: &[Act], from: usize, to: usize) -> What {
    let act = after[to].clone();
    // It is later when something that followed it, and was not there before it, stands before it now.
    let followed = |other: &&Act| {
        let places = places.get(other);
        places.is_some_and(|&(first, last)| first >= from && last > from)
    };
    let passed = after[..to].iter().rev().find(followed);
    match (passed, after.get(to + 1), to.checked_sub(1)) {
        (Some(passed), _, _) => What::Later {
            act,
            after: passed.clone(),
        },
        (None, Some(next), _) => What::Earlier {
            act,
            before: next.clone(),
        },
        (None, None, Some(last)) => What::Later {
            act,
            after: after[last].clone(),
        },
        // A step alone cannot have moved; it is told as what it is now.
        (None, None, None) => What::Added { act, after: None },
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare;
    use crate::trail::parse;

    /// In a time that is cubic in their number this takes hours.
    #[test]
    fn thousands_of_steps_that_went_came_or_moved_are_compared_soon() {
        const MANY: usize = 3000;
        let trail = |paths: &mut dyn Iterator<Item = String>| {
            let steps =
                paths.map(|path| format!("perm=open pid=p1 ppid=p0 exe=/a comm=a : path={path}\n"));
            let text = "start p1 by launcher: execve /a\n".to_owned() + &steps.collect::<String>();
            parse(&text).unwrap()
        };
        let old = trail(&mut (0..MANY).map(|number| format!("/old/{number}")));
        let new = trail(&mut (0..MANY).map(|number| format!("/new/{number}")));
        assert_eq!(compare(&old, &new).len(), MANY);
        let turned = trail(&mut (0..MANY).rev().map(|number| format!("/old/{number}")));
        assert_eq!(compare(&old, &turned).len(), MANY - 1);
    }
}
