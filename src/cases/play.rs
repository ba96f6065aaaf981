//! Plays a case, as a scenario would.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::libc;
use nix::mount::{MsFlags, mount};

use super::caller;
use crate::case::{
    self, By, Case, CaseExec, CaseMount, Content, Deny, Fd, Kind, Made, Open, Program, Then, Way,
};
use crate::need::NAMED;
use crate::scenario::needs::{BINFMT_MISC_LOADER, DENY_ERRNO};
use crate::scenario::{Closed, Elf, Exec, System};
use crate::sys::{self, FileCapabilities, Spawn};
use crate::trail::LabKind;
use crate::wire::{Act, FILES};

/// Makes what surrounds a case and executes its program.
///
/// # Errors
///
/// A file cannot be made, or what comes before the call fails.
pub fn play(case: &Case, system: &mut System) -> Result<()> {
    surround(case, system)?;
    let _writers = set_up(case, system)?;
    if let Some(path) = closed(case) {
        bail!("{path} cannot be opened before the call");
    }
    match execute(case, system)? {
        Some(idle) => bail!(idle),
        None => Ok(()),
    }
}

/// As [`play`], but executes nothing where the kernel lacks what the case needs, or a file is not there that
/// is to be opened before, and takes a refusal that came to nothing, as it happens to generated cases.
///
/// # Errors
///
/// As for [`play`].
pub fn attempt(case: &Case, system: &mut System) -> Result<()> {
    if !is_possible(case) {
        return Ok(());
    }
    surround(case, system)?;
    if !can_register(case) {
        return Ok(());
    }
    let _writers = set_up(case, system)?;
    match closed(case).or(unreachable(case)) {
        Some(_) => Ok(()),
        None => execute(case, system).map(drop),
    }
}

/// Whether this kernel has what the case needs; the cases are played in virtual machines alone.
fn is_possible(case: &Case) -> bool {
    let needs = case.needs.iter();
    let mut needs = needs.filter_map(|name| NAMED.iter().find(|(known, _)| known == name));
    let errno = matches!(case.deny, Some(Deny::Errno(..)));
    let mut formats = case.formats.iter();
    let newest = formats.any(|format| {
        let flags = format.rule.rsplit(':').next().unwrap_or_default();
        flags.contains(['L', 'T'])
    });
    needs.all(|(_, need)| (need.probe)(LabKind::Vm))
        && (!errno || (DENY_ERRNO.probe)(LabKind::Vm))
        && (!newest || (BINFMT_MISC_LOADER.probe)(LabKind::Vm))
}

/// A directory that the caller is to be in and that is not there, in its root.
fn unreachable(case: &Case) -> Option<&str> {
    let root = case.exec.chroot.as_deref();
    if let Some(root) = root.filter(|root| !Path::new(root).is_dir()) {
        return Some(root);
    }
    let directory = case.exec.directory.as_deref()?;
    let inside = format!("{}{directory}", root.unwrap_or_default());
    (!Path::new(&inside).is_dir()).then_some(directory)
}

