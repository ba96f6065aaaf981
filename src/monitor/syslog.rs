//! The local syslog socket, without libc's syslog(3), which opens files.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::errno::Errno;

use super::output::{Trouble, writable};

/// Where the daemon listens (syslog(3), `_PATH_LOG`).
pub const SOCKET: &str = "/dev/log";

/// `LOG_DAEMON | LOG_INFO` (RFC 3164, 4.1.1: facility 3, severity 6).
const PRIORITY: u8 = 3 << 3 | 6;

/// A connection to the local syslog daemon.
#[derive(Debug)]
pub struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    head: String,
}

impl Syslog {
    /// Connects; do it before anything is watched.
    ///
    /// # Errors
    ///
    /// No daemon listens there.
    pub fn connect(path: &Path) -> Result<Syslog> {
        let socket = UnixDatagram::unbound().context("failed to make a socket for syslog")?;
        socket
            .set_nonblocking(true)
            .context("failed to prepare the socket for syslog")?;
        socket.connect(path).with_context(|| {
            format!(
                "failed to reach syslog at {}: no daemon listens there; leave --syslog out",
                path.display()
            )
        })?;
        // No time of ours: the daemon's own is right, and local time would take a file.
        let head = format!("<{PRIORITY}>exetrail[{}]: ", std::process::id());
        Ok(Syslog {
            socket,
            path: path.to_owned(),
            head,
        })
    }

    /// Sends one line, waiting while the daemon does not read unless `stop` is closed meanwhile.
    ///
    /// A daemon that was started anew is connected to again, which opens no file: connect(2) looks
    /// its path up.
    ///
    /// # Errors
    ///
    /// Why it was not sent.
    pub fn send(&self, line: &[u8], stop: BorrowedFd<'_>) -> Result<(), Trouble> {
        let mut message = self.head.clone().into_bytes();
        message.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        let mut again = true;
        loop {
            let Err(error) = self.socket.send(&message) else {
                return Ok(());
            };
            match error.raw_os_error().map_or(Errno::EIO, Errno::from_raw) {
                Errno::EINTR => {}
                Errno::EAGAIN | Errno::ENOBUFS => {
                    if !writable(self.socket.as_fd(), stop) {
                        return Err(Trouble::Stopped);
                    }
                }
                _ if again && self.socket.connect(&self.path).is_ok() => again = false,
                _ => return Err(Trouble::Refused),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;

    fn socket() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        (directory, path)
    }

    #[test]
    fn a_line_goes_out_as_daemon_info() {
        let (_directory, path) = socket();
        let daemon = UnixDatagram::bind(&path).unwrap();
        let (stop, _ringer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        Syslog::connect(&path)
            .unwrap()
            .send(b"perm=open\n", stop.as_fd())
            .unwrap();
        let mut buffer = [0; 100];
        let length = daemon.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        assert_eq!(
            text,
            format!("<30>exetrail[{}]: perm=open", std::process::id())
        );
    }

    #[test]
    fn a_daemon_that_does_not_read_is_given_up_when_told_so() {
        let (_directory, path) = socket();
        let _daemon = UnixDatagram::bind(&path).unwrap();
        let (stop, ringer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(ringer);
        let syslog = Syslog::connect(&path).unwrap();
        let trouble = (0..10_000).find_map(|_| syslog.send(b"x", stop.as_fd()).err());
        assert_eq!(trouble, Some(Trouble::Stopped));
    }

    #[test]
    fn a_daemon_that_was_started_anew_gets_the_line() {
        let (_directory, path) = socket();
        let daemon = UnixDatagram::bind(&path).unwrap();
        let (stop, _ringer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let syslog = Syslog::connect(&path).unwrap();
        drop(daemon);
        assert_eq!(syslog.send(b"x", stop.as_fd()), Err(Trouble::Refused));
        std::fs::remove_file(&path).unwrap();
        let _daemon = UnixDatagram::bind(&path).unwrap();
        assert_eq!(syslog.send(b"x", stop.as_fd()), Ok(()));
    }

    #[test]
    fn without_a_daemon_the_socket_is_named() {
        let (_directory, path) = socket();
        let error = format!("{:#}", Syslog::connect(&path).unwrap_err());
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
