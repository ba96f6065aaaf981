//! Standard output whose reader may have seen enough: `exetrail list | head`.
//!
//! The exit status is what it would have been, as with ripgrep; `boot` alone passes on what its command would have got.
//! A descriptor that was closed before (`>&-`) is `/dev/null` by then, as with git (Rust opens it at the start).

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::view::Colour;

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

/// The same of a text that is made while it is written.
///
/// # Errors
///
/// As those of [`written`], and what kept the text from being made.
pub fn read_or_not(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if nobody_reads(&error) => Ok(()),
        result => result.context("failed to write the output"),
    }
}

/// Whether standard output takes colours.
#[must_use]
pub fn colour() -> Colour {
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    coloured(io::stdout().is_terminal(), &set("NO_COLOR"), &set("TERM"))
}

/// Whether standard error is a terminal whose lines can be drawn again.
#[must_use]
pub fn can_redraw() -> bool {
    io::stderr().is_terminal() && is_able(&std::env::var("TERM").unwrap_or_default())
}

/// NO_COLOR counts where it is not empty, as its standard has it.
fn coloured(terminal: bool, no_color: &str, term: &str) -> Colour {
    match terminal && no_color.is_empty() && is_able(term) {
        true => Colour::Yes,
        false => Colour::No,
    }
}

/// Whether a terminal of this type obeys escape sequences.
fn is_able(term: &str) -> bool {
    !matches!(term, "" | "dumb")
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
    fn colours_are_for_a_terminal_that_takes_them() {
        assert_eq!(coloured(true, "", "xterm"), Colour::Yes);
        for (terminal, no_color, term) in [
            (false, "", "xterm"),
            (true, "1", "xterm"),
            (true, "", "dumb"),
            (true, "", ""),
        ] {
            assert_eq!(coloured(terminal, no_color, term), Colour::No);
        }
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
