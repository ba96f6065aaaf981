//! The tracer's side: it seizes one process, follows what that starts (but with CLONE_UNTRACED), and ends when all have ended.
//!
//! A tracee stops where its filter says so (`PTRACE_EVENT_SECCOMP`), where an exec has come about, where it starts
//! something, and for each signal but SIGKILL; from a stop of the filter it goes on to the end of the call, which tells the
//! result. Nothing is opened here but files of `/proc`, which nobody watches.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::Note;
use crate::event::{CUT, Child, Field, Fields, Kind, Raw, listed, told};
use crate::observer::look::look;
use crate::observer::notes::Notes;
use crate::proc::Status;
use crate::stages::errno;
use crate::sys::{self, Stopped};
use crate::trail::printable;

/// Events of ptrace(2), by their numbers in include/uapi/linux/ptrace.h.
const FORK: i32 = 1;
const VFORK: i32 = 2;
const CLONE: i32 = 3;
const EXEC: i32 = 4;
const SECCOMP: i32 = 7;
const STOP: i32 = 128;

/// Bytes of a path that are read (`PATH_MAX`), those of an argument, and how many arguments.
const LONGEST: usize = 4096;
const ARGUMENT: usize = 128;
const MOST: usize = 32;

/// Traces the process that comes to this socket, and what it starts.
pub fn trace(listener: UnixListener, notes: &mut Notes) -> Result<()> {
    let (mut child, _) = listener.accept().context("failed to wait for a tracee")?;
    drop(listener);
    let peer = getsockopt(&child, sockopt::PeerCredentials).context("failed to ask who it is")?;
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACESECCOMP;
    ptrace::seize(Pid::from_raw(peer.pid()), options).context("failed to seize")?;
    child
        .write_all(&[1])
        .context("failed to let the tracee go on")?;
    drop(child);
    let mut tracees = Tracees::default();
    tracees.told.insert(Pid::from_raw(peer.pid()));
    loop {
        let (tid, status) = match sys::reap(None, WaitPidFlag::__WALL) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(None) | Err(Errno::EINTR) => continue,
            Ok(Some(heard)) => heard,
            Err(errno) => return Err(errno).context("failed to wait for tracees"),
        };
        match WaitStatus::from_raw(tid, status.into_raw()) {
            Ok(status) => tracees.hear(status, notes)?,
            // A real-time signal, for which nix has no name.
            Err(_) => tracees.hear_real_time(tid, status, notes)?,
        }
    }
}

fn has_gone_on(result: nix::Result<()>) -> Result<()> {
    match result {
        // It was killed meanwhile, which is told next.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno).context("failed to let a tracee go on"),
    }
}

/// The threads that are traced.
#[derive(Debug, Default)]
struct Tracees {
    /// The process of each that was heard of.
    process: BTreeMap<Pid, i32>,
    /// Those of whom it was told who started them.
    told: BTreeSet<Pid>,
    /// New ones that stand still until that is told, so that nothing of theirs comes before it.
    waiting: BTreeSet<Pid>,
}

impl Tracees {
    fn hear(&mut self, status: WaitStatus, notes: &mut Notes) -> Result<()> {
        let gone_on = match status {
            WaitStatus::PtraceEvent(tid, _, SECCOMP) => {
                self.calls(tid, notes)?;
                ptrace::syscall(tid, None)
            }
            WaitStatus::PtraceSyscall(tid) => {
                self.returns(tid, notes)?;
                ptrace::cont(tid, None)
            }
            WaitStatus::PtraceEvent(tid, _, EXEC) => {
                self.executed(tid, notes)?;
                ptrace::syscall(tid, None)
            }
            WaitStatus::PtraceEvent(tid, _, event @ (FORK | VFORK | CLONE)) => {
                self.started(tid, event, notes)?;
                ptrace::cont(tid, None)
            }
            WaitStatus::PtraceEvent(tid, _, STOP) if !self.told.contains(&tid) => {
                self.waiting.insert(tid);
                return Ok(());
            }
            WaitStatus::PtraceEvent(
                tid,
                Signal::SIGSTOP | Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU,
                STOP,
            ) => sys::listen(tid),
            WaitStatus::PtraceEvent(tid, ..) => ptrace::cont(tid, None),
            WaitStatus::Stopped(tid, signal) => ptrace::cont(tid, signal),
            WaitStatus::Exited(tid, status) => {
                self.let_go();
                return self.ended(tid, format!("exit {status}"), notes);
            }
            WaitStatus::Signaled(tid, signal, _) => {
                self.let_go();
                return self.ended(tid, format!("signal {signal}"), notes);
            }
            other => bail!("a tracee does what was not asked for: {other:?}"),
        };
        has_gone_on(gone_on)
    }

