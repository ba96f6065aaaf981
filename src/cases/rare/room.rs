//! Strings that have just the room that they may have, or a byte more.

use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use proptest::sample::select;

use super::{alone, text};
use crate::case::Case;

/// The bytes of `/tmp/a` twice, as the name of the program and as its first argument, and of the environment.
const STRINGS: usize = 2 * 7 + 19 + 11 + 20;

/// A last argument that takes so much more, or less, than what is left.
#[derive(Clone, Debug)]
pub struct Full {
    file: File,
    room: Room,
    more: isize,
}

/// What is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Text,
    /// A script whose interpreter is missing, with a first argument of this length, which is taken away.
    Script(usize),
}

/// What room it is.
#[derive(Clone, Copy, Debug)]
enum Room {
    /// All that strings and pointers may have with a stack of half a megabyte.
    Strings,
    /// As many pages, by the limit of the stack.
    Stack(u64),
    /// As many pages, by the limit of the address space.
    Space(u64),
}

/// Any of them.
pub fn full() -> impl Strategy<Value = Full> {
    let file = prop_oneof![
        Just(File::Text),
        select(vec![1, 40, 900]).prop_map(File::Script)
    ];
    let room = prop_oneof![
        2 => Just(Room::Strings),
        1 => (0..3_u64).prop_map(Room::Stack),
        1 => (0..3_u64).prop_map(Room::Space),
    ];
    (file, room, -3..=20_isize).prop_map(|(file, room, more)| Full { file, room, more })
}

impl Full {
    /// Makes it the last argument of a case.
    pub fn apply(self, case: &mut Case) {
        let Full { file, room, more } = self;
        alone(case);
        let (own, added) = match file {
            File::Text => {
                case.files = vec![text("text\n")];
                (0, 0)
            }
            File::Script(first) => {
                case.files = vec![text("#!/tmp/none\n")];
                case.exec.argv0 = Some("x".repeat(first));
                // Path and interpreter take the place of the first argument, which was `/tmp/a` before.
                let own = first as isize - 6;
                (own, 17 - own - 7)
            }
        };
        let limits = &mut case.exec.limits;
        let all = match room {
            Room::Strings => {
                limits.insert("stack".to_owned(), 1 << 19);
                // A pointer each, of two arguments and three variables.
                (128 << 10) - 5 * 8
            }
            // The word at the top.
            Room::Stack(pages) => {
                limits.insert("stack".to_owned(), pages * 4096);
                pages.max(1) as isize * 4096 - 8
            }
            Room::Space(pages) => {
                limits.insert("as".to_owned(), pages * 4096);
                pages.max(1) as isize * 4096 - 8
            }
        };
        let taken = STRINGS as isize + own + added.max(0) + 1;
        let last = usize::try_from(all - taken + more).unwrap_or_default();
        case.exec.arguments = vec!["x".repeat(last)];
    }
}
