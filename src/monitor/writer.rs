//! The thread that writes: takes what there is, writes it in one go, tells what was lost.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::output::{Output, Trouble};
use super::queue::{Account, Outlet};
use super::syslog::Syslog;
use super::{LineFormat, Summary};

/// How long lines may gather, so that not every event wakes this thread.
const GATHER: Duration = Duration::from_millis(4);
/// What is written at once.
const BATCH: usize = 64 << 10;

/// Where lines go.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Output(Output),
    /// Syslog, a message a line.
    Syslog(Syslog),
}

/// From looks to lines to where they go.
#[derive(Debug)]
pub struct Writer {
    /// Where lines go.
    pub sink: Sink,
    /// What they look like.
    pub format: LineFormat,
    /// Where looks come from.
    pub outlet: Outlet,
    /// What became of them.
    pub account: Arc<Account>,
    /// Closed at its other end when the rest is to be given up.
    pub stop: OwnedFd,
    /// A line that was begun and could not be finished.
    pub torn: bool,
}

impl Writer {
    /// Writes until the other end of the queue is gone and everything was taken, the reader
    /// is gone, or it is told to stop.
    pub fn run(mut self) -> Writer {
        let mut told = 0;
        let mut batch = Vec::with_capacity(BATCH + 16384);
        while let Some(first) = self.outlet.wait() {
            self.outlet.gather(GATHER);
            let mut refused = first.refused;
            let mut next = Some(first);
            while let Some(queued) = next {
                if queued.refused > refused {
                    // What is missing was missed here.
                    if !self.flush(&mut batch) {
                        return self;
                    }
                    refused = queued.refused;
                }
                if batch.is_empty() {
                    self.tell_lost(refused, &mut told);
                }
                self.format.line(&queued.look, &mut batch);
                next = if batch.len() < BATCH {
                    self.outlet.next()
                } else {
                    None
                };
            }
            if !self.flush(&mut batch) {
                return self;
            }
            self.tell_lost(refused, &mut told);
        }
        let refused = self.account.refused();
        self.tell_lost(refused, &mut told);
        self
    }

    /// Writes these lines; whether there is somebody to write to.
    fn flush(&mut self, batch: &mut Vec<u8>) -> bool {
        let result = self.write(batch, Count::Lines);
        batch.clear();
        !matches!(result, Err(Trouble::Gone | Trouble::Stopped))
    }

    /// Tells what is missing by now and was not told: so many found no place, and what could not be written.
    fn tell_lost(&mut self, refused: u64, told: &mut u64) {
        let lost = refused + self.account.failed();
        if lost > *told {
            let mut line = Vec::new();
            self.format.lost(lost - *told, lost, &mut line);
            // It stands for lines and is none; when it cannot be written, the next one can.
            if self.write(&line, Count::Nothing).is_ok() {
                *told = lost;
            }
        }
    }

    /// Writes what is said last.
    pub fn end(&mut self, summary: &Summary) {
        let mut line = Vec::new();
        self.format.end(summary, &mut line);
        // The same is said on standard error.
        let _ = self.write(&line, Count::Nothing);
    }

    fn write(&mut self, batch: &[u8], count: Count) -> Result<(), Trouble> {
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let all = lines(batch);
        let (result, done) = match &self.sink {
            Sink::Output(output) => {
                if self.torn && output.write(b"\n", self.stop.as_fd()).is_ok() {
                    self.torn = false;
                }
                match output.write(batch, self.stop.as_fd()) {
                    Ok(()) => (Ok(()), all),
                    Err((trouble, length)) => {
                        let written = &batch[..length];
                        self.torn |= written.last().is_some_and(|byte| *byte != b'\n');
                        (Err(trouble), lines(written))
                    }
                }
            }
            Sink::Syslog(syslog) => send(syslog, batch, &self.stop),
        };
        if let Count::Lines = count {
            self.account.wrote(done);
            self.account.gave_up(all - done);
        }
        result
    }
}

/// Whether what is written counts as lines that were shown.
enum Count {
    Lines,
    Nothing,
}

/// Sends a batch line by line; goes on after one that is refused.
fn send(syslog: &Syslog, batch: &[u8], stop: &OwnedFd) -> (Result<(), Trouble>, u64) {
    let mut done = 0;
    let mut result = Ok(());
    for line in batch.split_inclusive(|byte| *byte == b'\n') {
        match syslog.send(line, stop.as_fd()) {
            Ok(()) => done += 1,
            Err(Trouble::Refused) => result = Err(Trouble::Refused),
            Err(trouble) => return (Err(trouble), done),
        }
    }
    (result, done)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::SystemTime;

    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;
    use crate::monitor::look::{Look, OpenName, Who};
    use crate::monitor::queue::{Bounds, queue};
    use crate::trail::Mask;

    fn look() -> Look {
        Look {
            time: SystemTime::UNIX_EPOCH,
            mask: Mask::OPEN,
            pid: 1,
            tid: None,
            ppid: 0,
            start: 0,
            who: Who::Dead,
            comm: Vec::new(),
            path: OpenName::Path(b"/a".to_vec()),
        }
    }

    fn written(format: LineFormat, looks: usize, room: usize) -> (String, Arc<Account>) {
        let bounds = Bounds {
            looks: room,
            ..Bounds::default()
        };
        let (inlet, outlet, account) = queue(bounds);
        for _ in 0..looks {
            inlet.offer(look());
        }
        drop(inlet);
        (text(format, outlet, &account), account)
    }

    /// What is written of a queue to whose other end nothing comes any more.
    fn text(format: LineFormat, outlet: Outlet, account: &Arc<Account>) -> String {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (stop, _ringer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let writer = Writer {
            sink: Sink::Output(Output::new(write)),
            format,
            outlet,
            account: Arc::clone(account),
            stop,
            torn: false,
        };
        drop(writer.run());
        let mut text = String::new();
        std::fs::File::from(read).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn every_look_becomes_a_line_that_is_counted() {
        let (text, account) = written(LineFormat::Fapolicyd, 3, 8);
        assert_eq!(text.lines().count(), 3);
        assert_eq!((account.written(), account.lost_at_the_end()), (3, 0));
    }

    #[test]
    fn what_is_lost_between_two_lines_is_told_between_them() {
        let bounds = Bounds {
            looks: 2,
            ..Bounds::default()
        };
        let (inlet, outlet, account) = queue(bounds);
        for _ in 0..3 {
            inlet.offer(look());
        }
        drop(outlet.next());
        inlet.offer(look());
        drop(inlet);
        let text = text(LineFormat::Json, outlet, &account);
        let is_told: Vec<bool> = text
            .lines()
            .map(|line| line.contains("\"lost\":1,"))
            .collect();
        assert_eq!(is_told, [false, true, false], "{text}");
    }

    #[test]
    fn what_is_lost_at_the_end_is_told_there() {
        let (text, account) = written(LineFormat::Json, 3, 2);
        assert!(
            text.lines().last().unwrap().contains("\"lost\":1,"),
            "{text}"
        );
        assert_eq!((account.written(), account.lost_at_the_end()), (2, 1));
    }
}
