//! What somebody writes into a pipe, read with a limit of time: that he neither writes nor ends is what a test may find.

use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use exetrail::wire::until;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

/// The end of a pipe that is read.
pub struct Heard<R> {
    pipe: R,
    /// How long a line, or the end, may take.
    limit: Duration,
    /// What was read and not taken.
    bytes: Vec<u8>,
}

impl<R: Read + AsFd> Heard<R> {
    pub fn new(pipe: R, limit: Duration) -> Heard<R> {
        let bytes = Vec::new();
        Heard { pipe, limit, bytes }
    }

    /// The next line, with its end; what there is where nobody writes any more.
    pub fn line(&mut self) -> Result<String> {
        let deadline = Instant::now() + self.limit;
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                return Ok(self.take(end + 1));
            }
            if !self.more(deadline)? {
                return Ok(self.take(self.bytes.len()));
            }
        }
    }

    /// Everything until nobody has the other end any more.
    pub fn rest(&mut self) -> Result<String> {
        let deadline = Instant::now() + self.limit;
        while self.more(deadline)? {}
        Ok(self.take(self.bytes.len()))
    }

    fn take(&mut self, length: usize) -> String {
        let bytes: Vec<u8> = self.bytes.drain(..length).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads what is there, or comes; whether somebody has the other end.
    fn more(&mut self, deadline: Instant) -> Result<bool> {
        let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, until(deadline)) {
            Ok(0) => bail!(
                "nothing more was written for {:?}, after {:?}",
                self.limit,
                String::from_utf8_lossy(&self.bytes)
            ),
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(true),
            Err(errno) => return Err(errno).context("failed to wait for a pipe"),
        }
        let mut buffer = [0; 4096];
        let length = self
            .pipe
            .read(&mut buffer)
            .context("failed to read a pipe")?;
        self.bytes.extend(&buffer[..length]);
        Ok(length > 0)
    }
}

/// Whoever holds a pipe and is silent is given up.
pub fn silence_is_given_up() -> Result<()> {
    let (reader, mut writer) = std::io::pipe().context("failed to make a pipe")?;
    let mut heard = Heard::new(reader, Duration::from_millis(50));
    std::io::Write::write_all(&mut writer, b"one\ntw").context("failed to write")?;
    ensure!(heard.line()? == "one\n", "the line is another");
    ensure!(heard.line().is_err(), "half a line was waited for");
    ensure!(heard.rest().is_err(), "the end was waited for");
    drop(writer);
    ensure!(heard.rest()? == "tw", "the rest is another");
    Ok(())
}
