//! What the model knows of the file systems: a [`World`] is the part of them that matters.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reach::Rule;
use super::{Caller, Image};

/// Where the model looks files up.
pub trait Files {
    /// What is at an absolute path without `.`, `..` and links before its last part, as the
    /// process sees it; none for what is not there.
    fn node(&self, path: &str) -> Option<Node>;
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Node {
    /// A directory.
    Directory(Owned),
    /// A symbolic link with its target and its owner.
    Link(String, u32),
    /// A regular file.
    File(Box<File>),
    /// A device, a pipe, a socket.
    Other,
}

/// Who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// Permission bits, with those of set-user-ID and set-group-ID.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Owned {
    /// Whether this caller may execute the file. Who overrides the bits may execute what anybody may
    /// (`generic_permission` in fs/namei.c).
    #[must_use]
    pub fn may_execute(self, caller: &Caller) -> bool {
        let any = self.mode & 0o111 != 0;
        self.may(caller, 0o1) || Rule::Overrides.applies(caller.overrides && any)
    }

    /// Whether this caller may search the directory. Who overrides the bits, or reads everything, may.
    #[must_use]
    pub fn may_search(self, caller: &Caller) -> bool {
        self.may(caller, 0o1)
            || Rule::Overrides.applies(caller.overrides)
            || Rule::ReadsAll.applies(caller.reads)
    }

    /// Whether this caller may read it.
    #[must_use]
    pub fn may_read(self, caller: &Caller) -> bool {
        self.may(caller, 0o4)
            || Rule::Overrides.applies(caller.overrides)
            || Rule::ReadsAll.applies(caller.reads)
    }

    /// The first of owner, group and others that the caller belongs to decides
    /// (`acl_permission_check` in fs/namei.c).
    fn may(self, caller: &Caller, bit: u32) -> bool {
        let further = caller.groups.contains(&self.gid);
        let shift = match () {
            () if Rule::Owner.applies(caller.uid == self.uid) => 6,
            () if Rule::Group.applies(caller.gid == self.gid) => 3,
            () if Rule::FurtherGroup.applies(further) => 3,
            () => 0,
        };
        Rule::Others.applies(shift == 0);
        self.mode & (bit << shift) != 0
    }
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path as an observer prints it.
    pub name: String,
    /// Tells it from other files: device and inode.
    pub id: (u64, u64),
    /// Who may execute it.
    pub owned: Owned,
    /// It is on a file system from which nothing is executed.
    pub noexec: bool,
    /// It is on a mount on which no file gives anybody more than he has.
    pub nosuid: bool,
    /// Its capabilities.
    pub capabilities: Option<Capabilities>,
    /// With which errno, by name, it cannot be read.
    pub unreadable: Option<String>,
    /// Somebody has it open for writing.
    pub busy: bool,
    /// It is on a file system whose opens the observer sees.
    pub watched: bool,
    /// The file of a lower layer that the kernel opens with it (overlay).
    pub layer: Option<Box<File>>,
    /// What is in it; none where it could not be looked at.
    pub image: Option<Image>,
}

impl File {
    /// What is in it; nothing where it could not be looked at.
    #[must_use]
    pub fn image(&self) -> &Image {
        static NOTHING: std::sync::LazyLock<Image> =
            std::sync::LazyLock::new(|| Image::of([].as_slice()));
        self.image.as_ref().unwrap_or(&NOTHING)
    }
}

/// Capabilities that a file gives (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The permitted ones.
    pub permitted: u64,
    /// The inheritable ones.
    pub inheritable: u64,
    /// A program that is given fewer must not start.
    pub effective: bool,
}

impl Capabilities {
    /// Reads the attribute `security.capability`: `struct vfs_cap_data` of linux/capability.h.
    #[must_use]
    pub fn of(attribute: &[u8]) -> Option<Capabilities> {
        let (words, _) = attribute.as_chunks();
        let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        // The second half of each set is missing in the first version.
        let set = |low: usize, high: usize| {
            let high = words.get(high).copied().unwrap_or_default();
            Some((u64::from(high) << 32) + u64::from(*words.get(low)?))
        };
        Some(Capabilities {
            permitted: set(1, 3)?,
            inheritable: set(2, 4)?,
            effective: *words.first()? & 1 != 0,
        })
    }
}

/// Files that somebody wrote down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World(pub BTreeMap<String, Option<Node>>);

impl Files for World {
    fn node(&self, path: &str) -> Option<Node> {
        self.0.get(path).cloned().flatten()
    }
}

/// Writes down what is looked up, so that it can be looked up again when it may have changed.
pub struct Recording<'a> {
    files: &'a dyn Files,
    seen: RefCell<World>,
}