/// Whether the interpreters can be opened that entries of binfmt_misc keep open (`F`).
fn can_register(case: &Case) -> bool {
    let fixed = case.formats.iter().filter_map(|format| {
        let (rest, flags) = format.rule.rsplit_once(':')?;
        let (_, path) = rest.rsplit_once(':')?;
        flags.contains('F').then_some(path)
    });
    let executable = |path: &str| {
        let meta = fs::metadata(path);
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let written = case.files.iter().any(|made| made.written);
    let noexec = case
        .mounts
        .iter()
        .any(|mount| mount.options.contains(&"noexec".to_owned()));
    let mut fixed = fixed.peekable();
    fixed.peek().is_none() || !written && !noexec && fixed.all(executable)
}

/// Makes the files and mounts of a case.
fn surround(case: &Case, system: &mut System) -> Result<()> {
    for (number, one) in (1..).zip(&case.mounts) {
        mounted(one, number, system)
            .with_context(|| format!("failed to mount {:?} on {}", one.kind, one.at))?;
    }
    for made in &case.files {
        make(made, system).with_context(|| format!("failed to make {}", made.path))?;
    }
    Ok(())
}

/// Changes what a case changes of the system; the files that are returned are open for writing.
fn set_up(case: &Case, system: &mut System) -> Result<Vec<File>> {
    for format in &case.formats {
        system.format(&format.name, &format.rule)?;
    }
    for (name, value) in &case.sysctl {
        let place = name.replace('.', "/");
        match caller::is_late(name) {
            // It is put back by the runner, and set by the child.
            true => system.sysctl(&place, fs::read_to_string(caller::setting(name))?.trim())?,
            false => system.sysctl(&place, value)?,
        }
    }
    for path in &case.watch {
        system.watch_also(path);
    }
    let written = case.files.iter().filter(|made| made.written);
    let written = written.map(|made| {
        let open = OpenOptions::new().append(true).open(&made.path);
        open.with_context(|| format!("failed to open {} for writing", made.path))
    });
    written.collect()
}

/// What the case opens before its call and is not there to be opened.
fn closed(case: &Case) -> Option<&str> {
    let fd = case.exec.fd.as_ref()?;
    let meta = fs::metadata(&fd.path);
    let path_only = fd.flags.contains(&Open::Path);
    let opens = meta.is_ok_and(|meta| match fd.memory {
        true => meta.is_file(),
        false => path_only || meta.is_file() || meta.is_dir(),
    });
    (!opens).then_some(&fd.path)
}

/// Executes the program, and says so where the event that was to be refused never came.
fn execute(case: &Case, system: &mut System) -> Result<Option<String>> {
    let exec = exec(case)?;
    let (act, nth) = match &case.deny {
        None => return system.observe(&exec).map(|_| None),
        Some(Deny::Each) => return system.refuse_each(&exec).map(|()| None),
        Some(Deny::Event(nth)) => (Act::Deny, *nth),
        Some(Deny::Always(nth)) => (Act::File, *nth),
        Some(Deny::Errno(nth, name)) => {
            let errno = case::errno(name).context("no errno")?;
            (Act::Errno(errno as i32), *nth)
        }
        Some(Deny::Path(words)) => {
            let seen = system.look("allow all", &exec)?;
            let events = (1..).zip(&seen.events);
            let meant: Vec<_> = events
                .filter(|(_, event)| event.starts_with(words))
                .collect();
            ensure!(
                !meant.is_empty(),
                "no event begins with {words:?}; there are: {}",
                seen.events.join(", ")
            );
            for (nth, event) in meant {
                system.refuse(&exec, Act::Deny, nth, event)?;
            }
            return Ok(None);
        }
    };
    let seen = system.refuse(&exec, act, nth, "whatever it is")?;
    Ok((seen.events.len() < nth).then(|| {
        format!(
            "deny refuses nothing: there is no event {nth}; there are: {}",
            seen.events.join(", ")
        )
    }))
}

/// Has the runner remove what is made there, outside of `/tmp`, which is emptied anyhow.
fn announce(path: &Path, system: &mut System) -> Result<()> {
    let mut above: Vec<_> = path.ancestors().collect();
    above.reverse();
    let missing = above
        .into_iter()
        .find(|place| place.symlink_metadata().is_err());
    match missing {
        Some(place) if place.starts_with("/tmp") => Ok(()),
        Some(place) => system.will_make(place),
        None => Ok(()),
    }
}

fn mounted(one: &CaseMount, number: usize, system: &mut System) -> Result<()> {
    let at = Path::new(&one.at);
    if !at.is_dir() {
        announce(at, system)?;
        fs::create_dir_all(at)?;
    }
    let mut flags = MsFlags::empty();
    for option in &one.options {
        flags |= match option.as_str() {
            "noexec" => MsFlags::MS_NOEXEC,
            "nosuid" => MsFlags::MS_NOSUID,
            "nodev" => MsFlags::MS_NODEV,
            "ro" => MsFlags::MS_RDONLY,
            other => bail!("there is no option {other}"),
        };
    }
    let none = None::<&str>;
    let from = one.from.as_deref();
    match one.kind {
        Kind::Tmpfs => mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some("mode=0755"))?,
        Kind::Bind => {
            mount(from, at, none, MsFlags::MS_BIND, none)?;
            if !flags.is_empty() {
                mount(
                    none,
                    at,
                    none,
                    flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT,
                    none,
                )?;
            }
        }
        Kind::Overlay => {
            let place = |name: &str| format!("/tmp/.overlay-{number}/{name}");
            for name in ["upper", "work"] {
                fs::create_dir_all(place(name))?;
            }
            let layers = format!(
                "lowerdir={},upperdir={},workdir={}",
                from.unwrap_or(&one.at),
                place("upper"),
                place("work")
            );
            mount(
                Some("overlay"),
                at,
                Some("overlay"),
                flags,
                Some(layers.as_str()),
            )?;
        }
    }
    Ok(())
}

