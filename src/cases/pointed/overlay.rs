//! What an overlay opens beside the file that is executed.

use super::{at, copy, of, with};
use crate::case::{Case, CaseMount, Kind, Open, Then};
use crate::cases::twist::need;

/// All of them.
pub fn cases() -> Vec<Case> {
    let closed = |open: &[Open], then| {
        with(of("/tmp/a", vec![copy("/tmp/a")]), |case| {
            need(case, "overlay");
            case.mounts = vec![CaseMount {
                kind: Kind::Overlay,
                at: "/tmp/m".to_owned(),
                from: Some("/usr/bin".to_owned()),
                options: Vec::new(),
            }];
            at(case, Some(("/tmp/m/true", open)), &[]);
            if let Some(fd) = &mut case.exec.fd {
                fd.then = then;
            }
        })
    };
    vec![
        closed(&[Open::Cloexec], Then::Written),
        closed(&[Open::Cloexec], Then::Kept),
        closed(&[], Then::Written),
        closed(&[Open::Path, Open::Cloexec], Then::Written),
    ]
}
