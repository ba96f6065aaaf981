//! Who a program is: `bprm_fill_uid` in fs/exec.c and `cap_bprm_creds_from_file` in security/commoncap.c.

use super::reach::Rule;
use super::{Caller, File};

/// `CAP_DAC_OVERRIDE` of capabilities(7), as a bit.
const OVERRIDE: u64 = 1 << 1;
/// `CAP_DAC_READ_SEARCH`, likewise.
const READ_SEARCH: u64 = 1 << 2;

/// What a file makes of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    uid: u32,
    gid: u32,
    /// The effective capabilities have `CAP_DAC_OVERRIDE`.
    overrides: bool,
    /// They have `CAP_DAC_READ_SEARCH`.
    reads: bool,
    /// The caller may be given what the file demands.
    pub may_be_given: bool,
    /// The program is told that it is another user's.
    pub secure: bool,
}

impl Credentials {
    /// Those of this file, executed by this caller.
    pub fn of(file: &File, caller: &Caller) -> Credentials {
        let mode = file.owned.mode;
        // Without the right to execute for the group the bit means something else.
        let (set_user, set_group) = (mode & 0o4000 != 0, mode & 0o2010 == 0o2010);
        // `mnt_may_suid`; where nobody is mapped, no owner is.
        let counts = !file.nosuid;
        let counts_for_ids = counts && !caller.unmapped && !caller.no_new_privileges;
        Rule::IdsIgnored.applies(!counts_for_ids && (set_user || set_group));
        let uid = match set_user && counts_for_ids {
            true => file.owned.uid,
            false => caller.uid,
        };
        let gid = match set_group && counts_for_ids {
            true => file.owned.gid,
            false => caller.gid,
        };
        Rule::SetUser.applies(uid != caller.uid);
        Rule::SetGroup.applies(gid != caller.gid);
        let capabilities = file.capabilities.filter(|_| counts);
        Rule::FileCapabilities.applies(capabilities.is_some());
        // `bprm_caps_from_vfs_caps`: who does not know about capabilities gets all or does not start.
        let given = capabilities.map_or(0, |found| {
            found.permitted & caller.bounding | found.inheritable & caller.inheritable
        });
        let may_be_given =
            capabilities.is_none_or(|found| !found.effective || found.permitted & !given == 0);
        let effective = capabilities.is_some_and(|found| found.effective);
        let is_set = (uid, gid) != caller.real;
        let root = !caller.unmapped && uid == 0;
        // `__is_real`: where nobody is mapped, nobody is root either, and capabilities of a file count all the same
        // (`rootid_owns_currentns`).
        let really_root = !caller.unmapped && caller.real.0 == 0;
        let secure = is_set || !really_root && (effective || given != 0);
        let held = match root {
            true => caller.bounding,
            false if effective => given,
            false => 0,
        };
        Credentials {
            uid,
            gid,
            overrides: !caller.unmapped && held & OVERRIDE != 0,
            reads: !caller.unmapped && held & READ_SEARCH != 0,
            may_be_given,
            secure,
        }
    }

