//! Which snapshot files a set of observed texts asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::trail::KernelId;

use super::Lineage;

/// What has to happen to the files of one scenario so that they say what was observed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files to write, with their texts.
    ///
    /// Also for kernels that behaved as before and would otherwise inherit a change from an older
    /// one: accepting a change never silently changes what a newer kernel is held against.
    pub write: BTreeMap<KernelId, String>,
    /// Files that say what their kernel would inherit anyway, once the others are written.
    pub redundant: BTreeSet<KernelId>,
}

/// Compares the files with what was observed; kernels that did not run keep what applies to them.
#[must_use]
pub fn plan(
    lineage: &Lineage,
    files: &BTreeMap<KernelId, String>,
    observed: &BTreeMap<KernelId, String>,
) -> Plan {
    let mut plan = Plan::default();
    // What the files will say, filled from the parents to the children.
    let mut future: BTreeMap<KernelId, String> = BTreeMap::new();
    for id in lineage.parents_first() {
        let now = lineage.at(id, files).map(|(_, text)| text);
        let Some(wanted) = observed.get(id).or(now) else {
            continue;
        };
        if lineage.inherited(id, &future) != Some(wanted) {
            if files.get(id) != Some(wanted) {
                plan.write.insert(id.clone(), wanted.clone());
            }
            future.insert(id.clone(), wanted.clone());
        } else if files.contains_key(id) {
            plan.redundant.insert(id.clone());
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[(&str, &str)]) -> BTreeMap<KernelId, String> {
        texts
            .iter()
            .map(|(id, text)| (id.parse().unwrap(), (*text).to_owned()))
            .collect()
    }

    fn check(files: &[(&str, &str)], observed: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let kernels = ["5.10", "6.1", "6.12"].map(|id| (id.parse().unwrap(), None));
        let plan = plan(&Lineage::new(kernels), &texts(files), &texts(observed));
        let write = plan
            .write
            .iter()
            .map(|(id, text)| format!("{id}={text}"))
            .collect();
        (
            write,
            plan.redundant.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn an_empty_store_gets_one_file_for_all_that_agree() {
        let (write, _) = check(&[], &[("5.10", "a"), ("6.1", "a"), ("6.12", "a")]);
        assert_eq!(write, ["5.10=a"]);
    }

    #[test]
    fn a_kernel_that_behaves_as_before_adds_no_file() {
        let (write, _) = check(&[("5.10", "a")], &[("6.12", "a")]);
        assert!(write.is_empty());
    }

    #[test]
    fn a_kernel_that_differs_gets_a_file() {
        let (write, _) = check(&[("5.10", "a")], &[("6.12", "b")]);
        assert_eq!(write, ["6.12=b"]);
    }

    #[test]
    fn a_change_that_newer_kernels_share_is_one_file() {
        let (write, _) = check(&[("5.10", "a")], &[("6.1", "b"), ("6.12", "b")]);
        assert_eq!(write, ["6.1=b"]);
    }

    #[test]
    fn a_change_in_the_middle_pins_a_newer_kernel_that_did_not_run() {
        let (write, _) = check(&[("5.10", "a")], &[("6.1", "b")]);
        assert_eq!(write, ["6.1=b", "6.12=a"]);
    }

    #[test]
    fn a_file_that_says_what_is_inherited_is_redundant() {
        let (_, redundant) = check(&[("5.10", "a"), ("6.12", "a")], &[]);
        assert_eq!(redundant, ["6.12"]);
    }

    #[test]
    fn a_file_that_a_change_makes_redundant_is_named() {
        let (write, redundant) = check(&[("5.10", "a"), ("6.1", "b")], &[("5.10", "b")]);
        assert_eq!(
            (write, redundant),
            (vec!["5.10=b".into()], vec!["6.1".into()])
        );
    }

    #[test]
    fn kernels_older_than_every_file_stay_without_one() {
        let (write, _) = check(&[], &[("6.1", "a")]);
        assert_eq!(write, ["6.1=a"]);
    }

    use proptest::prelude::*;

    /// Kernels with whom each inherits from, an older one or the next older; files; what was seen.
    #[derive(Clone, Debug)]
    struct World {
        lineage: Lineage,
        files: BTreeMap<KernelId, String>,
        observed: BTreeMap<KernelId, String>,
    }

    fn world() -> impl Strategy<Value = World> {
        let text = || prop::option::of(prop_oneof![Just("a"), Just("b")]);
        let kernel = (
            prop::option::of(any::<prop::sample::Index>()),
            text(),
            text(),
        );
        prop::collection::vec(kernel, 1..8).prop_map(|kernels| {
            let id = |number: usize| format!("6.{number}").parse::<KernelId>().unwrap();
            let (mut files, mut observed) = (BTreeMap::new(), BTreeMap::new());
            let mut parents = Vec::new();
            for (number, (parent, file, seen)) in kernels.into_iter().enumerate() {
                let older = parent.filter(|_| number > 0);
                parents.push((id(number), older.map(|parent| id(parent.index(number)))));
                files.extend(file.map(|text: &str| (id(number), text.to_owned())));
                observed.extend(seen.map(|text: &str| (id(number), text.to_owned())));
            }
            World {
                lineage: Lineage::new(parents),
                files,
                observed,
            }
        })
    }

    proptest! {
        #[test]
        fn a_plan_that_was_followed_leaves_nothing_to_plan(world in world()) {
            let World { lineage, files, observed } = world;
            let first = plan(&lineage, &files, &observed);
            let mut after = files.clone();
            after.extend(first.write);
            after.retain(|id, _| !first.redundant.contains(id));
            prop_assert_eq!(plan(&lineage, &after, &observed), Plan::default());
            for id in lineage.kernels() {
                let text = |files: &BTreeMap<KernelId, String>| {
                    lineage.at(id, files).map(|(_, text)| text.clone())
                };
                // Who was seen has what was seen, and nobody else has another text than before.
                let expected = observed.get(id).cloned().or_else(|| text(&files));
                let inherits = files.is_empty() || expected.is_none();
                prop_assert!(inherits || text(&after) == expected, "{id}: {after:?}");
            }
        }
    }
}
