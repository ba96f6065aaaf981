//! A program start, as a scenario says it.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::Args;
use crate::model::{self, Closed};
use crate::subject::{ROLE, Role, STATE, is_known_state};
use crate::sys::{self, Spawn};

/// How a program is started: the call, what it is given, and what the child does before.
///
/// The child that makes the call has a fixed environment (`PATH`, `HOME` and `SHELL`), `/` as its working
/// directory, umask 022, `/dev/null` as its three standard descriptors and no other open one.
#[derive(Clone)]
pub struct Exec {
    call: &'static str,
    path: CString,
    argv: Vec<CString>,
    environment: Vec<CString>,
    before: Vec<Before>,
    make: Make,
    helper: Option<String>,
    telling: Option<Role>,
    fields: String,
    target: Option<Named>,
    /// A child of the child makes the call.
    spawn: Option<Spawn>,
    filtered: Option<Errno>,
    older: Option<model::Older>,
}

/// What a call names, for the model; the child itself makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The scenario's path.
    Path,
    /// The descriptor 3, which the call itself opens: the scenario's path.
    Opened,
    /// A path from a descriptor, or the descriptor itself.
    At {
        fd: RawFd,
        path: CString,
        flags: i32,
    },
}

/// An ordinary user, of whom there is no other process.
pub const USER: u32 = 1000;

