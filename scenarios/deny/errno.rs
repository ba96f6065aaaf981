//! Refusals with an errno that a listener of class `FAN_CLASS_PRE_CONTENT` chooses (`FAN_DENY_ERRNO`).
//!
//! Seven are let through (`process_access_response` in fs/notify/fanotify/fanotify_user.c): EPERM,
//! EIO, EBUSY, ETXTBSY, EAGAIN, ENOSPC and EDQUOT (all others are tried in `policy/listener_features`). Before the point of no return the caller of
//! execve gets it, where an open is refused (of a refused read of program headers it gets another one, `policy/reads`); the loader
//! looks for libc once more after EIO as it does after EPERM (`deny/program`).
//! Only a group of the class `FAN_CLASS_PRE_CONTENT` may choose (likewise).
//!
//! Source: [c:deny-errno].

use nix::errno::Errno;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "refusals with an errno of choice",
    needs: &[needs::DENY_ERRNO],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?;
    for errno in [
        Errno::EPERM,
        Errno::EIO,
        Errno::EBUSY,
        Errno::ETXTBSY,
        Errno::EAGAIN,
        Errno::ENOSPC,
        Errno::EDQUOT,
    ] {
        for (nth, event) in [(1, "execute of the program"), (4, "open of the loader")] {
            system.refuse(&exec, Act::Errno(errno as i32), nth, event)?;
        }
    }
    system.refuse(&exec, Act::Errno(Errno::EIO as i32), 6, "open of libc")?;
    Ok(())
}