    /// The same for a signal in real time, which stopped a tracee or ended it.
    fn hear_real_time(&mut self, tid: Pid, status: ExitStatus, notes: &mut Notes) -> Result<()> {
        match (status.stopped_signal(), status.signal()) {
            (Some(signal), _) => has_gone_on(sys::go_on_with(tid, signal)),
            (None, Some(signal)) => {
                self.let_go();
                self.ended(tid, format!("signal {}", sys::signal_name(signal)), notes)
            }
            (None, None) => bail!("a tracee does what was not asked for: {status:?}"),
        }
    }

    /// Writes down a call at which a filter has stopped a tracee.
    fn calls(&mut self, tid: Pid, notes: &mut Notes) -> Result<()> {
        let Some((call, fields)) = called(tid) else {
            return Ok(());
        };
        let source = format!("PTRACE_EVENT_SECCOMP:{call}");
        notes.add(&Note::Saw(self.raw(Kind::Call, source, tid, fields)))
    }

    /// Writes down what has come of that call.
    fn returns(&mut self, tid: Pid, notes: &mut Notes) -> Result<()> {
        let Ok(Stopped::After(result)) = sys::stopped(tid) else {
            return Ok(());
        };
        let fields = Fields::from([(Field::Result, errno(result))]);
        let raw = self.raw(Kind::Return, "syscall-exit-stop".to_owned(), tid, fields);
        notes.add(&Note::Saw(raw))
    }

    /// Writes down a program that has taken the place of another.
    fn executed(&mut self, tid: Pid, notes: &mut Notes) -> Result<()> {
        let mut fields = look(tid.as_raw());
        // The thread that executed has the id of its process now, and had this one.
        if ptrace::getevent(tid).is_ok_and(|was| was != i64::from(tid.as_raw())) {
            fields.insert(Field::Was, "thread".to_owned());
        }
        self.process.insert(tid, tid.as_raw());
        let raw = self.raw(Kind::Exec, "PTRACE_EVENT_EXEC".to_owned(), tid, fields);
        notes.add(&Note::Saw(raw))
    }

    /// Writes down a process or a thread that a tracee has started.
    fn started(&mut self, tid: Pid, event: i32, notes: &mut Notes) -> Result<()> {
        let Ok(child) = ptrace::getevent(tid) else {
            return Ok(());
        };
        let child = Pid::from_raw(i32::try_from(child).context("no process has such a number")?);
        let (parent, own) = (self.process_of(tid), self.process_of(child));
        let source = match event {
            FORK => "PTRACE_EVENT_FORK",
            VFORK => "PTRACE_EVENT_VFORK",
            _ => "PTRACE_EVENT_CLONE",
        };
        let raw = Raw {
            child: Some(match own == parent {
                true => Child::Thread(child.as_raw()),
                false => Child::Process(child.as_raw()),
            }),
            ..self.raw(Kind::Fork, source.to_owned(), tid, Fields::new())
        };
        notes.add(&Note::Saw(raw))?;
        self.told.insert(child);
        if self.waiting.remove(&child) {
            // It was killed meanwhile, which is told next.
            let _ = ptrace::cont(child, None);
        }
        Ok(())
    }

    /// Lets everybody go who waits: whoever has started them may have been killed before it was told.
    fn let_go(&mut self) {
        for tid in std::mem::take(&mut self.waiting) {
            self.told.insert(tid);
            let _ = ptrace::cont(tid, None);
        }
    }

