//! An exec closes a descriptor of an overlay's file that was copied up after the descriptor was opened.
//!
//! Closing the descriptor opens a file. `ovl_flush` flushes the file of the present layer. Where the descriptor still has the
//! file of the layer before, the closing thread opens the present one first (`fs/overlayfs/file.c`; 5.10 has no such flush).
//! So, from 6.12 on, an exec asks a listener of the layers once more between its ELF interpreter and its libraries, past the
//! point of no return.
//!
//! Finding: who is asked, and under which name, depends on where the kernel closes close-on-exec descriptors:
//! - 6.1 does not ask.
//! - 6.12, 7.2 and 7.3 close them before `exec_mmap` ([c:close-on-exec-early]) and ask under the old exe.
//! - 6.16 to 7.0 close them after it and ask under the new exe and the old comm.
//! - 7.1 closes them after it as well. `exec_update_lock` is held for writing then, as on 6.16 to 7.0. But on 7.1 nobody can
//!   read without that lock the exe link of the process that waits (`call_proc_get_link` in fs/proc/base.c,
//!   [c:proc-links-locked]), nor its stat, which our monitor reads first (`do_task_stat`). So the listener hangs, and with it
//!   the exec. The same happens to any listener that looks there before
//!   it answers. A listener that looks at nobody answers, and the exec goes on; another process that looks meanwhile waits
//!   for the answer.
//! - Where nothing was copied, nobody is asked. Where the descriptor was read since the copy, from 6.16 on the read has
//!   opened the copy.
//!
//! The facts are of listeners of our own and a program on the file system of the layers. The two events of that program
//! separate what comes before the exec from what the exec's close opens.
//!
//! See `do_close_on_exec` in `begin_new_exec`, fs/exec.c.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::umount;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{
    Closed, Elf, Exec, Hang, Listener, Refuses, Scenario, System, fork_start, hear, needs,
    prepared, reap,
};
use crate::sys::{self, ForkResult, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "an exec closes a descriptor of an overlay's file that was copied up",
    needs: &[needs::OVERLAY, needs::KNOWN_RELEASE],
    deadline: std::time::Duration::from_secs(5),
    hang: Hang::Observed,
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    heard(system)?;
    system.overlay()?;
    let exec = Exec::path("/usr/bin/true")?.older("/tmp/merged/bin/true", Closed::ByExec);
    let exec = exec.before(|| {
        let open = |flags| open("/tmp/merged/bin/true", flags, Mode::empty());
        std::mem::forget(open(OFlag::O_RDONLY | OFlag::O_CLOEXEC)?);
        // Opened for writing and closed: that is enough for a copy.
        drop(open(OFlag::O_WRONLY)?);
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}

/// What the child does with the open file before the exec.
type Done = fn(&OwnedFd) -> nix::Result<()>;

const LAYERS: &str = "/tmp/layers";
const NAMES: [&str; 3] = ["lower", "upper", "work"];

/// What a listener hears that looks at nobody, and whether another process that looks meanwhile waits. The program lies
/// beside the layers.
fn heard(system: &mut System) -> Result<()> {
    let layers = system.directory("layers")?;
    system.mount("tmpfs", "none", &layers, "mode=755")?;
    system.file("layers/program", &Elf::new().build(), 0o755)?;
    let cases: [(&str, Done); 3] = [
        ("not copied", |_| Ok(())),
        ("copied up", |_| copy()),
        ("copied up, and read since", |file| {
            copy()?;
            pread(file, &mut [0; 4], 0).map(drop)
        }),
    ];
    for (what, done) in cases {
        let told = with_overlay(system, || hear(&mut [listener()?], || execute(done)))?;
        system.fact(&format!("a listener that looks at nobody, {what}"), told)?;
    }
    let looks: [(&str, Look); 2] = [
        ("the exe link", |pid| {
            nix::fcntl::readlink(&*format!("/proc/{pid}/exe")).map(drop)
        }),
        ("stat", |pid| {
            let stat = std::fs::read(format!("/proc/{pid}/stat"));
            stat.map(drop).map_err(|_| Errno::EIO)
        }),
    ];
    for (name, look) in looks {
        let told = with_overlay(system, || looked_at(look))?;
        let what = format!("while it is asked about what the closing opens, who looks at {name}");
        system.fact(&what, told)?;
    }
    Ok(())
}

/// Does this with a new overlay at `/tmp/seen`.
fn with_overlay<T>(system: &mut System, act: impl FnOnce() -> Result<T>) -> Result<T> {
    for name in NAMES {
        system.directory(&format!("layers/{name}"))?;
    }
    system.file("layers/lower/file", b"12345678", 0o755)?;
    let place = system.directory("seen")?;
    let layers = NAMES.map(|name| format!("{name}dir={LAYERS}/{name}"));
    system.mount("overlay", "overlay", &place, &layers.join(","))?;
    let done = act()?;
    umount(&place).context("failed to unmount the overlay")?;
    for name in NAMES {
        let layer = format!("{LAYERS}/{name}");
        std::fs::remove_dir_all(&layer).with_context(|| format!("failed to remove {layer}"))?;
    }
    Ok(done)
}

fn listener() -> Result<Listener> {
    let group = Group::new(Ids::Process, Class::Content)?;
    group.watch_filesystem(Path::new(LAYERS))?;
    Ok(Listener {
        name: "",
        group,
        refuses: Refuses::Nothing,
    })
}

/// Opened for writing and closed: that is enough for a copy.
fn copy() -> nix::Result<()> {
    open("/tmp/seen/file", OFlag::O_WRONLY, Mode::empty()).map(drop)
}

/// Opens a close-on-exec descriptor, does this with it and executes the program.
fn execute(done: Done) -> nix::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = prepared(open("/tmp/seen/file", flags, Mode::empty()));
    prepared(done(&file));
    Invocation::new(&[], &[]).execve(c"/tmp/layers/program")
}

/// A look at a process.
type Look = fn(Pid) -> nix::Result<()>;

/// What becomes of a look at a process that is held where its exec closes the descriptor.
fn looked_at(look: Look) -> Result<String> {
    let mut listener = listener()?;
    let start = fork_start(|| execute(|_| copy()))?;
    let end = sys::pidfd_open(start.as_raw()).context("failed to open a pidfd")?;
    let (mut since, mut told, mut looks) = (None, "nobody is asked".to_owned(), None);
    loop {
        let mut fds =
            [end.as_fd(), listener.group.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut fds, PollTimeout::NONE).context("failed to wait for events")?;
        if fds[0].any() == Some(true) {
            break;
        }
        for event in listener.group.read()? {
            let file = sys::adopt_fd(event.fd);
            since = match (event.mask.name().as_ref(), since) {
                ("execute", _) => Some(0),
                (_, since) => since.map(|events| events + 1),
            };
            // The program's own open is the first one.
            if since == Some(2) {
                let (who, how) = looking(start, look)?;
                (told, looks) = (how, Some(who));
            }
            listener.group.allow(file.as_fd())?;
        }
    }
    if let Some(looks) = looks {
        waitpid(looks, None).context("failed to wait for who looks")?;
    }
    let end = reap(start)?;
    Ok(format!("{told}; {end}"))
}

/// Has another process look, and says whether it does so at once, or in which function of the kernel it waits.
fn looking(at: Pid, look: Look) -> Result<(Pid, String)> {
    const LOCKED: [&str; 2] = ["call_proc_get_link", "do_task_stat"];
    let other = match sys::fork().context("failed to fork")? {
        ForkResult::Child => sys::exit_now(look(at).map_or_else(|errno| errno as i32, |()| 0)),
        ForkResult::Parent { child } => child,
    };
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        let status = waitid(Id::Pid(other), flags).context("failed to wait for who looks")?;
        if let WaitStatus::Exited(_, status) = status {
            let how = match status {
                0 => "sees it at once".to_owned(),
                errno => format!("{:?} at once", Errno::from_raw(errno)),
            };
            return Ok((other, how));
        }
        let place = std::fs::read_to_string(format!("/proc/{other}/wchan")).unwrap_or_default();
        if LOCKED.contains(&place.as_str()) {
            return Ok((other, format!("waits for the answer, in {place}")));
        }
        std::thread::yield_now();
    }
}
