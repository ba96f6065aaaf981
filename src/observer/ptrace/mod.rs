//! A tracer (ptrace(2)) that a filter (seccomp(2)) calls at each execve and execveat, and nowhere else.
//!
//! It changes what it watches: the child puts the filter on itself, a process can have one tracer, and whoever
//! has the filter and no tracer executes nothing. So it has a pass of its own. The tracer is a process that
//! the runner forks for each watch; it writes down what it sees while the tracee stands still, and the
//! monitor's hook writes down each step, so that the order of both is the kernel's own.

mod tracer;

use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::look::show_cgroups;
use super::notes::Notes;
use super::{Held, HeldHook, Kind, Observer, OnHeld, WATCHED, Watch, broken};
use crate::event::{self, Raw, Report};
use crate::need::{Host, Need};
use crate::sys::{self, ForkResult};
use crate::trail::LabKind;
use crate::wire::{Failure, Lost, Submit, until};

/// One tracer a watch.
pub const KIND: Kind = Kind {
    name: "ptrace-seccomp",
    needs: &[
        Need::vm("a virtual machine: the filter takes CAP_SYS_ADMIN"),
        Need {
            what: "filters of system calls (CONFIG_SECCOMP_FILTER)",
            host: Host::Config("CONFIG_SECCOMP_FILTER"),
            probe: |_| std::fs::exists("/proc/sys/kernel/seccomp/actions_avail").unwrap_or(false),
        },
    ],
    wants: &[],
    takes: Some(WATCHED),
    make: || Box::new(Ptrace::default()),
};

/// The abstract socket at which the tracer listens.
const NAME: &str = "exetrail-tracer";

/// What is written down, by the tracer and by the hook.
#[derive(Debug, Serialize, Deserialize)]
enum Note {
    /// The monitor holds somebody at the next step.
    Step,
    /// The tracer saw this.
    Saw(Raw),
    /// Every tracee has ended.
    End,
    /// The tracer failed.
    Failed(String),
}

/// A tracer for each watch.
#[derive(Debug, Default)]
struct Ptrace {
    watch: Option<(Tracer, Notes)>,
}

impl Observer for Ptrace {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        show_cgroups().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let begin = || {
            let notes = Notes::new()?;
            let (tracer, hook) = (Tracer::start(notes.share()?)?, notes.share()?);
            Ok((tracer, hook, notes))
        };
        let (tracer, hook, notes) = begin().map_err(broken)?;
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(Steps(hook)),
        });
        watch.submits.push(Submit::Tracer(NAME.to_owned()));
        self.watch = Some((tracer, notes));
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let Some((tracer, notes)) = self.watch.take() else {
            return Ok(None);
        };
        let raw = tracer
            .wait(watch.deadline)
            .and_then(|()| told(notes.all()?));
        let report = Report {
            events: event::place(&watch.run, raw.map_err(broken)?),
            ..Report::default()
        };
        super::Statement::told(&report, Lost::default())
    }

    fn abandon(&mut self) {
        self.watch = None;
    }
}

/// The events of the notes, each with the number of steps before it.
fn told(notes: Vec<Note>) -> Result<Vec<Raw>> {
    let (mut steps, mut events, mut ended) = (0, Vec::new(), false);
    for note in notes {
        match note {
            Note::Step => steps += 1,
            Note::Saw(raw) => events.push(Raw {
                after: Some(steps),
                ..raw
            }),
            Note::End => ended = true,
            Note::Failed(reason) => bail!("{reason}"),
        }
    }
    match ended {
        true => Ok(events),
        false => Err(anyhow!("the tracer did not come to its end")),
    }
}

/// The hook that the monitor calls.
#[derive(Debug)]
struct Steps(Notes);

impl OnHeld for Steps {
    fn held(&mut self, _: Held<'_>) -> Result<()> {
        self.0.add(&Note::Step)
    }
}

/// The tracer's process; killed when dropped, which lets its tracees go.
#[derive(Debug)]
struct Tracer(Pid);

impl Tracer {
    /// Forks one that waits for its first tracee.
    fn start(mut notes: Notes) -> Result<Tracer> {
        let address = SocketAddr::from_abstract_name(NAME).context("failed to name the tracer")?;
        let listener = UnixListener::bind_addr(&address).context("failed to listen as a tracer")?;
        match sys::fork().context("failed to fork the tracer")? {
            ForkResult::Child => {
                // Only for whoever looks at the process list.
                let _ = nix::sys::prctl::set_name(c"tracer");
                let end = match tracer::trace(listener, &mut notes) {
                    Ok(()) => Note::End,
                    Err(error) => Note::Failed(format!("the tracer: {error:#}")),
                };
                // Who cannot write it down has no end, which is noticed.
                let _ = notes.add(&end);
                sys::exit_now(0);
            }
            ForkResult::Parent { child } => Ok(Tracer(child)),
        }
    }

    /// Waits until it has ended.
    fn wait(&self, deadline: Instant) -> Result<()> {
        let fd = sys::pidfd_open(self.0.as_raw()).context("failed to wait for the tracer")?;
        loop {
            let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, until(deadline)) {
                Ok(0) => bail!("the tracer still has tracees"),
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("failed to wait for the tracer"),
            }
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // It is our child and not reaped yet, so the id is its own.
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Fields;

    fn saw() -> Note {
        Note::Saw(Raw {
            kind: event::Kind::Exec,
            source: "x".into(),
            tid: 1,
            pid: None,
            child: None,
            after: None,
            fields: Fields::new(),
        })
    }

    #[test]
    fn an_event_comes_after_the_steps_that_were_written_before_it() {
        let raw = told(vec![Note::Step, saw(), Note::Step, saw(), Note::End]).unwrap();
        assert_eq!([raw[0].after, raw[1].after], [Some(1), Some(2)]);
    }

    #[test]
    fn a_tracer_without_an_end_is_not_believed() {
        assert!(told(vec![saw()]).is_err());
        assert!(told(vec![Note::Failed("x".into()), Note::End]).is_err());
    }
}