fn make(made: &Made, system: &mut System) -> Result<()> {
    let path = Path::new(&made.path);
    ensure!(path.symlink_metadata().is_err(), "it is there already");
    announce(path, system)?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let copied =
        |from: &Path| fs::read(from).with_context(|| format!("failed to read {}", from.display()));
    match made.content().context("nothing says what it is")? {
        Content::Text(text) => fs::write(path, text)?,
        Content::Copy(from) => fs::write(path, copied(Path::new(from))?)?,
        Content::Host(name) => fs::write(path, copied(&Path::new(FILES).join(name))?)?,
        Content::Link(target) => std::os::unix::fs::symlink(target, path)?,
        Content::Hardlink(other) => fs::hard_link(other, path)?,
        Content::Directory => fs::create_dir_all(path)?,
        Content::Program(program) => fs::write(path, elf(program).build())?,
    }
    if let Some((user, group)) = made.owner {
        lchown(path, Some(user), Some(group))?;
    }
    let mode = match made.symlink.is_some() || made.hardlink.is_some() {
        true => made.mode,
        false => Some(made.mode.unwrap_or(0o755)),
    };
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    let sets = made
        .capabilities
        .iter()
        .filter_map(|word| case::file_capability(word));
    let all = sets.reduce(|all, one| FileCapabilities {
        permitted: all.permitted | one.permitted,
        inheritable: all.inheritable | one.inheritable,
        effective: all.effective | one.effective,
    });
    match all {
        None => Ok(()),
        Some(all) => {
            let path = CString::new(made.path.as_str()).context("a NUL in a path")?;
            Ok(sys::set_file_capability_sets(&path, all)?)
        }
    }
}

fn elf(program: &Program) -> Elf {
    let mut elf = if program.narrow {
        Elf::new_32()
    } else {
        Elf::new()
    };
    if let Some(interpreter) = &program.interpreter {
        elf = elf.interpreter_bytes(interpreter.as_bytes());
    }
    for library in &program.needed {
        elf = elf.needs(library);
    }
    if let Some(path) = &program.second {
        elf = elf.second_interpreter(path);
    }
    if let Some(path) = &program.runpath {
        elf = elf.runpath(path);
    }
    if let Some(path) = &program.rpath {
        elf = elf.rpath(path);
    }
    elf = elf.unused_headers(program.unused_headers.into());
    match program.flaw {
        Some(flaw) => elf.flaw(flaw),
        None => elf,
    }
}

