//! Plays a case, as a scenario would.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sys::resource::{getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, chdir, setgroups, setresgid, setresuid};

use crate::case::{self, Case, CaseMount, Content, Deny, Kind, Made, Open, Program, Way};
use crate::scenario::{Elf, Exec, System};
use crate::sys;
use crate::wire::{Act, FILES};

/// Makes what surrounds a case and executes its program.
///
/// # Errors
///
/// A file cannot be made, or what comes before the call fails.
pub fn play(case: &Case, system: &mut System) -> Result<()> {
    prepare(case, system)?;
    if let Some(path) = closed(case) {
        bail!("{path} cannot be opened before the call");
    }
    execute(case, system)
}

/// As [`play`], but executes nothing where a file that is to be opened before is not there, as it happens
/// to generated cases.
///
/// # Errors
///
/// As for [`play`].
pub fn attempt(case: &Case, system: &mut System) -> Result<()> {
    prepare(case, system)?;
    match closed(case) {
        Some(_) => Ok(()),
        None => execute(case, system),
    }
}

fn prepare(case: &Case, system: &mut System) -> Result<()> {
    for (number, one) in (1..).zip(&case.mounts) {
        mounted(one, number, system)
            .with_context(|| format!("failed to mount {:?} on {}", one.kind, one.at))?;
    }
    for made in &case.files {
        make(made, system).with_context(|| format!("failed to make {}", made.path))?;
    }
    for format in &case.formats {
        system.format(&format.name, &format.rule)?;
    }
    for (name, value) in &case.sysctl {
        system.sysctl(&name.replace('.', "/"), value)?;
    }
    for path in &case.watch {
        system.watch_also(path);
    }
    Ok(())
}

/// What the case opens before its call and is not there to be opened.
fn closed(case: &Case) -> Option<&str> {
    let fd = case.exec.fd.as_ref()?;
    let meta = fs::metadata(&fd.path);
    let path_only = fd.flags.contains(&Open::Path);
    let opens = meta.is_ok_and(|meta| path_only || meta.is_file() || meta.is_dir());
    (!opens).then_some(&fd.path)
}

fn execute(case: &Case, system: &mut System) -> Result<()> {
    let exec = exec(&case.exec)?;
    match &case.deny {
        None => system.observe(&exec).map(drop),
        Some(Deny::Each) => system.refuse_each(&exec),
        Some(Deny::Event(nth)) => system
            .refuse(&exec, Act::Deny, *nth, "whatever it is")
            .map(drop),
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
            Ok(())
        }
    }
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
        Content::Directory => fs::create_dir_all(path)?,
        Content::Program(program) => fs::write(path, elf(program).build())?,
    }
    if let Some((user, group)) = made.owner {
        lchown(path, Some(user), Some(group))?;
    }
    if made.symlink.is_none() {
        let mode = made.mode.unwrap_or(0o755);
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    let numbers = made
        .capabilities
        .iter()
        .filter_map(|name| case::capability(name));
    let set = numbers.fold(0, |set, number| set | 1 << number);
    match set {
        0 => Ok(()),
        set => {
            let path = CString::new(made.path.as_str()).context("a NUL in a path")?;
            Ok(sys::set_file_capabilities(&path, set)?)
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
    if let Some(path) = &program.runpath {
        elf = elf.runpath(path);
    }
    match program.flaw {
        Some(flaw) => elf.flaw(flaw),
        None => elf,
    }
}

fn exec(case: &case::CaseExec) -> Result<Exec> {
    let mut exec = match case.call {
        Way::Execve => Exec::path(&case.path)?,
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
        let mut open = OFlag::O_RDONLY;
        open.set(OFlag::O_PATH, fd.flags.contains(&Open::Path));
        open.set(OFlag::O_CLOEXEC, fd.flags.contains(&Open::Cloexec));
        exec = exec.opened(fd.number, &fd.path, open);
    }
    if let Some(name) = &case.argv0 {
        exec = exec.argv(&[name])?;
    }
    for argument in &case.arguments {
        exec = exec.arg(argument)?;
    }
    for (name, value) in &case.environment {
        exec = exec.set(name, value)?;
    }
    let limits: Vec<_> = case
        .limits
        .iter()
        .filter_map(|(name, value)| Some((case::limit(name)?, *value)))
        .collect();
    let directory = case.directory.clone();
    let user = case.user.map(|user| (user, case.group.unwrap_or(user)));
    Ok(exec.before(move || {
        if let Some(directory) = &directory {
            chdir(directory.as_str())
                .with_context(|| format!("failed to change to {directory}"))?;
        }
        for (which, value) in &limits {
            let (_, hard) = getrlimit(*which)?;
            setrlimit(*which, *value, hard.max(*value))?;
        }
        if let Some((user, group)) = user {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            setgroups(&[])?;
            setresgid(group, group, group)?;
            setresuid(user, user, user)?;
        }
        Ok(())
    }))
}
