//! What the process of a case does to itself before it makes the call.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, chdir, chroot, setgroups, setresgid, setresuid};

use crate::case::{self, Case, CaseExec as Described, Namespace};
use crate::scenario::Exec;
use crate::sys;

/// Has the child become the caller that is described.
///
/// # Errors
///
/// None that a checked case has.
pub fn become_it(exec: Exec, case: &Described) -> Result<Exec> {
    let limits: Vec<_> = case
        .limits
        .iter()
        .filter_map(|(name, value)| Some((case::limit(name)?, *value)))
        .collect();
    let dropped = case
        .dropped
        .iter()
        .filter_map(|name| case::capability(name));
    let dropped: Vec<_> = dropped.collect();
    let inheritable = case
        .inheritable
        .iter()
        .filter_map(|name| case::capability(name));
    let inheritable = inheritable.fold(0, |set, number| set | 1 << number);
    let case_of_child = case.clone();
    let exec = exec.before(move || {
        let case = &case_of_child;
        if let Some(root) = &case.chroot {
            chroot(root.as_str()).with_context(|| format!("failed to make {root} the root"))?;
            chdir("/")?;
        }
        if let Some(directory) = &case.directory {
            chdir(directory.as_str())
                .with_context(|| format!("failed to change to {directory}"))?;
        }
        for (which, value) in &limits {
            let (_, hard) = getrlimit(*which)?;
            setrlimit(*which, *value, hard.max(*value))?;
        }
        // What is not in the bounding set cannot be made inheritable, and stays.
        if inheritable != 0 {
            sys::set_inheritable(inheritable)?;
        }
        for capability in &dropped {
            sys::prctl(libc::PR_CAPBSET_DROP, *capability)?;
        }
        if case.namespaces.contains(&Namespace::Mount) {
            unshare(CloneFlags::CLONE_NEWNS)?;
        }
        identify(case)?;
        if case.namespaces.contains(&Namespace::User) {
            unshare(CloneFlags::CLONE_NEWUSER)?;
        }
        if case.no_new_privileges {
            sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
        }
        Ok(())
    });
    Ok(match case.filtered.as_deref().and_then(case::errno) {
        Some(errno) => exec.filtered(errno),
        None => exec,
    })
}

/// Settings that would limit the lab as well: the child sets them when everything else is ready.
const LATE: [&str; 2] = ["fs.file-max", "fs.nr_open"];

/// Whether a setting is one of those.
pub fn is_late(name: &str) -> bool {
    LATE.iter().any(|late| name.replace('/', ".") == *late)
}

/// The file of a setting.
pub fn setting(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name.replace('.', "/"))
}

/// Has the child set what limits the whole system, before it becomes somebody else.
pub fn limit_all(exec: Exec, case: &Case) -> Exec {
    let settings = case.sysctl.iter().filter(|(name, _)| is_late(name));
    let settings: Vec<_> = settings
        .map(|(name, value)| (setting(name), value.clone()))
        .collect();
    exec.before(move || {
        for (file, value) in &settings {
            fs::write(file, value)
                .with_context(|| format!("failed to write {}", file.display()))?;
        }
        Ok(())
    })
}

fn identify(case: &Described) -> Result<()> {
    let groups: Vec<_> = case.groups.iter().map(|id| Gid::from_raw(*id)).collect();
    if case.user.is_some() || !groups.is_empty() {
        setgroups(&groups)?;
    }
    if let Some(user) = case.user {
        let group = Gid::from_raw(case.group.unwrap_or(user));
        setresgid(group, group, group)?;
        let user = Uid::from_raw(user);
        setresuid(user, user, user)?;
    }
    Ok(())
}

/// Has a descriptor lead to these bytes in memory.
pub fn in_memory(number: RawFd, bytes: &[u8], flags: OFlag) -> Result<()> {
    let name = CString::new("memory")?;
    let memory = memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC)?;
    File::from(memory.try_clone()?).write_all(bytes)?;
    match flags.contains(OFlag::O_CLOEXEC) {
        true => sys::place_fd(memory.as_fd(), number),
        false => sys::lend_fd(memory.as_fd(), number),
    }?;
    Ok(())
}
