//! What a listener can ask the kernel for, which decides how it is written.
//!
//! The scenario makes groups and marks and gives them up; it watches nobody. It finds out each feature by asking, because
//! distributions backport them:
//! - `FAN_REPORT_FD_ERROR`: the kernel reports an event even if it could not open the event's file for the listener, with the
//!   errno in the place of the descriptor. Without this flag there is an errno of read(2) at most. With or without it the
//!   kernel refuses the open that waits ([c:fd-error], in 6.12.5).
//! - `FAN_DENY_ERRNO`: a listener of `FAN_CLASS_PRE_CONTENT` chooses among some errnos ([c:deny-errno]). Here all are tried,
//!   in answers to nobody.
//! - `FAN_PRE_ACCESS`: the kernel asks before contents are read, written, mapped or truncated ([c:pre-access]).
//! - `FAN_INFO`: an answer names the rule that made it, for the audit log ([c:response-info]).
//! - `FAN_REPORT_MNT`, with a mark of a mount namespace: the kernel reports new mounts ([c:mount-events]). The listener can
//!   then mark them as well, but nothing promises that it does before a program is started there (`policy/marks`).
//!
//! See fanotify_init(2) and fanotify_mark(2).

use nix::errno::Errno;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags};

use crate::observer::fanotify::{Class, Group, Ids, can_deny_with_errno, errnos_of_choice};
use crate::scenario::{Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a listener can ask the kernel for",
    needs: &[needs::DISK],
    run,
    ..Scenario::DEFAULT
};

/// Of include/uapi/linux/fanotify.h; `FAN_REPORT_MNT` is for the class of plain notifications.
const FLAGS: [(&str, u32); 4] = [
    ("FAN_REPORT_TID", 0x104),
    ("FAN_REPORT_PIDFD", 0x84),
    ("FAN_REPORT_FD_ERROR", 0x2004),
    ("FAN_REPORT_MNT", 0x4000),
];
const PRE_ACCESS: u64 = 0x10_0000;

fn run(system: &mut System) -> anyhow::Result<()> {
    let _disk = system.disk()?;
    for (name, bits) in FLAGS {
        let group = Fanotify::init(InitFlags::from_bits_retain(bits), EventFFlags::O_RDONLY);
        system.fact(name, told(group.map(drop)))?;
    }
    let errno = if can_deny_with_errno() {
        "there"
    } else {
        "EINVAL"
    };
    system.fact("FAN_DENY_ERRNO", errno)?;
    for (name, class) in [
        ("FAN_CLASS_PRE_CONTENT", Class::PreContent),
        ("FAN_CLASS_CONTENT", Class::Content),
    ] {
        let group = Group::new(Ids::Process, class)?;
        let taken = errnos_of_choice(&group).map(|errno| format!("{errno:?}"));
        let taken = taken.collect::<Vec<_>>().join(" ");
        let taken = if taken.is_empty() { "none" } else { &taken };
        system.fact(&format!("errnos that {name} may choose"), taken)?;
    }
    system.fact("FAN_INFO", told(answer_with_rule()))?;
    for (place, path) in [("tmpfs", "/tmp"), ("ext4", crate::scenario::DISK)] {
        let group = Group::new(Ids::Process, Class::PreContent)?;
        let mark = group.watch_filesystem_for(std::path::Path::new(path), PRE_ACCESS);
        system.fact(&format!("FAN_PRE_ACCESS on {place}"), told(mark))?;
    }
    Ok(())
}

/// An answer to nobody that names a rule: valid, or not understood (`process_access_response` in
/// fs/notify/fanotify/fanotify_user.c).
fn answer_with_rule() -> Result<(), Errno> {
    let class = InitFlags::FAN_CLASS_CONTENT;
    let group = Fanotify::init(class, EventFFlags::O_RDONLY)?;
    // Nobody's descriptor; FAN_ALLOW with FAN_INFO; then the type FAN_RESPONSE_INFO_AUDIT_RULE, its 16 bytes,
    // the rule's number, that subject and object are trusted.
    let words = [u32::MAX, 0x21, 16 << 16 | 1, 1, 1, 1];
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    nix::unistd::write(&group, &bytes).map(drop)
}

fn told(result: Result<(), Errno>) -> String {
    result.map_or_else(|errno| format!("{errno:?}"), |()| "there".to_owned())
}