    /// The program, as a caller.
    pub fn of_program(self, caller: &Caller) -> Caller {
        Caller {
            uid: self.uid,
            gid: self.gid,
            overrides: self.overrides,
            reads: self.reads,
            ..caller.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Sample, call};
    use crate::model::{Capabilities, Node, Reach};

    /// What an ordinary user becomes by a file of this mode, which is root's.
    fn becomes(mode: u32, change: impl FnOnce(&mut File, &mut Caller)) -> Credentials {
        let sample = Sample::new().mode("/a", b"", mode);
        let Some(Some(Node::File(mut file))) = sample.0.0.get("/a").cloned() else {
            panic!("no file")
        };
        let mut caller = call("/a").caller;
        (caller.uid, caller.gid, caller.real) = (7, 8, (7, 8));
        (caller.overrides, caller.reads) = (false, false);
        change(&mut file, &mut caller);
        Credentials::of(&file, &caller)
    }

    fn give(permitted: u64, effective: bool) -> impl FnOnce(&mut File, &mut Caller) {
        move |file, _| {
            file.capabilities = Some(Capabilities {
                permitted,
                inheritable: 0,
                effective,
            });
        }
    }

    #[test]
    fn a_set_user_id_program_is_its_owner_and_overrides() {
        let found = becomes(0o4755, |_, _| {});
        assert_eq!((found.uid, found.gid), (0, 8));
        assert!(found.secure && found.overrides);
    }

    #[test]
    fn a_set_group_id_program_has_its_group() {
        let found = becomes(0o2755, |_, _| {});
        assert_eq!((found.uid, found.gid), (7, 0));
        assert!(found.secure && !found.overrides);
    }

    #[test]
    fn set_group_id_counts_only_with_the_right_to_execute() {
        assert!(!becomes(0o2745, |_, _| {}).secure);
    }

    #[test]
    fn no_bit_counts_on_such_a_mount() {
        assert!(!becomes(0o6755, |file, _| file.nosuid = true).secure);
    }

    #[test]
    fn no_bit_counts_for_who_may_get_nothing() {
        let found = becomes(0o6755, |_, caller| caller.no_new_privileges = true);
        assert_eq!((found.uid, found.gid, found.secure), (7, 8, false));
    }

    #[test]
    fn no_bit_counts_where_nobody_is_mapped() {
        let found = becomes(0o6755, |_, caller| caller.unmapped = true);
        assert_eq!((found.uid, found.gid, found.secure), (7, 8, false));
    }

    #[test]
    fn capabilities_of_a_file_are_told_where_nobody_is_mapped() {
        let found = becomes(0o755, |file, caller| {
            (caller.uid, caller.real, caller.unmapped) = (0, (0, 0), true);
            give(1 << 13, true)(file, caller);
        });
        assert!(found.secure && !found.overrides);
    }

    #[test]
    fn who_is_the_owner_anyway_is_told_nothing() {
        let same = |file: &mut File, _: &mut Caller| file.owned.uid = 7;
        assert!(!becomes(0o4755, same).secure);
    }

    #[test]
    fn capabilities_of_a_file_are_told() {
        assert!(becomes(0o755, give(1 << 13, true)).secure);
        assert!(becomes(0o755, give(1 << 13, false)).secure);
        assert!(!becomes(0o755, give(0, false)).secure);
    }

    #[test]
    fn the_real_root_is_given_nothing_more() {
        let found = becomes(0o755, |file, caller| {
            (caller.uid, caller.gid, caller.real) = (0, 0, (0, 0));
            give(1 << 13, true)(file, caller);
        });
        assert!(!found.secure && found.overrides);
    }

    #[test]
    fn a_capability_that_is_demanded_must_be_allowed() {
        let without = |effective| {
            becomes(0o755, move |file, caller| {
                caller.bounding = !(1 << 13);
                give(1 << 13, effective)(file, caller);
            })
        };
        assert!(!without(true).may_be_given && without(false).may_be_given);
    }

    #[test]
    fn an_inheritable_capability_is_given_to_who_has_it() {
        let found = becomes(0o755, |file, caller| {
            (caller.bounding, caller.inheritable) = (0, 2);
            file.capabilities = Some(Capabilities {
                permitted: 0,
                inheritable: 2,
                effective: true,
            });
        });
        assert!(found.overrides && found.may_be_given);
    }

    #[test]
    fn a_bounding_set_bounds_root() {
        let found = becomes(0o4755, |_, caller| caller.bounding = !OVERRIDE);
        assert!(!found.overrides && found.reads);
        let found = becomes(0o4755, |_, caller| caller.bounding = !READ_SEARCH);
        assert!(found.overrides && !found.reads);
    }

    /// Whether it overrides, by a file that has `CAP_DAC_OVERRIDE` in these sets.
    fn overrides(permitted: u64, inheritable: u64, effective: bool, own: u64) -> bool {
        let found = becomes(0o755, |file, caller| {
            caller.inheritable = own;
            file.capabilities = Some(Capabilities {
                permitted,
                inheritable,
                effective,
            });
        });
        found.overrides
    }

    #[test]
    fn a_capability_that_is_given_twice_is_given() {
        assert!(overrides(OVERRIDE, OVERRIDE, true, OVERRIDE));
    }

    #[test]
    fn an_inheritable_capability_is_not_given_to_who_has_it_not() {
        assert!(!overrides(0, OVERRIDE, true, 0) && !overrides(0, 0, true, OVERRIDE));
    }

    #[test]
    fn a_capability_that_is_not_effective_is_not_used() {
        assert!(overrides(OVERRIDE, 0, true, 0) && !overrides(OVERRIDE, 0, false, 0));
    }

    /// Which rules about ids are told of for this mode.
    fn told(mode: u32, nosuid: bool) -> [u64; 3] {
        let (_, reach) = Reach::of(|| becomes(mode, |file, _| file.nosuid = nosuid));
        let rules = [Rule::IdsIgnored, Rule::SetUser, Rule::SetGroup];
        rules.map(|rule| reach.rule(rule))
    }

    #[test]
    fn what_becomes_of_ids_is_told() {
        assert_eq!((told(0o755, true), told(0o755, false)), ([0; 3], [0; 3]));
        assert_eq!(
            (told(0o4755, true), told(0o2755, true)),
            ([1, 0, 0], [1, 0, 0])
        );
        assert_eq!(
            (told(0o4755, false), told(0o2755, false)),
            ([0, 1, 0], [0, 0, 1])
        );
    }
}
