//! A socket or a pipe that carries lines of JSON, read with a deadline.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::Message;
use crate::trail::{foreign, shown};

/// The longest message that is taken, far above what a scenario has to say.
const LONGEST: usize = 8 << 20;

/// Why no message came.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The other side is gone.
    #[error("the other side closed the link")]
    Closed,
    /// The other side is gone and left a part of a message.
    #[error("the link ended in the middle of a message ({0} bytes)")]
    Cut(usize),
    /// Nothing came in time.
    #[error("nothing came before the deadline")]
    Deadline,
    /// Something came that is no message.
    #[error("what came is no message: {0}")]
    Nonsense(String),
    /// A message has no end.
    #[error("a message is longer than the limit of {} MiB", LONGEST >> 20)]
    Endless,
    /// The system call failed.
    #[error("the link failed: {0}")]
    System(#[from] Errno),
}

/// One end of a link.
#[derive(Debug)]
pub struct Link {
    fd: OwnedFd,
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no end of a message.
    searched: usize,
}

impl Link {
    /// Takes over a descriptor.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Link {
        Link {
            fd,
            buffer: Vec::new(),
            searched: 0,
        }
    }

    /// Two ends that are connected; neither survives an exec.
    ///
    /// # Errors
    ///
    /// What socketpair(2) says.
    pub fn pair() -> nix::Result<(Link, Link)> {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
        let flags = SockFlag::SOCK_CLOEXEC;
        let (one, two) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?;
        Ok((Link::new(one), Link::new(two)))
    }

    /// Sends one message; waits while the other side does not read.
    ///
    /// # Errors
    ///
    /// `EPIPE` when the other side is gone.
    pub fn send(&self, message: &impl Serialize) -> Result<(), LinkError> {
        let mut line =
            serde_json::to_vec(message).map_err(|error| LinkError::Nonsense(error.to_string()))?;
        line.push(b'\n');
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match nix::unistd::write(&self.fd, rest) {
                Ok(written) => rest = &rest[written..],
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for one message.
    ///
    /// # Errors
    ///
    /// See [`LinkError`].
    pub fn receive<T: DeserializeOwned>(&mut self, deadline: Instant) -> Result<T, LinkError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            match nix::poll::poll(&mut fds, until(deadline)) {
                Ok(0) => return Err(LinkError::Deadline),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            }
            self.fill()?;
        }
    }

    /// Takes the next whole message out of what was read.
    ///
    /// # Errors
    ///
    /// [`LinkError::Nonsense`].
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LinkError> {
        self.line(|line| serde_json::from_slice(line))
    }

    /// Takes the next whole message of a guest: its strings are made printable ([`foreign`]).
    ///
    /// # Errors
    ///
    /// [`LinkError::Nonsense`].
    pub fn hear(&mut self) -> Result<Option<Message>, LinkError> {
        self.line(|line| serde_json::from_value(foreign(serde_json::from_slice(line)?)))
    }

    fn line<T>(
        &mut self,
        read: impl Fn(&[u8]) -> serde_json::Result<T>,
    ) -> Result<Option<T>, LinkError> {
        let rest = &self.buffer[self.searched..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            self.searched = self.buffer.len();
            return match self.searched > LONGEST {
                true => Err(LinkError::Endless),
                false => Ok(None),
            };
        };
        let rest = self.buffer.split_off(self.searched + end + 1);
        let line = std::mem::replace(&mut self.buffer, rest);
        self.searched = 0;
        read(&line).map(Some).map_err(|error| {
            let text = String::from_utf8_lossy(&line);
            let start: String = text.trim_end().chars().take(80).collect();
            let error: String = error.to_string().chars().take(200).collect();
            LinkError::Nonsense(shown(&format!("{start:?}: {error}")))
        })
    }

    /// Reads once; the descriptor should be readable.
    ///
    /// # Errors
    ///
    /// [`LinkError::Closed`] or [`LinkError::Cut`] at the end.
    pub fn fill(&mut self) -> Result<(), LinkError> {
        let mut chunk = [0; 16 << 10];
        match nix::unistd::read(&self.fd, &mut chunk) {
            Ok(0) if self.buffer.is_empty() => Err(LinkError::Closed),
            Ok(0) => Err(LinkError::Cut(self.buffer.len())),
            Ok(length) => {
                self.buffer.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(()),
            Err(Errno::ECONNRESET) => Err(LinkError::Closed),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The time that is left, for poll(2), rounded up so that a wait does not end early.
#[must_use]
pub fn until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_millis().saturating_add(u128::from(!left.is_zero())))
        .unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Link, LinkError};
    use crate::wire::Message;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn two_messages_in_one_packet_are_two_messages() {
        let (one, mut two) = Link::pair().unwrap();
        nix::unistd::write(&one.fd, b"1\n2\n").unwrap();
        assert_eq!(two.receive::<u32>(soon()).unwrap(), 1);
        assert_eq!(two.receive::<u32>(soon()).unwrap(), 2);
    }

    #[test]
    fn a_link_that_ends_between_messages_is_closed() {
        let (one, mut two) = Link::pair().unwrap();
        drop(one);
        assert!(matches!(two.receive::<u32>(soon()), Err(LinkError::Closed)));
    }

    #[test]
    fn a_link_that_ends_in_a_message_is_cut() {
        let (one, mut two) = Link::pair().unwrap();
        nix::unistd::write(&one.fd, b"{\"a").unwrap();
        drop(one);
        assert!(matches!(two.receive::<u32>(soon()), Err(LinkError::Cut(3))));
    }

    #[test]
    fn nothing_until_the_deadline_is_said_so() {
        let (_one, mut two) = Link::pair().unwrap();
        assert!(matches!(
            two.receive::<u32>(Instant::now()),
            Err(LinkError::Deadline)
        ));
    }

    #[test]
    fn a_message_without_end_is_given_up() {
        let (one, mut two) = Link::pair().unwrap();
        let writer = std::thread::spawn(move || {
            let chunk = vec![b'x'; 1 << 20];
            // Ends when the reader is gone.
            while nix::unistd::write(&one.fd, &chunk).is_ok() {}
        });
        assert!(matches!(
            two.receive::<u32>(soon()),
            Err(LinkError::Endless)
        ));
        drop(two);
        writer.join().unwrap();
    }

    #[test]
    fn what_a_guest_says_is_printable() {
        let (one, mut two) = Link::pair().unwrap();
        let line = "{\"message\":\"failed\",\"reason\":\"\\u001b[2J\"}\n";
        nix::unistd::write(&one.fd, line.as_bytes()).unwrap();
        two.fill().unwrap();
        let reason = "\\x1b[2J".to_owned();
        assert_eq!(two.hear().unwrap(), Some(Message::Failed { reason }));
    }
}