impl<'a> Recording<'a> {
    /// Records what is looked up in these files.
    pub fn new(files: &'a dyn Files) -> Recording<'a> {
        Recording {
            files,
            seen: RefCell::default(),
        }
    }

    /// What was looked up.
    #[must_use]
    pub fn seen(self) -> World {
        self.seen.into_inner()
    }
}

impl Files for Recording<'_> {
    fn node(&self, path: &str) -> Option<Node> {
        let mut seen = self.seen.borrow_mut();
        let node = seen.0.entry(path.to_owned());
        node.or_insert_with(|| self.files.node(path)).clone()
    }
}

/// Files that were written down, and others where nothing is.
pub struct Either<'a>(pub &'a World, pub &'a dyn Files);

impl Files for Either<'_> {
    fn node(&self, path: &str) -> Option<Node> {
        match self.0.0.get(path) {
            Some(node) => node.clone(),
            None => self.1.node(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Either, Files as _, Node, Owned, Recording, World};
    use crate::model::Reach;
    use crate::model::reach::Rule;
    use crate::model::sample::{Sample, call};

    const FILE: Owned = Owned {
        mode: 0,
        uid: 7,
        gid: 7,
    };

    fn may(mode: u32, uid: u32, gid: u32) -> bool {
        let mut caller = call("/").caller;
        (caller.overrides, caller.reads) = (uid == 0, uid == 0);
        (caller.uid, caller.gid) = (uid, gid);
        Owned { mode, ..FILE }.may_execute(&caller)
    }

    #[test]
    fn who_overrides_may_execute_what_anybody_may() {
        assert!(may(0o001, 0, 0) && !may(0o644, 0, 0));
    }

    #[test]
    fn who_overrides_may_search_and_read_everything() {
        let mut caller = call("/").caller;
        assert!(FILE.may_search(&caller) && FILE.may_read(&caller));
        (caller.overrides, caller.reads) = (false, false);
        assert!(!FILE.may_search(&caller) && !FILE.may_read(&caller));
    }

    #[test]
    fn a_further_group_counts_as_the_group() {
        let mut caller = call("/").caller;
        (caller.uid, caller.gid) = (1, 1);
        (caller.overrides, caller.reads) = (false, false);
        let file = Owned {
            mode: 0o040,
            ..FILE
        };
        assert!(!file.may_read(&caller));
        caller.groups.push(7);
        assert!(file.may_read(&caller));
    }

    #[test]
    fn capabilities_are_read_from_their_attribute() {
        let words = [0x0200_0001_u32, 1 << 13, 1, 1, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let found = Capabilities::of(&bytes).unwrap();
        assert!(found.effective);
        assert_eq!((found.permitted, found.inheritable), (1 << 13 | 1 << 32, 1));
    }

    #[test]
    fn the_owner_is_held_to_the_first_bits_alone() {
        assert!(!may(0o011, 7, 7) && may(0o100, 7, 7));
    }

    fn attribute(words: &[u32]) -> Option<Capabilities> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Capabilities::of(&bytes)
    }

    #[test]
    fn capabilities_of_one_word_each_are_read() {
        let found = attribute(&[0x0100_0000, 5, 6]).unwrap();
        assert_eq!(
            (found.permitted, found.inheritable, found.effective),
            (5, 6, false)
        );
        assert_eq!(attribute(&[0x0100_0000, 5]), None);
    }

    #[test]
    fn each_half_of_a_set_has_its_place() {
        let found = attribute(&[1, 1, 2, 3, 4]).unwrap();
        assert_eq!(
            (found.permitted, found.inheritable),
            ((3 << 32) + 1, (4 << 32) + 2)
        );
    }

    #[test]
    fn a_group_is_held_to_its_bits() {
        assert!(may(0o010, 1, 7) && !may(0o101, 1, 7));
        assert!(may(0o001, 1, 1) && !may(0o110, 1, 1));
    }

    #[test]
    fn whose_bits_decide_is_told() {
        let told = |uid, gid| {
            let (_, reach) = Reach::of(|| may(0, uid, gid));
            let rules = [Rule::Owner, Rule::Group, Rule::Others];
            rules.map(|rule| reach.rule(rule))
        };
        assert_eq!(
            [told(7, 7), told(1, 7), told(1, 1)],
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        );
    }

    #[test]
    fn what_was_looked_up_is_written_down() {
        let sample = Sample::new().directory("/d");
        let recording = Recording::new(&sample.0);
        assert_eq!(recording.node("/d"), sample.0.node("/d"));
        assert_eq!(recording.node("/none"), None);
        let World(seen) = recording.seen();
        let names: Vec<_> = seen.keys().map(String::as_str).collect();
        assert_eq!(names, ["/d", "/none"]);
    }

    #[test]
    fn what_was_written_down_counts_more() {
        let (first, second) = (World([("/d".to_owned(), None)].into()), Sample::new());
        let second = second.directory("/d").directory("/e");
        let both = Either(&first, &second.0);
        assert_eq!(both.node("/d"), None);
        assert!(matches!(both.node("/e"), Some(Node::Directory(_))));
    }
}
