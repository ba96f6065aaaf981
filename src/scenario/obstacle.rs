//! Reasons for a start to fail, two at a time: which one is the caller told?
//!
//! Scenarios `contract/order_*` use this. What stands here as the order is what the newest kernel
//! does; a kernel that tells the other of two contradicts the claim. The caller is an ordinary user each time, so that
//! two that meet differ from one alone by the other one, and one alone from a start by itself.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, pipe2, read, setuid, write};

use super::{Elf, Evidence, Exec, Flaw, NET_RAW, System, USER, give_net_raw};
use crate::sys::{self, ForkResult};
use crate::trail::How;

macro_rules! obstacles {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Obstacle {
            $($(#[$doc])* $name,)*
        }

        impl Obstacle {
            /// The order in which the newest kernel finds them.
            pub const ORDER: &[Obstacle] = &[$(Obstacle::$name),*];
        }
    };
}

// In the order in which the newest kernel finds them.
obstacles! {
    /// The user has too many processes.
    Processes,
    /// The pointer to the path leads nowhere.
    Filename,
    /// The system has too many open files.
    Files,
    /// A directory on the way is closed to the user.
    Search,
    /// The file is not there.
    Missing,
    /// A file stands where a directory should.
    Prefix,
    /// A link leads to itself.
    Loop,
    /// The file is not executable.
    Mode,
    /// The file is open for writing.
    Writer,
    /// The pointer to the array of arguments leads nowhere.
    Argv,
    /// The pointer to the array of variables leads nowhere.
    Envp,
    /// A variable is too long.
    LongVariable,
    /// An argument is too long.
    LongArgument,
    /// The file has no known format.
    Format,
    /// The ELF interpreter is not there.
    Interpreter,
    /// The ELF interpreter has no known format.
    InterpreterFormat,
    /// The file has a capability that the bounding set lacks.
    Capability,
}

use Obstacle::*;

/// What an obstacle is about: of two about the same there can be only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Which file is meant.
    Path,
    /// The directory that the file is in.
    Directory,
    /// What is in the file.
    Content,
    /// The file itself, in any other way.
    File,
    Arguments,
    Variables,
    /// The caller and the system.
    Caller,
}

impl Obstacle {
    /// In words, and what the caller is told when there is no other.
    fn told(self) -> (&'static str, Errno) {
        match self {
            Filename => ("filename not mapped", Errno::EFAULT),
            Processes => ("too many processes", Errno::EAGAIN),
            Files => ("too many open files", Errno::ENFILE),
            Search => ("closed directory", Errno::EACCES),
            Missing => ("missing file", Errno::ENOENT),
            Prefix => ("file in the prefix", Errno::ENOTDIR),
            Loop => ("link to itself", Errno::ELOOP),
            Mode => ("no x bit", Errno::EACCES),
            Writer => ("open for writing", Errno::ETXTBSY),
            Argv => ("argv not mapped", Errno::EFAULT),
            Envp => ("envp not mapped", Errno::EFAULT),
            LongVariable => ("variable too long", Errno::E2BIG),
            LongArgument => ("argument too long", Errno::E2BIG),
            Format => ("unknown format", Errno::ENOEXEC),
            Interpreter => ("missing ELF interpreter", Errno::ENOENT),
            InterpreterFormat => ("ELF interpreter of unknown format", Errno::ELIBBAD),
            Capability => ("capability that is not allowed", Errno::EPERM),
        }
    }

    fn about(self) -> About {
        match self {
            Filename | Missing | Prefix | Loop => About::Path,
            Search => About::Directory,
            Format | Interpreter | InterpreterFormat => About::Content,
            Mode | Writer | Capability => About::File,
            Argv | LongArgument => About::Arguments,
            Envp | LongVariable => About::Variables,
            Processes | Files => About::Caller,
        }
    }

