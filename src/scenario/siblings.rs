//! Who shares something with a process: a thread that acts while another one is held, and another process.

use std::ffi::CStr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{pause, pipe2, read, write};

use super::Args;
use super::launch::end_failed;
use crate::sys::{self, Addresses, FaultPages, ForkResult};

/// Runs two parts of a child: one in a thread with this name, the other in the leader. Whichever
/// acts while the other is held waits for its turn with [`its_turn`].
///
/// A part that fails ends the child, as if its errno were returned here: the other one may wait for its turn, or for the
/// exec that ends it, and neither comes any more.
///
/// # Errors
///
/// `EAGAIN` when there can be no thread.
pub fn beside(
    name: &str,
    thread: impl FnOnce() -> nix::Result<()> + Send,
    leader: impl FnOnce() -> nix::Result<()>,
) -> nix::Result<()> {
    // Before there are two: the new thread inherits it.
    sys::block(Signal::SIGUSR1 as i32)?;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name(name.to_owned());
        let thread =
            builder.spawn_scoped(scope, || thread().unwrap_or_else(|errno| end_failed(errno)));
        let thread = thread.map_err(|_| Errno::EAGAIN)?;
        leader().unwrap_or_else(|errno| end_failed(errno));
        thread.join().map_err(|_| Errno::EINVAL)
    })
}

/// Runs part of a child in a thread of this name that is not the leader, who waits for its end.
///
/// # Errors
///
/// What the part says, or `EAGAIN` when there can be no thread.
pub fn in_thread(name: &str, part: impl FnOnce() -> nix::Result<()> + Send) -> nix::Result<()> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn_scoped(scope, part);
        let thread = thread.map_err(|_| Errno::EAGAIN)?;
        thread.join().unwrap_or(Err(Errno::EINVAL))
    })
}

/// Has another process share the table of descriptors of this one (clone(2), `CLONE_FILES`), and end with it.
///
/// # Errors
///
/// There can be no such process.
pub fn share_descriptors() -> nix::Result<()> {
    let (ready, tell) = pipe2(OFlag::O_CLOEXEC)?;
    if let ForkResult::Child = sys::fork_sharing_files()? {
        let stay = sys::die_with_parent().and_then(|()| write(&tell, b"1"));
        while stay.is_ok() {
            pause();
        }
        sys::exit_now(1);
    }
    read(&ready, &mut [0]).map(drop)
}

/// execve(2) of a path, held while the kernel copies it: then a sibling acts, and the kernel goes on.
///
/// The path lies at the end of a page, and the next page is missing. The kernel copies eight bytes at a time
/// (`do_strncpy_from_user` in lib/strncpy_from_user.c) and the last eight reach into that page, so that it
/// waits there with all that comes before in its copy; when the page is put there it reads these eight bytes
/// again, as they are by then. (A path that with its NUL is a multiple of eight bytes does not reach into it, and nobody is
/// held.) Whoever reads the path no further than its end, as a tracer does that was told
/// of the call, is not held.
///
/// # Errors
///
/// What keeps the fault from being heard of; a call that fails ends the child, as in [`beside`].
pub fn while_copied(
    args: &Args<'_>,
    path: &CStr,
    act: impl FnOnce(&FaultPages) -> nix::Result<()> + Send,
    choose: impl FnOnce(&mut Addresses),
) -> nix::Result<()> {
    let pages = FaultPages::new(path.to_bytes_with_nul())?;
    let (tell, begun) = std::sync::mpsc::channel();
    let pages = &pages;
    let writer = move || {
        tell.send(()).map_err(|_| Errno::EPIPE)?;
        pages.wait()?;
        act(pages)?;
        pages.release()?;
        // It is ended by the exec, or by its failure.
        loop {
            std::thread::park();
        }
    };
    // What a new thread does, its name first, comes before the call.
    let call = || {
        begun.recv().map_err(|_| Errno::EPIPE)?;
        args.execve_at(|addresses| {
            choose(addresses);
            addresses.path = pages.address();
        })
    };
    beside("writer", writer, call)
}

/// Waits until the monitor says that the event is there for which the sibling is held
/// ([`System::answered_late`](super::System::answered_late)).
///
/// # Errors
///
/// What sigwait(3) says.
pub fn its_turn() -> nix::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGUSR1);
    signals.wait().map(drop)
}

/// Opens a file for reading, which is an event of its own.
///
/// # Errors
///
/// What open(2) says.
pub fn open(path: &str) -> nix::Result<()> {
    let (flags, mode) = (nix::fcntl::OFlag::O_RDONLY, nix::sys::stat::Mode::empty());
    nix::fcntl::open(path, flags, mode).map(drop)
}
