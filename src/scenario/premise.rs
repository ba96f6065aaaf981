//! Inputs of the model, read while the child is stopped just before execve.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::execs::is_in_first_namespace;
use super::{Exec, FileView, Inspected, running_kernel};
use crate::model::{
    self, Answer, BinfmtEntry, Call, Caller, Either, Files as _, KernelEnding, Node, Recording,
    Target, World,
};
use crate::proc::{Descriptor, Stat, Status, everybody, text};
use crate::sys;
use crate::trail::{own_comm, printable};

/// A call, and the files that it finds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Premise {
    /// The call.
    pub call: Call,
    /// The files, as the child sees them.
    pub world: World,
}

/// What surrounds the starts of a scenario.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// What is in the files, read before the watch began.
    pub contents: &'a Inspected,
    /// What is watched.
    pub watched: Vec<PathBuf>,
    /// What is registered with binfmt_misc, the newest first.
    pub formats: &'a [BinfmtEntry],
}

impl Surroundings<'_> {
    /// Looks at a child, and at the files that its call will come to; none for a call that the
    /// model is not told of.
    pub(super) fn look(&self, exec: &Exec, pid: i32) -> Option<Premise> {
        let mut call = exec.model(caller(pid)?)?;
        call.formats = self.formats.to_vec();
        // A helper of the kernel is started outside of the native lab, and not in our trail.
        if is_in_first_namespace().ok()? {
            let modprobe = text("/proc/sys/kernel/modprobe").unwrap_or_default();
            modprobe.trim().clone_into(&mut call.modprobe);
        }
        if let Target::At {
            fd: Some(fd),
            cloexec,
            ..
        } = &mut call.target
        {
            let found = u64::try_from(*fd)
                .ok()
                .and_then(|fd| Descriptor::of(pid, fd));
            *cloexec = found.is_some_and(|found| found.closes);
        }
        let view = FileView::of(u32::try_from(pid).ok()?, self.contents, &self.watched);
        for format in &mut call.formats {
            if let Some(file) = &mut format.fixed {
                let same = |node: &Node| matches!(node, Node::File(found) if found.id == file.id);
                if !view.node(&file.name).as_ref().is_some_and(same) {
                    file.name.push_str(" (deleted)");
                }
            }
        }
        let mut opened = World::default();
        if let Some(path) = exec.opens() {
            // Where that fails, the call is not made.
            if call.caller.no_descriptor {
                return None;
            }
            let node = model::readable(&view, &call.caller, &path)?;
            opened.0.insert("/proc/self/fd/3".to_owned(), Some(node));
        }
        let either = Either(&opened, &view);
        let files = Recording::new(&either);
        let kernel = running_kernel()?;
        // Whatever is answered later: these are the files that matter.
        let mut allow = |_: &model::PredictedStep| Answer::Go;
        if let KernelEnding::Runs(running) = model::exec(&files, &call, kernel, &mut allow) {
            model::load(&files, &running, &mut allow);
        }
        let world = files.seen();
        Some(Premise { call, world })
    }
}

/// `CAP_DAC_OVERRIDE` of capabilities(7), as a bit.
const OVERRIDE: u64 = 1 << 1;
/// `CAP_DAC_READ_SEARCH`, likewise.
const READ_SEARCH: u64 = 1 << 2;

