//! Standard output whose reader may have seen enough: `exetrail list | head`.

use std::io;
use std::os::fd::AsFd;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What became of a write to standard output. A reader that is gone is no error: what counts for the
/// exit status goes on.
///
/// # Errors
///
/// The output cannot be written for another reason, such as a full disk.
pub fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("failed to write the output"),
    }
}

/// Whether a command failed for want of a reader of its standard output, and for nothing else.
#[must_use]
pub fn nobody_reads(error: &anyhow::Error) -> bool {
    let closed = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    causes.any(closed) && is_closed(&io::stdout())
}

fn is_closed(pipe: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
    let ready = poll(&mut fds, PollTimeout::ZERO);
    let [fd] = fds;
    ready.is_ok()
        && fd
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLERR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_gone_is_no_error_and_a_full_disk_is_one() {
        assert!(written(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(written(Err(io::ErrorKind::StorageFull.into())).is_err());
    }

    #[test]
    fn a_pipe_is_closed_when_its_reader_is_gone() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(!is_closed(&writer));
        drop(reader);
        assert!(is_closed(&writer));
    }

    #[test]
    fn another_broken_pipe_is_an_error() {
        // Whoever runs this test reads its output.
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(!nobody_reads(&error));
    }
}