/// What the child does before the call.
type Before = Rc<dyn Fn() -> Result<()>>;
/// The call itself.
type Make = Rc<dyn Fn(&Args<'_>) -> nix::Result<()>>;

impl Exec {
    /// execve(2) of a path; its first argument is the path.
    ///
    /// # Errors
    ///
    /// A path with a NUL in it.
    pub fn path(path: impl AsRef<Path>) -> Result<Exec> {
        Ok(Exec::by("execve", path, |args| args.execve())?.itself())
    }

    /// fexecve(3) of a path: open it, then execveat(2) with an empty path on that descriptor, 3.
    ///
    /// The opening belongs to what is observed.
    ///
    /// # Errors
    ///
    /// A path with a NUL in it.
    pub fn descriptor(path: impl AsRef<Path>) -> Result<Exec> {
        let mut exec = Exec::by("fexecve", path, |args| {
            let file = open(args.path(), OFlag::O_RDONLY, Mode::empty());
            // The open comes before the call, also where it is refused and there is none.
            args.begin();
            let file = file?;
            args.execveat(file.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
        })?;
        exec.target = Some(Named::Opened);
        Ok(exec)
    }

    /// execveat(2) with a descriptor that the child has, or `AT_FDCWD`; `call` and `what` name it
    /// in the trail.
    ///
    /// # Errors
    ///
    /// A NUL in what the call is given.
    pub fn at(
        call: &'static str,
        what: impl AsRef<Path>,
        fd: RawFd,
        path: &CStr,
        flags: i32,
    ) -> Result<Exec> {
        let path = path.to_owned();
        let named = path.clone();
        let mut exec = Exec::by(call, what, move |args| args.execveat(fd, &named, flags))?;
        exec.target = Some(Named::At { fd, path, flags });
        Ok(exec)
    }

    /// The child itself becomes the program at the path: the model may predict it.
    #[must_use]
    pub fn itself(mut self) -> Exec {
        self.target = Some(Named::Path);
        self
    }

    /// execve(2) of a path in a child that shares the memory of its parent, which then ends as it ended.
    ///
    /// # Errors
    ///
    /// A path with a NUL in it.
    pub fn spawned(call: &'static str, path: impl AsRef<Path>, way: Spawn) -> Result<Exec> {
        let mut exec = Exec::by(call, path, move |args| args.spawn(way))?.itself();
        exec.spawn = Some(way);
        Ok(exec)
    }

    /// Has a filter answer the call with this errno (seccomp(2)); the model is told of it, because it cannot see it.
    #[must_use]
    pub fn filtered(mut self, errno: Errno) -> Exec {
        self.filtered = Some(errno);
        self.before(move || Ok(sys::filter_execve(errno)?))
    }

    /// The child has a descriptor of this file of an overlay that is older than the file's copy; the model is told of
    /// it, because it cannot see it.
    #[must_use]
    pub fn older(mut self, path: &str, closed: Closed) -> Exec {
        let path = path.to_owned();
        self.older = Some(model::Older { path, closed });
        self
    }

    /// Any way of starting a program; `call` and `what` name it in the trail.
    ///
    /// `make` runs in the child. When it fails, its errno is the end of the process in the trail;
    /// when it returns without having become a program, the end is `exit 0`.
    ///
    /// # Errors
    ///
    /// A NUL in what the call is given.
    pub fn by(
        call: &'static str,
        what: impl AsRef<Path>,
        make: impl Fn(&Args<'_>) -> nix::Result<()> + 'static,
    ) -> Result<Exec> {
        use std::os::unix::ffi::OsStrExt as _;
        let what = what.as_ref();
        let path = CString::new(what.as_os_str().as_bytes())
            .with_context(|| format!("a NUL in the path {}", what.display()))?;
        let environment = [c"PATH=/usr/bin:/bin", c"HOME=/root", c"SHELL=/usr/bin/bash"];
        Ok(Exec {
            call,
            argv: vec![path.clone()],
            path,
            environment: environment.map(ToOwned::to_owned).into(),
            before: Vec::new(),
            make: Rc::new(make),
            helper: None,
            telling: None,
            target: None,
            spawn: None,
            filtered: None,
            older: None,
            fields: String::new(),
        })
    }

    /// Adds an argument.
    ///
    /// # Errors
    ///
    /// A NUL in it.
    pub fn arg(mut self, argument: &str) -> Result<Exec> {
        self.argv
            .push(CString::new(argument).context("a NUL in an argument")?);
        Ok(self)
    }

    /// Replaces all arguments, the first one too; it may have none.
    ///
    /// # Errors
    ///
    /// A NUL in one.
    pub fn argv(mut self, arguments: &[&str]) -> Result<Exec> {
        let arguments = arguments.iter().map(|argument| CString::new(*argument));
        self.argv = arguments
            .collect::<Result<_, _>>()
            .context("a NUL in an argument")?;
        Ok(self)
    }

    /// Takes all variables out of the environment.
    #[must_use]
    pub fn bare(mut self) -> Exec {
        self.environment.clear();
        self
    }

    /// Adds an environment variable.
    ///
    /// # Errors
    ///
    /// A NUL in it.
    pub fn env(mut self, name: &str, value: &str) -> Result<Exec> {
        let variable = CString::new(format!("{name}={value}")).context("a NUL in a variable")?;
        self.environment.push(variable);
        Ok(self)
    }

    /// Sets an environment variable, in the place of one of that name.
    ///
    /// # Errors
    ///
    /// A NUL in it.
    pub fn set(mut self, name: &str, value: &str) -> Result<Exec> {
        let own = format!("{name}=");
        self.environment
            .retain(|variable| !variable.as_bytes().starts_with(own.as_bytes()));
        self.env(name, value)
    }

    /// Takes a library into the environment for the loader, where there is one; who names a library himself has
    /// that one alone.
    ///
    /// # Errors
    ///
    /// A NUL in it.
    pub(super) fn preloaded(self, library: &str) -> Result<Exec> {
        let named = |variable: &CString| variable.as_bytes().starts_with(b"LD_PRELOAD=");
        match self.environment.is_empty() || self.environment.iter().any(named) {
            true => Ok(self),
            false => self.env("LD_PRELOAD", library),
        }
    }

    /// Has the child do this before it makes the call: another directory, user, namespace, limit.
    ///
    /// It runs under observation. When it fails the scenario is broken, whatever the call would do.
    #[must_use]
    pub fn before(mut self, prepare: impl Fn() -> Result<()> + 'static) -> Exec {
        self.before.push(Rc::new(prepare));
        self
    }

    /// Has an ordinary user make the call: no capability, one group.
    #[must_use]
    pub fn as_user(self) -> Exec {
        let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
        self.before(move || {
            setgroups(&[])?;
            setresgid(group, group, group)?;
            Ok(setresuid(user, user, user)?)
        })
    }

    /// Has the child open a path before the call, as this descriptor; that is observed as well.
    #[must_use]
    pub fn opened(self, number: RawFd, path: impl AsRef<Path>, flags: OFlag) -> Exec {
        let path = path.as_ref().to_owned();
        self.before(move || {
            let context = || format!("failed to open {}", path.display());
            let file =
                open(&path, flags | OFlag::O_CLOEXEC, Mode::empty()).with_context(context)?;
            match flags.contains(OFlag::O_CLOEXEC) {
                true => sys::place_fd(file.as_fd(), number),
                false => sys::lend_fd(file.as_fd(), number),
            }
            .with_context(context)
        })
    }

    /// The kernel starts this helper by itself and nobody waits for it: the watch ends when it was
    /// seen to open this path and has ended.
    #[must_use]
    pub fn helper(mut self, path: &str) -> Exec {
        self.helper = Some(path.to_owned());
        self
    }

    /// The program, or what it becomes, is a copy of ours (see [`super::System::ours`]) in this role.
    ///
    /// # Errors
    ///
    /// None that a constant role has.
    pub fn role(mut self, role: Role) -> Result<Exec> {
        self.telling = Some(role);
        self.env(ROLE, role.name())
    }

    /// The program is a copy of ours that says what it finds of its own state; when the call
    /// fails, the caller says what it finds of its own.
    ///
    /// # Errors
    ///
    /// A field that nobody knows; `subject::state` has them all.
    pub fn reports(mut self, fields: &[&str]) -> Result<Exec> {
        for field in fields {
            ensure!(is_known_state(field), "nobody can report {field}");
        }
        self.fields = fields.join(",");
        let names = self.fields.clone();
        self.env(STATE, &names)?.role(Role::State)
    }

    /// Name of the call, for the trail.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// What it is given, for the trail.
    #[must_use]
    pub fn what(&self) -> String {
        crate::trail::printable(self.path.as_bytes())
    }

    /// The helper that is waited for.
    #[must_use]
    pub fn awaited(&self) -> Option<&str> {
        self.helper.as_deref()
    }

    /// Whether the child itself is to become the program.
    pub(super) fn is_itself(&self) -> bool {
        self.target.is_some() && self.spawn.is_none()
    }

    /// Whether the program will say something of itself.
    pub(super) fn is_telling(&self) -> bool {
        matches!(
            self.telling,
            Some(Role::Report | Role::State | Role::Disguise | Role::DisguiseUnprivileged)
        )
    }

    /// What the caller says of its own state when the call has failed, parted by commas.
    pub(super) fn fields(&self) -> &str {
        &self.fields
    }

    /// The path that the call itself opens, to execute it by its descriptor.
    pub(super) fn opens(&self) -> Option<String> {
        let path = self.path.to_string_lossy().into_owned();
        (self.target == Some(Named::Opened)).then_some(path)
    }

    /// The call as the model is told of it; none where the child does something else.
    pub(super) fn model(&self, caller: model::Caller) -> Option<model::Call> {
        let text = |string: &CString| string.to_string_lossy().into_owned();
        let target = match self.target.clone()? {
            Named::Path => model::Target::Path(text(&self.path)),
            Named::Opened => model::Target::At {
                fd: Some(3),
                path: String::new(),
                flags: libc::AT_EMPTY_PATH,
                cloexec: false,
            },
            Named::At { fd, path, flags } => model::Target::At {
                fd: (fd != libc::AT_FDCWD).then_some(fd),
                path: path.to_string_lossy().into_owned(),
                flags,
                cloexec: false,
            },
        };
        Some(model::Call {
            target,
            argv: self.argv.iter().map(text).collect(),
            environment: self.environment.iter().map(text).collect(),
            by: match self.spawn {
                None => model::By::Itself,
                Some(_) => model::By::Child { tells: true },
            },
            filtered: self.filtered.map(|errno| format!("{errno:?}")),
            older: self.older.clone(),
            caller,
            formats: Vec::new(),
            modprobe: String::new(),
        })
    }

    /// Does what comes before the call, in the child.
    pub(super) fn prepare(&self) -> Result<()> {
        self.before.iter().try_for_each(|prepare| prepare())
    }

    /// Makes the call, in the child; returns when it failed or has started nothing here.
    pub(super) fn make(&self) -> nix::Result<()> {
        (self.make)(&Args::new(&self.path, &self.argv, &self.environment))
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: &CStr = &self.path;
        write!(f, "{} {path:?} {:?}", self.call, self.argv)
    }
}