    /// Writes down the end of a process; those of its threads have no place among what the others do.
    fn ended(&mut self, tid: Pid, how: String, notes: &mut Notes) -> Result<()> {
        let pid = self.process_of(tid);
        if pid == tid.as_raw() {
            let fields = Fields::from([(Field::Result, how)]);
            let raw = self.raw(Kind::Exit, "waitpid".to_owned(), tid, fields);
            notes.add(&Note::Saw(raw))?;
        }
        // Its number may be another's soon.
        self.process.remove(&tid);
        self.told.remove(&tid);
        Ok(())
    }

    fn raw(&mut self, kind: Kind, source: String, tid: Pid, fields: Fields) -> Raw {
        Raw {
            kind,
            source,
            tid: tid.as_raw(),
            pid: Some(self.process_of(tid)),
            child: None,
            after: None,
            fields,
        }
    }

    /// The process of a thread; one that is gone already was its own, and one that is going has none (0).
    fn process_of(&mut self, tid: Pid) -> i32 {
        *self.process.entry(tid).or_insert_with(|| {
            let status = Status::read(tid.as_raw());
            let found = status.and_then(|status| status.number("Tgid:", 0));
            let found = found.and_then(|pid| i32::try_from(pid).ok());
            found.filter(|pid| *pid > 0).unwrap_or(tid.as_raw())
        })
    }
}

/// The call at which a filter has stopped a tracee, and what it is given.
fn called(tid: Pid) -> Option<(&'static str, Fields)> {
    let Ok(Stopped::Before(arch, number, given)) = sys::stopped(tid) else {
        return None;
    };
    // 32-bit callers have pointers of four bytes, and other numbers.
    let (wide, at) = match (arch, number) {
        (sys::I386, 11) => (4, false),
        (sys::I386, _) => (4, true),
        (_, 59) => (8, false),
        _ => (8, true),
    };
    let (name, path, argv) = match at {
        false => ("execve", given[0], given[1]),
        true => ("execveat", given[1], given[2]),
    };
    let mut fields = Fields::new();
    // What is nowhere in its memory is not told.
    if let Ok(memory) = File::open(format!("/proc/{tid}/mem")) {
        fields.extend(string(&memory, path, LONGEST).map(|path| (Field::Path, path)));
        fields.extend(strings(&memory, argv, wide).map(|argv| (Field::Argv, argv)));
    }
    if let Ok(cwd) = std::fs::read_link(format!("/proc/{tid}/cwd")) {
        fields.insert(Field::Cwd, printable(cwd.as_os_str().as_encoded_bytes()));
    }
    Some((name, fields))
}

/// A string of a tracee that ends with a zero byte; one that is longer is cut, and says so.
fn string(memory: &File, address: u64, longest: usize) -> Option<String> {
    let mut bytes = Vec::new();
    while bytes.len() <= longest {
        // To the end of the page: the next one may be missing.
        let from = address.checked_add(bytes.len() as u64)?;
        let mut page = vec![0; 4096 - (from % 4096) as usize];
        let length = memory
            .read_at(&mut page, from)
            .ok()
            .filter(|length| *length > 0)?;
        let end = page[..length].iter().position(|byte| *byte == 0);
        bytes.extend(&page[..end.unwrap_or(length)]);
        if end.is_some() {
            break;
        }
    }
    Some(match bytes.get(..longest) {
        Some(head) if bytes.len() > longest => told(Some(&printable(head))) + CUT,
        _ => told(Some(&printable(&bytes))),
    })
}

/// A list of strings that ends with a null pointer, with a bar between them.
fn strings(memory: &File, address: u64, wide: usize) -> Option<String> {
    let mut words = Vec::new();
    for place in 0..MOST {
        let from = address.checked_add((place * wide) as u64)?;
        let mut pointer = [0; 8];
        memory.read_exact_at(&mut pointer[..wide], from).ok()?;
        match u64::from_ne_bytes(pointer) {
            0 => return Some(listed(words)),
            pointer => words.push(string(memory, pointer, ARGUMENT)?),
        }
    }
    words.push(CUT.to_owned());
    Some(listed(words))
}
