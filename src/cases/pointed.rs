//! Cases that are made for one rule each: starts in which a rule that is a little different would say something
//! else, and that chance makes too seldom.
//!
//! They stand in a list, and the list begins again where it ends, each time with twists besides.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};

mod loader;
mod overlay;
mod owner;
mod path;

use super::parts::made;
use super::twist::{need, settle, twist};
use crate::arch;
use crate::case::{Case, CaseExec, Fd, Made, Open, Program, Registered, Way};

/// The case of this number, from 0.
pub fn case(number: u64) -> impl Strategy<Value = Case> {
    let all = all();
    let count = all.len();
    let number = usize::try_from(number).unwrap_or_default();
    let most = usize::from(number >= count) * 2;
    let one = all.into_iter().nth(number % count).unwrap_or_default();
    (Just(one), vec(twist(), most.min(1)..=most)).prop_map(|(mut case, twists)| {
        for twist in twists {
            twist.apply(&mut case);
        }
        settle(&mut case);
        case
    })
}

/// Each of them once.
fn all() -> Vec<Case> {
    [
        path::cases(),
        owner::cases(),
        loader::cases(),
        overlay::cases(),
    ]
    .concat()
}

/// How many there are until the list begins again.
#[cfg(test)]
pub fn count() -> u64 {
    all().len() as u64
}

/// A case that executes this path.
fn of(path: &str, files: Vec<Made>) -> Case {
    Case {
        exec: CaseExec {
            path: path.to_owned(),
            ..CaseExec::default()
        },
        files,
        ..Case::default()
    }
}

/// A change of a case.
fn with(mut case: Case, change: impl FnOnce(&mut Case)) -> Case {
    change(&mut case);
    case
}

/// A program that needs nothing but libc.
fn copy(path: &str) -> Made {
    made(path, |made| made.copy = Some("/usr/bin/true".to_owned()))
}

fn text(path: &str, text: &str) -> Made {
    made(path, |made| made.text = Some(text.to_owned()))
}

fn link(path: &str, target: &str) -> Made {
    made(path, |made| made.symlink = Some(target.to_owned()))
}

fn directory(path: &str, owner: (u32, u32), mode: u32) -> Made {
    made(path, |made| {
        made.directory = true;
        made.owner = Some(owner);
        made.mode = Some(mode);
    })
}

/// A file without a dynamic section: a static program.
fn fixed(path: &str) -> Made {
    made(path, |made| made.program = Some(Program::default()))
}

/// A program or a library that needs these.
fn dynamic(path: &str, needed: &[&str], change: impl FnOnce(&mut Program)) -> Made {
    let mut program = Program {
        interpreter: Some(format!("{}\0", arch::LOADER)),
        needed: needed.iter().map(|name| (*name).to_owned()).collect(),
        ..Program::default()
    };
    change(&mut program);
    made(path, |made| made.program = Some(program))
}

/// What begins so is interpreted by this, with these flags.
fn interpreted(case: &mut Case, interpreter: &str, flags: &str) {
    need(case, "binfmt-misc");
    case.formats.push(Registered {
        name: "pointed".to_owned(),
        rule: format!("M::EXETRAIL::{interpreter}:{flags}"),
    });
}

/// The call is execveat(2), from this directory or file.
fn at(case: &mut Case, place: Option<(&str, &[Open])>, flags: &[&str]) {
    case.exec.call = Way::Execveat;
    case.exec.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    case.exec.fd = place.map(|(path, open)| Fd {
        number: 5,
        path: path.to_owned(),
        flags: open.to_vec(),
        memory: false,
        then: crate::case::Then::Kept,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_made_twice() {
        let all = all();
        for (place, case) in all.iter().enumerate() {
            assert!(!all[..place].contains(case), "{case:?}");
        }
    }
}