fn caller(pid: i32) -> Option<Caller> {
    use std::os::unix::ffi::OsStrExt as _;
    let own = format!("/proc/{pid}");
    let link = |name: &str| {
        let path = fs::read_link(format!("{own}/{name}")).ok()?;
        Some(printable(path.as_os_str().as_bytes()))
    };
    let status = Status::read(pid)?;
    let limits = Status::limits(pid)?;
    // The first of the four ids is the real one, the second the effective one.
    let id = |name: &str, which| u32::try_from(status.number(name, which)?).ok();
    let limit = |name: &str| {
        limits.value(name)?;
        // "unlimited"
        Some(limits.number(name, 0).unwrap_or(u64::MAX))
    };
    let (uid, real) = (id("Uid:", 1)?, id("Uid:", 0)?);
    let unmapped = link("ns/user")? != fs::read_link("/proc/self/ns/user").ok()?.to_string_lossy();
    let groups = status.value("Groups:")?.split_ascii_whitespace();
    let root = link("root")?;
    let cwd = link("cwd")?;
    let stat = Stat::read(pid)?;
    let descriptors = Descriptor::all(pid);
    Some(Caller {
        exe: link("exe")?,
        comm: own_comm(&printable(&stat.comm)),
        uid,
        gid: id("Gid:", 1)?,
        real: (real, id("Gid:", 0)?),
        groups: groups.filter_map(|id| id.parse().ok()).collect(),
        overrides: status.bits("CapEff:")? & OVERRIDE != 0 && !unmapped,
        reads: status.bits("CapEff:")? & READ_SEARCH != 0 && !unmapped,
        no_new_privileges: status.number("NoNewPrivs:", 0) == Some(1),
        unmapped,
        cwd: within(&root, cwd),
        processes: stat
            .has_too_many_processes()
            .then(|| (limit("Max processes").unwrap_or(u64::MAX), processes(real))),
        no_files: uid != 0 && no_files(),
        bounding: status.bits("CapBnd:")?,
        inheritable: status.bits("CapInh:")?,
        stack: limit("Max stack size")?,
        space: limit("Max address space")?,
        protects_links: setting("fs/protected_symlinks") == Some(1),
        no_descriptor: !has_number_left(&descriptors, limit("Max open files")?),
        large_table: has_large_table(pid, &descriptors),
    })
}

/// A path as a process calls it that has this root; one that is not below it stays as it is.
fn within(root: &str, path: String) -> String {
    match Path::new(&path).strip_prefix(root) {
        Ok(inner) => format!("/{}", inner.display()),
        Err(_) => path,
    }
}

/// A number below `/proc/sys`.
fn setting(name: &str) -> Option<u64> {
    let value = text(format!("/proc/sys/{name}")).ok()?;
    value.trim().parse().ok()
}

/// Whether one of the numbers below the limit is free when the exec has closed what it closes.
fn has_number_left(descriptors: &[Descriptor], limit: u64) -> bool {
    let kept = descriptors
        .iter()
        .filter(|found| found.number < limit && !found.closes);
    (kept.count() as u64) < limit
}

/// Whether the process shares its table with another one, and a copy would be too large: `dup_fd` in
/// fs/file.c, which counts in words.
fn has_large_table(pid: i32, descriptors: &[Descriptor]) -> bool {
    const WORD: u64 = 64;
    let most = setting("fs/nr_open").unwrap_or(u64::MAX);
    let is_large = descriptors
        .iter()
        .map(|found| found.number)
        .max()
        .is_some_and(|last| last / WORD > most.saturating_sub(1) / WORD);
    let shares = |other: i32| other != pid && sys::share_descriptors(pid, other);
    is_large && everybody().any(shares)
}

/// How many processes a user has, by the real ids: what the kernel counts.
fn processes(uid: u32) -> u64 {
    let own = everybody().filter(|pid| {
        let real = Status::read(*pid).and_then(|status| status.number("Uid:", 0));
        real == Some(u64::from(uid))
    });
    own.count() as u64
}

/// Whether the system has as many files open as it may.
fn no_files() -> bool {
    let numbers = text("/proc/sys/fs/file-nr").unwrap_or_default();
    let mut numbers = numbers.split_ascii_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.nth(1)) {
        (Some(Ok(open)), Some(Ok(most))) => open >= most,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_directory_beside_the_root_is_not_below_it() {
        let of = |path: &str| within("/tmp/a", path.to_owned());
        assert_eq!((&*of("/tmp/a/b"), &*of("/tmp/a")), ("/b", "/"));
        assert_eq!(of("/tmp/ab"), "/tmp/ab");
        assert_eq!(within("/", "/b".to_owned()), "/b");
    }
}
