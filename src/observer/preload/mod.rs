//! A library that LD_PRELOAD has the loader bring into dynamic programs, where it stands before the exec and
//! spawn functions of the C library (`preload.c`).
//!
//! It changes what it watches: another library is opened, and another variable is in the environment. So it has a
//! pass of its own. The child only takes the variable into its environment, where it has one at all and no
//! `LD_PRELOAD` of its own. What the library says is taken out of the socket at each step, which places it: it
//! is said before the process goes on.

mod message;

use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use serde::{Deserialize, Serialize};

use self::message::FULL;
use super::notes::Notes;
use super::{Held, HeldHook, Kind, Observer, OnHeld, WATCHED, Watch, broken};
use crate::event::{self, Raw, Report};
use crate::need::Need;
use crate::trail::LabKind;
use crate::wire::{Failure, Lost, Submit};

/// One socket a watch.
pub const KIND: Kind = Kind {
    name: "ld-preload",
    needs: &[Need::vm(
        "a virtual machine: the library lies among those of the system",
    )],
    wants: &[],
    takes: Some(WATCHED),
    make: || Box::new(Preload::default()),
};

/// What `build.rs` made of `preload.c`.
static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exetrail-preload.so"));
/// Where the guest has it.
const PLACE: &str = "/usr/lib/x86_64-linux-gnu/libexetrail.so";
/// The abstract socket to which it speaks.
const NAME: &str = "exetrail-preload";
/// How many messages may wait: the library loses what finds no room.
const ROOM: usize = 4096;

/// What is written down: a message, with its sender and the number of steps before it.
#[derive(Debug, Serialize, Deserialize)]
struct Note(i32, usize, Vec<u8>);

/// The socket of the watch.
#[derive(Debug, Default)]
struct Preload {
    watch: Option<(OwnedFd, Notes)>,
}

impl Observer for Preload {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        install().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let begin = || {
            let (socket, notes) = (listen()?, Notes::new()?);
            let shared = socket.as_fd().try_clone_to_owned();
            let hook = Drain(shared.context("failed to share a socket")?, notes.share()?);
            Ok((socket, notes, hook))
        };
        let (socket, notes, hook) = begin().map_err(broken)?;
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(hook),
        });
        watch.submits.push(Submit::Library(PLACE.to_owned()));
        self.watch = Some((socket, notes));
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let Some((socket, mut notes)) = self.watch.take() else {
            return Ok(None);
        };
        // All processes have ended, and whoever said something had done so by then.
        let mut end = || {
            drain(&socket, watch.run.sightings.len(), &mut notes, ROOM)?;
            told(notes.all()?)
        };
        let report = Report {
            events: event::place(&watch.run, end().map_err(broken)?),
            ..Report::default()
        };
        super::Statement::told(&report, Lost::default())
    }

    fn abandon(&mut self) {
        self.watch = None;
    }
}

fn install() -> Result<()> {
    fs::write(PLACE, LIBRARY)
        .and_then(|()| fs::set_permissions(PLACE, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("failed to write {PLACE}"))?;
    let setting = Path::new("/proc/sys/net/unix/max_dgram_qlen");
    fs::write(setting, ROOM.to_string())
        .with_context(|| format!("failed to write {}", setting.display()))
}

fn listen() -> Result<OwnedFd> {
    let address = SocketAddr::from_abstract_name(NAME).context("failed to name a socket")?;
    let socket = UnixDatagram::bind_addr(&address).context("failed to listen to the library")?;
    setsockopt(&socket, sockopt::PassCred, &true).context("failed to ask for senders")?;
    Ok(socket.into())
}

/// Takes out what waits; as much as may wait is an error, because the library does not hear of what it loses.
fn drain(socket: &OwnedFd, after: usize, notes: &mut Notes, room: usize) -> Result<()> {
    let mut buffer = [0; 2 * FULL];
    for _ in 0..room {
        let mut control = nix::cmsg_space!(nix::libc::ucred);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags);
        let (sender, length) = match message {
            Ok(message) => {
                let mut given = message.cmsgs().context("a message of the library is cut")?;
                let sender = given.find_map(|given| match given {
                    ControlMessageOwned::ScmCredentials(sender) => Some(sender.pid()),
                    _ => None,
                });
                (
                    sender.context("a message of the library has no sender")?,
                    message.bytes,
                )
            }
            Err(Errno::EAGAIN) => return Ok(()),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno).context("failed to hear the library"),
        };
        notes.add(&Note(sender, after, buffer[..length].to_vec()))?;
    }
    bail!("the library said so much at once that some of it may be lost")
}

fn told(notes: Vec<Note>) -> Result<Vec<Raw>> {
    let raw = notes.iter().map(|Note(sender, after, bytes)| {
        let raw = message::parse(*sender, *after, bytes);
        raw.context("the library says what is not understood")
    });
    raw.collect()
}

/// The hook that the monitor calls.
#[derive(Debug)]
struct Drain(OwnedFd, Notes);

impl OnHeld for Drain {
    fn held(&mut self, event: Held<'_>) -> Result<()> {
        drain(&self.0, event.number - 1, &mut self.1, ROOM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_was_full_is_an_error() {
        let (theirs, ours) = UnixDatagram::pair().unwrap();
        setsockopt(&ours, sockopt::PassCred, &true).unwrap();
        let (ours, mut notes) = (OwnedFd::from(ours), Notes::new().unwrap());
        let mut drained = |messages: usize| {
            for _ in 0..messages {
                theirs.send(b"L").unwrap();
            }
            drain(&ours, 0, &mut notes, 3).is_ok()
        };
        assert_eq!([drained(2), drained(3)], [true, false]);
    }
}
