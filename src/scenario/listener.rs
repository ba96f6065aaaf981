//! Listeners of a scenario's own: what they hear of a start, where the monitor would not do.
//!
//! Nothing of it is a trail: what was heard becomes facts. The scenario watches a file system that it
//! has mounted, and never one that it needs itself.

use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::observer::fanotify::{Class, Group, Ids};
use crate::sys::{self, ForkResult};

/// What begins the exit status of a child whose call has failed; the errno is added.
pub(super) const FAILED: i32 = 100;
/// The exit status of a child that failed before its call.
const UNPREPARED: i32 = 99;

/// One listener: what it is called in facts, its group, and its answer.
#[derive(Debug)]
pub struct Listener {
    /// Its name.
    pub name: &'static str,
    /// Its group, with its marks.
    pub group: Group,
    /// What it refuses of what it is asked.
    pub refuses: Refuses,
}

/// What a listener refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuses {
    /// Nothing: it lets everybody go on.
    Nothing,
    /// Whatever it is asked.
    Everything,
    /// One event, so many after the next one.
    After(usize),
}

impl Refuses {
    /// Whether the event that comes now is refused.
    fn next(&mut self) -> bool {
        match self {
            Refuses::Nothing => false,
            Refuses::Everything => true,
            Refuses::After(0) => {
                *self = Refuses::Nothing;
                true
            }
            Refuses::After(left) => {
                *left -= 1;
                false
            }
        }
    }
}

/// Forks a child that makes a call which starts a program, or fails.
///
/// # Errors
///
/// It cannot be forked.
pub fn fork_start(start: impl FnOnce() -> nix::Result<()>) -> Result<Pid> {
    match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            let failed = start().err().unwrap_or(Errno::UnknownErrno);
            sys::exit_now(FAILED + failed as i32)
        }
        ForkResult::Parent { child } => Ok(child),
    }
}

/// What comes before the call in such a child, and must not fail: its errno would be taken for the call's. Who reaps
/// the child is told.
pub fn prepared<T>(done: nix::Result<T>) -> T {
    done.unwrap_or_else(|_| sys::exit_now(UNPREPARED))
}

/// How such a child ended, in words.
///
/// # Errors
///
/// It cannot be waited for, or failed before its call.
pub fn reap(child: Pid) -> Result<String> {
    Ok(match waitpid(child, None).context("failed to wait")? {
        WaitStatus::Exited(_, UNPREPARED) => bail!("a child failed before its call"),
        WaitStatus::Exited(_, status) if status > FAILED => {
            format!("errno {:?}", Errno::from_raw(status - FAILED))
        }
        WaitStatus::Exited(_, status) => format!("exit {status}"),
        WaitStatus::Signaled(_, signal, _) => format!("signal {signal}"),
        other => format!("{other:?}"),
    })
}

/// Makes a call in a child while these listeners answer, and says in one line what each of them was
/// asked, in order, and how the child ended.
///
/// # Errors
///
/// The child cannot be forked, or a group fails.
pub fn hear(listeners: &mut [Listener], start: impl FnOnce() -> nix::Result<()>) -> Result<String> {
    let (events, child) = heard(listeners, start)?;
    Ok(format!("{events}; {}", reap(child)?))
}

/// As [`hear`], of a program that may end with any exit status: one of 99 or more is no errno here.
///
/// # Errors
///
/// As for [`hear`].
pub fn hear_program(
    listeners: &mut [Listener],
    start: impl FnOnce() -> nix::Result<()>,
) -> Result<String> {
    let (events, child) = heard(listeners, start)?;
    let end = match waitpid(child, None).context("failed to wait")? {
        WaitStatus::Exited(_, status) => format!("exit {status}"),
        other => format!("{other:?}"),
    };
    Ok(format!("{events}; {end}"))
}

/// What the listeners were asked, and the child, which has ended and is not reaped.
fn heard(
    listeners: &mut [Listener],
    start: impl FnOnce() -> nix::Result<()>,
) -> Result<(String, Pid)> {
    let child = fork_start(start)?;
    let end = sys::pidfd_open(child.as_raw()).context("failed to open a pidfd")?;
    let mut heard = Vec::new();
    loop {
        let mut fds = vec![PollFd::new(end.as_fd(), PollFlags::POLLIN)];
        let groups = listeners.iter().map(|listener| listener.group.as_fd());
        fds.extend(groups.map(|group| PollFd::new(group, PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait for events"),
        }
        let ended = fds.first().and_then(PollFd::any) == Some(true);
        for listener in &mut *listeners {
            heard.extend(answer(listener)?);
        }
        if ended {
            break;
        }
    }
    let events = match heard.is_empty() {
        true => "no event".to_owned(),
        false => heard.join(", "),
    };
    Ok((events, child))
}

/// As [`hear`], by one listener that watches this file alone and allows everything.
///
/// # Errors
///
/// As for [`hear`], or the file cannot be watched.
pub fn hear_of(file: &Path, start: impl FnOnce() -> nix::Result<()>) -> Result<String> {
    let group = Group::new(Ids::Process, Class::Content)?;
    group.watch_inode(file)?;
    let listener = Listener {
        name: "",
        group,
        refuses: Refuses::Nothing,
    };
    hear(&mut [listener], start)
}

/// Answers what waits for a listener, and says what it was.
///
/// # Errors
///
/// The group fails, or its queue has overflowed.
pub fn answer(listener: &mut Listener) -> Result<Vec<String>> {
    let mut heard = Vec::new();
    for event in listener.group.read()? {
        ensure!(event.fd >= 0, "the queue of a listener has overflowed");
        let file = sys::adopt_fd(event.fd);
        let name = listener.name;
        let asked = match event.part {
            Some((offset, length)) => format!("pre-access {offset}+{length}").into(),
            None => event.mask.name(),
        };
        let name = if name.is_empty() {
            String::new()
        } else {
            format!(" asks {name}")
        };
        match listener.refuses.next() {
            true => {
                listener.group.deny(file.as_fd(), None)?;
                heard.push(format!("{asked}{name} (refused)"));
            }
            false => {
                listener.group.allow(file.as_fd())?;
                heard.push(format!("{asked}{name}"));
            }
        }
    }
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use super::Refuses;

    #[test]
    fn one_event_alone_is_refused() {
        let mut refuses = Refuses::After(1);
        let refused: Vec<bool> = (0..4).map(|_| refuses.next()).collect();
        assert_eq!(refused, [false, true, false, false]);
    }
}
