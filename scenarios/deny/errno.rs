//! A listener of class `FAN_CLASS_PRE_CONTENT` denies with an errno that it chooses (`FAN_DENY_ERRNO`).
//!
//! The kernel accepts seven (`process_access_response` in fs/notify/fanotify/fanotify_user.c): EPERM, EIO, EBUSY, ETXTBSY,
//! EAGAIN, ENOSPC and EDQUOT. It accepts them from a group of that class only (the same function). `policy/listener_features`
//! tries all others.
//!
//! Where the listener denies an open before the point of no return, the caller of execve gets the chosen errno. (Where it
//! denies a read of program headers, the caller gets another one: `policy/reads`.) After EIO, as after EPERM, the loader
//! looks for libc once more (`deny/program`).
//!
//! Source: [c:deny-errno].

use nix::errno::Errno;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies with an errno that it chooses",
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
