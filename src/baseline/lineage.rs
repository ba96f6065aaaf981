//! Who inherits from whom.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use crate::trail::KernelId;

/// The kernels of the table, each with the one whose snapshots it inherits.
#[derive(Clone, Debug)]
pub struct Lineage {
    parents: BTreeMap<KernelId, Option<KernelId>>,
}

impl Lineage {
    /// Builds the lineage; a kernel without a parent of its own has the next lower id as parent.
    pub fn new(kernels: impl IntoIterator<Item = (KernelId, Option<KernelId>)>) -> Lineage {
        let named: BTreeMap<_, _> = kernels.into_iter().collect();
        let mut parents = BTreeMap::new();
        let mut previous = None;
        for (id, parent) in named {
            parents.insert(id.clone(), parent.or(previous));
            previous = Some(id);
        }
        Lineage { parents }
    }

    /// Refuses a table in which a kernel inherits from itself by a detour.
    ///
    /// # Errors
    ///
    /// The cycle, written out.
    pub fn check_for_cycles(&self) -> Result<()> {
        // Those from whom a way leads to a kernel without a parent.
        let mut sound = BTreeSet::new();
        for id in self.parents.keys() {
            let mut path = vec![id];
            while let Some(parent) = path.last().and_then(|last| self.parent(last)) {
                if sound.contains(parent) {
                    break;
                }
                let seen = path.contains(&parent);
                path.push(parent);
                if seen {
                    let names: Vec<_> = path.iter().map(ToString::to_string).collect();
                    bail!("kernels inherit in a circle: {}", names.join(" -> "));
                }
            }
            sound.extend(path);
        }
        Ok(())
    }

    /// The kernels, oldest first.
    pub fn kernels(&self) -> impl Iterator<Item = &KernelId> {
        self.parents.keys()
    }

    /// Whose snapshots a kernel inherits.
    ///
    /// For a series that is not in the table it is the nearest older one that is.
    #[must_use]
    pub fn parent(&self, id: &KernelId) -> Option<&KernelId> {
        match self.parents.get(id) {
            Some(parent) => parent.as_ref(),
            None => self.parents.range(..id).next_back().map(|(known, _)| known),
        }
    }

    /// Who has the snapshot that applies to a kernel: itself, or its nearest ancestor in `files`.
    #[must_use]
    pub fn owner<'a, T>(
        &'a self,
        id: &'a KernelId,
        files: &BTreeMap<KernelId, T>,
    ) -> Option<&'a KernelId> {
        let mut candidate = Some(id);
        while let Some(id) = candidate {
            if files.contains_key(id) {
                return Some(id);
            }
            candidate = self.parent(id);
        }
        None
    }

    /// What applies to a kernel in `files`, with the kernel that has it.
    #[must_use]
    pub fn at<'a, T>(
        &'a self,
        id: &'a KernelId,
        files: &'a BTreeMap<KernelId, T>,
    ) -> Option<(&'a KernelId, &'a T)> {
        let owner = self.owner(id, files)?;
        Some((owner, files.get(owner)?))
    }

    /// What a kernel would inherit if it had no file of its own.
    #[must_use]
    pub fn inherited<'a, T>(
        &self,
        id: &KernelId,
        files: &'a BTreeMap<KernelId, T>,
    ) -> Option<&'a T> {
        files.get(self.owner(self.parent(id)?, files)?)
    }

    /// The kernels, each after the one that it inherits from.
    #[must_use]
    pub fn parents_first(&self) -> Vec<&KernelId> {
        let depth =
            |id: &KernelId| std::iter::successors(self.parent(id), |id| self.parent(id)).count();
        let mut ids: Vec<_> = self.kernels().collect();
        ids.sort_by_cached_key(|id| depth(id));
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn id(text: &str) -> KernelId {
        text.parse().unwrap()
    }

    fn lineage() -> Lineage {
        Lineage::new([
            (id("5.10"), None),
            (id("6.1"), None),
            (id("6.12"), Some(id("6.16"))),
            (id("6.16"), Some(id("6.1"))),
        ])
    }

    fn owner(kernel: &str, files: &[&str]) -> Option<String> {
        let files: BTreeMap<_, _> = files.iter().map(|file| (id(file), ())).collect();
        lineage()
            .owner(&id(kernel), &files)
            .map(ToString::to_string)
    }

    #[test]
    fn a_kernel_uses_its_own_file() {
        assert_eq!(owner("6.1", &["5.10", "6.1"]), Some("6.1".into()));
    }

    #[test]
    fn without_a_file_the_nearest_older_one_applies() {
        assert_eq!(owner("6.1", &["5.10", "6.16"]), Some("5.10".into()));
    }

    #[test]
    fn a_parent_of_the_table_goes_before_the_next_lower_id() {
        assert_eq!(owner("6.12", &["6.1", "6.16"]), Some("6.16".into()));
    }

    #[test]
    fn a_newer_file_does_not_apply_to_an_older_kernel() {
        assert_eq!(owner("5.10", &["6.1"]), None);
    }

    #[test]
    fn a_series_that_is_not_in_the_table_inherits_from_the_nearest_older_one() {
        assert_eq!(owner("6.9", &["5.10", "6.1"]), Some("6.1".into()));
    }

    #[test]
    fn a_parent_stands_before_its_child_also_when_it_is_newer() {
        let lineage = lineage();
        let order: Vec<_> = lineage
            .parents_first()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(order, ["5.10", "6.1", "6.16", "6.12"]);
    }

    #[test]
    fn a_series_below_the_table_inherits_nothing() {
        assert_eq!(lineage().parent(&id("4.19")), None);
        assert_eq!(lineage().parent(&id("7.3")), Some(&id("6.16")));
    }
}
