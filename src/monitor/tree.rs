//! Which processes descend from one process, known without asking for each of them anew.

use std::collections::HashMap;

/// A process: its id and its start, because ids are used again.
pub type ProcessKey = (i32, u64);

/// How a process is looked up: its start and its parent; none when it is gone.
pub type Lookup<'a> = &'a dyn Fn(i32) -> Option<(u64, i32)>;

/// From how many members on the dead ones are thrown out.
const CROWD: usize = 4096;

/// How far up a tree is followed: ids that were used again meanwhile may lead in a circle.
const DEPTH: usize = 256;

/// A process and its descendants.
///
/// A process whose parent has died is found again when it, or a living ancestor of it, was seen
/// before; otherwise its new parent speaks for it.
#[derive(Debug)]
pub struct Tree {
    root: ProcessKey,
    members: HashMap<i32, u64>,
    crowd: usize,
}

impl Tree {
    /// The tree below (and with) a process.
    #[must_use]
    pub fn new(root: ProcessKey) -> Tree {
        Tree {
            root,
            members: HashMap::new(),
            crowd: CROWD,
        }
    }

    /// Whether a process belongs to it; call it while the process is held.
    pub fn holds(&mut self, process: ProcessKey, ppid: i32, lookup: Lookup<'_>) -> bool {
        let mut line = Vec::new();
        let (mut process, mut ppid) = (process, ppid);
        loop {
            if self.knows(process) {
                break;
            }
            line.push(process);
            if ppid <= 0 || line.len() > DEPTH {
                return false;
            }
            let Some((start, next)) = lookup(ppid) else {
                return false;
            };
            (process, ppid) = ((ppid, start), next);
        }
        self.members.extend(line);
        true
    }

    /// Throws out who is dead, from time to time; call it after an answer.
    pub fn tidy(&mut self, lookup: Lookup<'_>) {
        if self.members.len() < self.crowd {
            return;
        }
        let alive = |pid: i32, start: u64| lookup(pid).is_some_and(|(now, _)| now == start);
        self.members.retain(|pid, start| alive(*pid, *start));
        self.crowd = CROWD.max(self.members.len() * 2);
    }

    fn knows(&self, process: ProcessKey) -> bool {
        process == self.root || self.members.get(&process.0) == Some(&process.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes as (pid, start, ppid).
    fn holds(tree: &mut Tree, table: &[(i32, u64, i32)], pid: i32) -> bool {
        let lookup = |pid: i32| {
            let found = table.iter().find(|(known, ..)| *known == pid);
            found.map(|(_, start, ppid)| (*start, *ppid))
        };
        let (start, ppid) = lookup(pid).unwrap();
        tree.holds((pid, start), ppid, &lookup)
    }

    fn tree() -> Tree {
        Tree::new((10, 1))
    }

    #[test]
    fn the_root_belongs_to_its_tree() {
        assert!(holds(&mut tree(), &[(10, 1, 1)], 10));
    }

    #[test]
    fn a_grandchild_belongs_to_it() {
        let table = [(10, 1, 1), (11, 2, 10), (12, 3, 11)];
        assert!(holds(&mut tree(), &table, 12));
    }

    #[test]
    fn a_sibling_does_not() {
        assert!(!holds(
            &mut tree(),
            &[(10, 1, 1), (1, 0, 0), (11, 2, 1)],
            11
        ));
    }

    #[test]
    fn a_stranger_with_the_roots_old_id_does_not() {
        assert!(!holds(&mut tree(), &[(10, 99, 1), (1, 0, 0)], 10));
    }

    #[test]
    fn an_orphan_that_was_seen_before_stays() {
        let mut tree = tree();
        assert!(holds(&mut tree, &[(10, 1, 1), (11, 2, 10)], 11));
        assert!(holds(&mut tree, &[(1, 0, 0), (11, 2, 1)], 11));
    }

    #[test]
    fn an_id_that_is_used_again_is_no_member() {
        let mut tree = tree();
        assert!(holds(&mut tree, &[(10, 1, 1), (11, 2, 10)], 11));
        assert!(!holds(&mut tree, &[(1, 0, 0), (11, 7, 1)], 11));
    }

    #[test]
    fn ids_that_point_at_each_other_do_not_loop_for_ever() {
        assert!(!holds(&mut tree(), &[(11, 2, 12), (12, 3, 11)], 11));
    }

    #[test]
    fn the_dead_are_thrown_out_when_there_are_many() {
        let mut tree = tree();
        for pid in 100..100 + i32::try_from(CROWD).unwrap() {
            assert!(holds(&mut tree, &[(10, 1, 1), (pid, 2, 10)], pid));
        }
        tree.tidy(&|pid| (pid < 110).then_some((2, 10)));
        assert_eq!(tree.members.len(), 10);
    }
}
