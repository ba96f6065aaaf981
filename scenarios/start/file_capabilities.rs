//! A program with file capabilities, started by a user without any.
//!
//! As with a set-user-ID program, no path, exe or comm tells it from another one: the kernel reads the capabilities by
//! itself from an extended attribute (`get_file_caps` in security/commoncap.c).
//!
//! The loader runs in secure mode because `AT_SECURE` is set, and ignores `LD_PRELOAD` with a slash in it. Without the
//! capabilities it opens the library (the fact: what a listener of the library alone hears).
//!
//! See [c:capabilities-of-files].

use std::ffi::CString;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Uid, setuid};

use crate::scenario::{Exec, Scenario, System, give_net_raw, hear_of, needs, prepared};
use crate::sys::Invocation;

pub const SCENARIO: Scenario = Scenario {
    summary: "program with file capabilities started by another user",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

const LIBRARY: &str = "/lib/x86_64-linux-gnu/libaudit.so.1";

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.copy("/usr/bin/true", "capable")?;
    let heard = hear_of(Path::new(LIBRARY), || {
        prepared(setuid(Uid::from_raw(65534)));
        let preload = CString::new(format!("LD_PRELOAD={LIBRARY}")).map_err(|_| Errno::EINVAL)?;
        Invocation::new(&[c"capable".to_owned()], &[preload]).execve(c"/tmp/capable")
    })?;
    system.fact("the library, without the capabilities", heard)?;
    give_net_raw(&program)?;
    let exec = Exec::path(program)?.env("LD_PRELOAD", LIBRARY)?;
    system.observe(&exec.before(|| Ok(setuid(Uid::from_raw(65534))?)))?;
    Ok(())
}