    /// Whether both can be there at once, and can be told apart.
    fn goes_with(self, other: Obstacle) -> bool {
        let (one, two) = (self.about(), other.about());
        let same = one == two && !matches!(one, About::File | About::Caller);
        // Where no file is found there is nothing that could be wrong with it.
        let file = |about| matches!(about, About::Directory | About::Content | About::File);
        let nowhere = one == About::Path && file(two) || two == About::Path && file(one);
        !same && !nowhere && self.told().1 != other.told().1
    }

    /// This one with each that stands behind it in the order and that it goes with.
    #[must_use]
    pub fn pairs(self) -> Vec<(Obstacle, Obstacle)> {
        let order = Obstacle::ORDER.iter().copied();
        let behind = order.skip_while(|one| *one != self).skip(1);
        let met = behind.filter(|other| self.goes_with(*other));
        met.map(|other| (self, other)).collect()
    }
}

/// Has two obstacles meet, pair by pair, and says of each claim, which is about one of them, whether the first of each
/// pair is the one that is told; then has each that met another be alone.
///
/// `pairs` are those of a claim, such as [`Obstacle::pairs`].
///
/// # Errors
///
/// As for [`System::look`], or an obstacle that is alone is told otherwise: then it was none in its pair either.
pub fn come_first(
    system: &mut System,
    claims: &[(&'static str, Obstacle)],
    pairs: impl Fn(Obstacle) -> Vec<(Obstacle, Obstacle)>,
) -> Result<()> {
    let mut met = Vec::new();
    for (id, about) in claims {
        let mut claim = Evidence::new(id);
        for (first, other) in pairs(*about) {
            let (what, errno) = first.told();
            let what = format!("{what} + {}", other.told().0);
            let how = meet(system, &what, &[first, other])?;
            claim.stated(&what, How::Errno(format!("{errno:?}")), how);
            met.extend([first, other]);
        }
        system.verdict(&claim)?;
    }
    alone(system, &met)
}

/// The other side: with nothing in the way the program starts, and each obstacle is told where it is the only one.
fn alone(system: &mut System, met: &[Obstacle]) -> Result<()> {
    let starts = ("nothing in the way", vec![], How::Exit(0));
    let each = Obstacle::ORDER.iter().filter(|one| met.contains(one));
    let each = each.map(|one| {
        let (what, errno) = one.told();
        (what, vec![*one], How::Errno(format!("{errno:?}")))
    });
    for (what, obstacles, wanted) in [starts].into_iter().chain(each) {
        let how = meet(system, what, &obstacles)?;
        ensure!(how == wanted, "{what}: {how}, not {wanted}");
    }
    Ok(())
}

/// How a start with these obstacles in its way ends.
fn meet(system: &mut System, what: &str, obstacles: &[Obstacle]) -> Result<How> {
    let exec = exec(system, obstacles)?;
    let seen = system.look(what, &exec)?;
    if obstacles.contains(&Files) {
        // Sockets are counted too: the limit must not be reached when the next monitor is made.
        system.sysctl("fs/file-max", "100000")?;
    }
    Ok(seen.how)
}

/// A start with these obstacles in its way.
fn exec(system: &mut System, obstacles: &[Obstacle]) -> Result<Exec> {
    let is = |one: Obstacle| obstacles.contains(&one);
    let file = file(system, obstacles)?;
    let path = match obstacles.iter().find(|one| one.about() == About::Path) {
        Some(Missing) => "/tmp/none".into(),
        Some(Prefix) => "/tmp/program/x".into(),
        Some(Loop) => "/tmp/itself".into(),
        _ => file.clone(),
    };
    let mut exec = with_memory(path, obstacles)?;
    if is(Writer) {
        exec = exec.opened(5, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC);
    }
    if is(Capability) {
        exec = exec.before(|| {
            sys::prctl(libc::PR_CAPBSET_DROP, NET_RAW)?;
            Ok(())
        });
    }
    if is(Processes) {
        exec = exec.before(|| {
            company()?;
            company()?;
            Ok(setrlimit(Resource::RLIMIT_NPROC, 1, 1)?)
        });
    }
    if is(Files) {
        // The old limit is noted before the child changes it.
        system.sysctl("fs/file-max", "100000")?;
        exec = exec.before(|| Ok(std::fs::write(FILE_MAX, "0")?));
    }
    Ok(exec.as_user())
}

/// Makes the program, and what else stands in its way among the files.
fn file(system: &mut System, obstacles: &[Obstacle]) -> Result<PathBuf> {
    let is = |one: Obstacle| obstacles.contains(&one);
    let content = if is(Format) {
        b"no format\n".to_vec()
    } else if is(Interpreter) {
        Elf::new().interpreter("/tmp/none").build()
    } else if is(InterpreterFormat) {
        system.file("ld", &Elf::new().flaw(Flaw::Machine).build(), 0o755)?;
        Elf::new().interpreter("/tmp/ld").build()
    } else {
        Elf::new().build()
    };
    let mode = if is(Mode) { 0o644 } else { 0o755 };
    let name = if is(Search) {
        "closed/program"
    } else {
        "program"
    };
    let file = system.file(name, &content, mode)?;
    if is(Search) {
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions("/tmp/closed", closed)?;
    }
    if is(Capability) {
        give_net_raw(&file)?;
    }
    if is(Loop) && Path::new("/tmp/itself").symlink_metadata().is_err() {
        system.link("itself", "itself")?;
    }
    Ok(file)
}

/// A call with the obstacles that are in the caller's memory: pointers, arguments and variables.
fn with_memory(path: PathBuf, obstacles: &[Obstacle]) -> Result<Exec> {
    let is = |one: Obstacle| obstacles.contains(&one);
    let (filename, argv, envp) = (is(Filename), is(Argv), is(Envp));
    let mut exec = Exec::by("execve", path, move |args| {
        args.execve_at(|at| {
            let nowhere = 8;
            at.path = if filename { nowhere } else { at.path };
            at.argv = if argv { nowhere } else { at.argv };
            at.environment = if envp { nowhere } else { at.environment };
        })
    })?;
    if !(filename || argv || envp) {
        exec = exec.itself();
    }
    let long = "x".repeat(1 << 17);
    if is(LongArgument) {
        exec = exec.arg(&long)?;
    }
    if is(LongVariable) {
        exec = exec.env("V", &long)?;
    }
    Ok(exec)
}

const FILE_MAX: &str = "/proc/sys/fs/file-max";

/// Has the ordinary user another process, which ends with this one; for the child that makes a
/// call.
///
/// # Errors
///
/// It cannot be forked, or cannot become the user's.
pub fn company() -> Result<()> {
    let (ready, tell) = pipe2(OFlag::O_CLOEXEC)?;
    if let ForkResult::Child = sys::fork()? {
        drop(ready);
        let stay = setuid(Uid::from_raw(USER)).and_then(|()| sys::die_with_parent());
        let stay = stay.and_then(|()| write(&tell, b"1"));
        while stay.is_ok() {
            nix::unistd::pause();
        }
        sys::exit_now(1);
    }
    drop(tell);
    ensure!(
        read(&ready, &mut [0])? == 1,
        "the user's other process has failed"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obstacle_meets_those_behind_it() {
        assert!(Missing.pairs().contains(&(Missing, LongArgument)));
        assert!(Missing.pairs().iter().all(|(first, _)| *first == Missing));
        assert!(!Missing.pairs().contains(&(Missing, Processes)));
    }

    #[test]
    fn a_missing_file_cannot_be_open_for_writing() {
        assert!(!Missing.goes_with(Writer));
        assert!(Missing.goes_with(LongArgument));
    }

    #[test]
    fn what_gives_the_same_errno_cannot_be_told_apart() {
        assert!(!Argv.goes_with(Envp));
        assert!(!LongArgument.goes_with(LongVariable));
    }
}
