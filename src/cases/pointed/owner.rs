//! Who a program is, as its loader shows: what it may read, and which variables it heeds.

use super::{copy, directory, dynamic, interpreted, made, of, text, with};
use crate::case::{Case, Made, Namespace};

/// All of them.
pub fn cases() -> Vec<Case> {
    [capabilities(), root(), interpreted_for_another()].concat()
}

/// A library of this owner and mode.
fn owned(path: &str, owner: (u32, u32), mode: u32) -> Made {
    let mut made = dynamic(path, &[], |_| {});
    (made.owner, made.mode) = (Some(owner), Some(mode));
    made
}

/// A program that needs a library which not everybody may read, or another one that a variable names.
fn readers(owner: (u32, u32)) -> Vec<Made> {
    let program = dynamic("/tmp/a", &["b", "c"], |program| {
        program.runpath = Some("/tmp".to_owned());
    });
    vec![
        program,
        owned("/tmp/b", owner, 0o600),
        owned("/tmp/c", (0, 0), 0o755),
        directory("/tmp/e", (0, 0), 0o755),
        owned("/tmp/e/c", (0, 0), 0o755),
    ]
}

/// Capabilities of a file in each set, for who has them inheritable or has not.
fn capabilities() -> Vec<Case> {
    let mut all = Vec::new();
    for inheritable in [None, Some("dac_override"), Some("net_raw")] {
        for sets in ["ep", "p", "e", "i", "ei", "eip", "ip"] {
            let mut case = of("/tmp/a", readers((0, 0)));
            case.files[0].capabilities = vec![format!("dac_override+{sets}")];
            case.needs = vec!["file-capabilities".to_owned()];
            case.exec.user = Some(1000);
            case.exec.inheritable = inheritable.map(ToOwned::to_owned).into_iter().collect();
            let variable = ("LD_LIBRARY_PATH".to_owned(), "/tmp/e".to_owned());
            case.exec.environment = [variable].into();
            all.push(case);
        }
    }
    // What is not in the bounding set is not given, and must be where it is demanded.
    for sets in ["ep", "p", "ei", "eip"] {
        let mut case = of("/tmp/a", readers((0, 0)));
        case.files[0].capabilities = vec![format!("dac_override+{sets}")];
        case.needs = vec!["file-capabilities".to_owned()];
        case.exec.user = Some(1000);
        case.exec.dropped = vec!["dac_override".to_owned()];
        case.exec.inheritable = vec!["dac_override".to_owned()];
        all.push(case);
    }
    all
}

/// root, who may read everything or may not; and programs that are its.
fn root() -> Vec<Case> {
    let plain = || of("/tmp/a", readers((1000, 1000)));
    let set_user = |user, mode| {
        with(of("/tmp/a", readers((65534, 65534))), |case| {
            case.exec.user = user;
            case.files[0].mode = Some(mode);
            let variable = ("LD_LIBRARY_PATH".to_owned(), "/tmp/e".to_owned());
            case.exec.environment = [variable].into();
        })
    };
    vec![
        plain(),
        with(plain(), |case| {
            case.exec.dropped = vec!["dac_override".to_owned()]
        }),
        with(plain(), |case| {
            case.exec.namespaces = vec![Namespace::User];
            case.needs = vec!["user-namespaces".to_owned()];
        }),
        with(plain(), |case| case.exec.user = Some(1000)),
        with(plain(), |case| case.exec.user = Some(65534)),
        with(plain(), |case| case.exec.no_new_privileges = true),
        set_user(Some(1000), 0o4755),
        set_user(Some(1000), 0o2755),
        set_user(Some(1000), 0o755),
        set_user(None, 0o4755),
    ]
}

/// A text that an entry of binfmt_misc interprets, with the credentials of the text (`C`) or of the interpreter.
fn interpreted_for_another() -> Vec<Case> {
    let one = |flags: &str, set_user: bool| {
        let own = made("/tmp/a", |made| {
            made.text = Some("EXETRAIL\n".to_owned());
            made.mode = Some(if set_user { 0o4755 } else { 0o755 });
        });
        let mut interpreter = copy("/tmp/i");
        interpreter.mode = Some(if set_user { 0o755 } else { 0o4755 });
        let preloaded = dynamic("/tmp/b", &[], |_| {});
        let files = vec![own, interpreter, preloaded, text("/tmp/other", "")];
        with(of("/tmp/a", files), |case| {
            case.exec.user = Some(1000);
            let variable = ("LD_PRELOAD".to_owned(), "/tmp/b".to_owned());
            case.exec.environment = [variable].into();
            interpreted(case, "/tmp/i", flags);
        })
    };
    let mut all = Vec::new();
    for flags in ["", "O", "C"] {
        all.extend([one(flags, true), one(flags, false)]);
    }
    all
}
