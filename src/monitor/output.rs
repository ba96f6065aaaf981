//! Where lines go, so that a reader who stops can be given up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::stat::{SFlag, fstat};

/// What a pipe takes at once when it is said to be writable (`PIPE_BUF`, pipe(7)).
const PIPE_BUF: usize = 4096;

/// Why a batch was not written to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be written now: no space, an error of the medium.
    Refused,
    /// Nobody will ever read it: the reader has gone.
    Gone,
    /// We were told to stop.
    Stopped,
}

/// A file, a pipe or a terminal.
#[derive(Debug)]
pub struct Output {
    fd: OwnedFd,
    chunk: usize,
}

impl Output {
    /// Takes over a descriptor that was opened before anything is watched.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Output {
        let kind =
            fstat(&fd).map(|stat| SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()));
        let chunk = match kind {
            // A file takes everything or says why not.
            Ok(SFlag::S_IFREG) => usize::MAX,
            _ => PIPE_BUF,
        };
        Output { fd, chunk }
    }

    /// Writes, waiting for the reader unless `stop` is closed at its other end meanwhile.
    ///
    /// # Errors
    ///
    /// Why not everything was written; with how many bytes were.
    pub fn write(&self, bytes: &[u8], stop: BorrowedFd<'_>) -> Result<(), (Trouble, usize)> {
        let mut done = 0;
        while done < bytes.len() {
            if self.chunk == PIPE_BUF && !writable(self.fd.as_fd(), stop) {
                return Err((Trouble::Stopped, done));
            }
            match nix::unistd::write(&self.fd, piece(&bytes[done..], self.chunk)) {
                Ok(0) => return Err((Trouble::Refused, done)),
                Ok(length) => done += length,
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(Errno::EPIPE | Errno::EBADF) => return Err((Trouble::Gone, done)),
                Err(_) => return Err((Trouble::Refused, done)),
            }
        }
        Ok(())
    }
}

/// As many whole lines as fit, so that others who write to the same place do not cut ours.
fn piece(bytes: &[u8], chunk: usize) -> &[u8] {
    if bytes.len() <= chunk {
        return bytes;
    }
    let lines = bytes[..chunk].iter().rposition(|byte| *byte == b'\n');
    &bytes[..lines.map_or(chunk, |end| end + 1)]
}

/// Waits until a descriptor can be written to; false when `stop` came first.
pub fn writable(fd: BorrowedFd<'_>, stop: BorrowedFd<'_>) -> bool {
    loop {
        let mut fds = [
            PollFd::new(fd, PollFlags::POLLOUT),
            PollFd::new(stop, PollFlags::POLLIN),
        ];
        match nix::poll::poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(_) => return true,
            Ok(_) => {
                let [fd, stop] = fds.map(|fd| fd.any().unwrap_or(true));
                if fd || stop {
                    return fd;
                }
            }
        }
    }
}

/// Says something to the user, unless nobody reads what we say.
pub fn tell(text: &str) {
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    let ready = nix::poll::poll(&mut fds, PollTimeout::from(200_u8));
    if ready.is_ok_and(|ready| ready > 0) {
        // Who cannot be told cannot be told that either.
        let _ = nix::unistd::write(&stderr, format!("exetrail: {text}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;

    #[test]
    fn a_reader_who_has_gone_is_noticed() {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (stop, _ringer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(read);
        let result = Output::new(write).write(b"a\n", stop.as_fd());
        assert_eq!(result, Err((Trouble::Gone, 0)));
    }

    #[test]
    fn a_reader_who_does_not_read_is_given_up_when_told_so() {
        let (_read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (stop, ringer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(ringer);
        let result = Output::new(write).write(&vec![b'x'; 1 << 20], stop.as_fd());
        assert!(matches!(result, Err((Trouble::Stopped, done)) if done >= 1 << 16));
    }

    #[test]
    fn a_pipe_gets_whole_lines() {
        assert_eq!(piece(b"ab\ncd\nef", 7), b"ab\ncd\n");
        assert_eq!(piece(b"abcdef", 4), b"abcd");
        assert_eq!(piece(b"ab", 4), b"ab");
    }

    #[test]
    fn a_full_device_refuses() {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let (stop, _ringer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let result = Output::new(full.into()).write(b"a\n", stop.as_fd());
        assert_eq!(result, Err((Trouble::Refused, 0)));
    }
}
