//! Two threads of a child, of which one acts while the other is held.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

use crate::sys;

/// Runs two parts of a child: one in a thread with this name, the other in the leader. Whichever
/// acts while the other is held waits for its turn with [`its_turn`].
///
/// # Errors
///
/// What the leader's part says, else the thread's; `EAGAIN` when there can be no thread.
pub fn beside(
    name: &str,
    thread: impl FnOnce() -> nix::Result<()> + Send,
    leader: impl FnOnce() -> nix::Result<()>,
) -> nix::Result<()> {
    // Before there are two: the new thread inherits it.
    sys::block(Signal::SIGUSR1 as i32)?;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn_scoped(scope, thread);
        let thread = thread.map_err(|_| Errno::EAGAIN)?;
        leader()?;
        thread.join().unwrap_or(Err(Errno::EINVAL))
    })
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