fn exec(whole: &Case) -> Result<Exec> {
    let case = &whole.exec;
    let mut exec = match case.call {
        Way::Execve => by(case)?,
        Way::Int80 => Exec::by("execve by int $0x80", &case.path, |args| {
            args.execve_narrow()
        })?
        .itself(),
        Way::Fexecve => Exec::descriptor(&case.path)?,
        Way::Execveat => {
            let path = CString::new(case.path.as_str()).context("a NUL in a path")?;
            let fd = case.fd.as_ref().map_or(libc::AT_FDCWD, |fd| fd.number);
            let what = match case.path.is_empty() {
                true => format!("fd {fd}"),
                false => case.path.clone(),
            };
            let flags = case.flags.iter().filter_map(|word| case::flag(word));
            let flags = flags.fold(0, |all, flag| all | flag);
            Exec::at("execveat", what, fd, &path, flags)?
        }
    };
    if let Some(fd) = &case.fd {
        exec = opened(exec, fd)?;
        if is_older(whole, fd) {
            let closed = match fd.flags.contains(&Open::Cloexec) {
                true => Closed::ByExec,
                false => Closed::ByExit,
            };
            exec = exec.older(&fd.path, closed);
        }
    }
    if let Some(name) = &case.argv0 {
        exec = exec.argv(&[name])?;
    }
    if case.no_arguments {
        exec = exec.argv(&[])?;
    }
    for argument in &case.arguments {
        exec = exec.arg(argument)?;
    }
    for (name, value) in &case.environment {
        exec = exec.set(name, value)?;
    }
    caller::become_it(caller::limit_all(exec, whole), case)
}

fn by(case: &CaseExec) -> Result<Exec> {
    let path = &case.path;
    Ok(match case.by {
        By::Itself => Exec::path(path)?,
        By::Thread => Exec::by("execve in a thread", path, |args| {
            args.execve_in_thread("worker")
        })?
        .itself(),
        By::Vfork => Exec::spawned("vfork", path, Spawn::Vfork)?,
        By::PosixSpawn => Exec::spawned("posix_spawn", path, Spawn::PosixSpawn)?,
        By::CloneVm => Exec::spawned("clone with CLONE_VM", path, Spawn::SharedMemory)?,
    })
}

/// Whether it is a descriptor of an overlay's file that was copied up since.
fn is_older(case: &Case, fd: &Fd) -> bool {
    let path = Path::new(&fd.path);
    let is_over = |mount: &CaseMount| mount.kind == Kind::Overlay && path.starts_with(&mount.at);
    fd.then == Then::Written
        // What closes such a one flushes nothing.
        && !fd.flags.contains(&Open::Path)
        && !fd.memory
        && case.mounts.iter().any(is_over)
        // What the case makes there is in the upper layer from the start.
        && case.files.iter().all(|made| made.path != fd.path)
}

fn opened(exec: Exec, fd: &Fd) -> Result<Exec> {
    let mut flags = OFlag::O_RDONLY;
    flags.set(OFlag::O_PATH, fd.flags.contains(&Open::Path));
    flags.set(OFlag::O_CLOEXEC, fd.flags.contains(&Open::Cloexec));
    let number = fd.number;
    let exec = match fd.memory {
        true => {
            let bytes =
                fs::read(&fd.path).with_context(|| format!("failed to read {}", fd.path))?;
            exec.before(move || caller::in_memory(number, &bytes, flags))
        }
        false => exec.opened(number, &fd.path, flags),
    };
    let path = fd.path.clone();
    Ok(match fd.then {
        Then::Kept => exec,
        Then::Closed => exec.before(move || Ok(nix::unistd::close(number)?)),
        Then::Deleted => exec.before(move || {
            let directory = Path::new(&path).symlink_metadata()?.is_dir();
            let result = match directory {
                true => fs::remove_dir(&path),
                false => fs::remove_file(&path),
            };
            result.with_context(|| format!("failed to delete {path}"))
        }),
        Then::Renamed => exec.before(move || {
            let context = || format!("failed to rename {path}");
            fs::rename(&path, format!("{path}.renamed")).with_context(context)
        }),
        Then::Written => exec.before(move || {
            let context = || format!("failed to open {path} for writing");
            OpenOptions::new()
                .append(true)
                .open(&path)
                .map(drop)
                .with_context(context)
        }),
    })
}
