//! A program with file capabilities, started by a user without any.
//!
//! As for a set-user-ID program nothing in the events tells it from another one: the capabilities
//! come from an extended attribute that the kernel reads by itself (`get_file_caps` in
//! security/commoncap.c). The loader runs in secure mode because `AT_SECURE` is set.
//!
//! See capabilities(7), "File capabilities".

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;

use nix::unistd::{Uid, setuid};

use crate::scenario::{Exec, Scenario, Stage};
use crate::sys::set_attribute;

pub const SCENARIO: Scenario = Scenario {
    summary: "program with file capabilities started by another user",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let program = stage.copy("/usr/bin/true", "capable")?;
    // VFS_CAP_REVISION_2 with the effective bit, then permitted and inheritable: CAP_NET_RAW.
    let words = [0x0200_0001_u32, 1 << 13, 0, 0, 0];
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = CString::new(program.as_os_str().as_bytes())?;
    set_attribute(&path, c"security.capability", &value)?;
    let exec = Exec::path(program)?.env("LD_PRELOAD", "/lib/x86_64-linux-gnu/libaudit.so.1")?;
    stage.observe(&exec.before(|| Ok(setuid(Uid::from_raw(65534))?)))?;
    Ok(())
}
