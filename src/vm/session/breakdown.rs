//! Why a boot came to no good end, in words.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

use crate::trail::printable;
use crate::vm::console::Console;
use crate::vm::cpus::Cpu;
use crate::wire::LinkError;

/// Why a boot came to no good end.
#[derive(Debug, Error)]
pub enum Breakdown {
    /// The user wants to stop.
    #[error("interrupted")]
    Interrupted,
    /// Something failed; with the console's last lines.
    #[error("{0}")]
    Broken(String),
    /// The guest did what it was to do, and its state was not saved; with what QEMU said.
    #[error("{0}")]
    Unsaved(String),
}

/// Why following a guest ended early.
pub(super) enum End {
    Interrupted,
    /// With where its CPUs were then.
    Deadline(Duration, Vec<Cpu>),
    Whole(Duration),
    Nonsense(String),
    Hopeless,
    Channel(LinkError),
    Guest(String),
    System(anyhow::Error),
    Unsaved(anyhow::Error),
}

/// What is known of a machine that has ended.
pub(super) struct Seen<'a> {
    /// Its guest said something.
    pub reached: bool,
    /// What its kernel wrote.
    pub console: &'a Console,
    /// What QEMU said of itself.
    pub complaints: &'a [u8],
}

impl Seen<'_> {
    /// Whether its guest ended the machine: QEMU, which restarts none, ends well then, as after a panic.
    fn turned_off(&self, status: Option<ExitStatus>) -> bool {
        self.reached
            && status.is_some_and(|status| status.success())
            && self.console.reason().is_none()
    }
}

impl End {
    /// What it was, in words; `status` is that of QEMU where it ended by itself.
    pub(super) fn explain(self, seen: &Seen<'_>, status: Option<ExitStatus>) -> Breakdown {
        let place = if seen.reached {
            "in the guest"
        } else {
            "before PID 1 came up"
        };
        let what = match self {
            End::Interrupted => return Breakdown::Interrupted,
            End::Unsaved(error) => {
                let said = printable(seen.complaints).replace("\\x0a", " ");
                return Breakdown::Unsaved(match said.trim() {
                    "" => format!("{error:#}"),
                    said => format!("{error:#}; QEMU says: {said}"),
                });
            }
            End::Deadline(patience, cpus) => {
                let mut text = format!(
                    "nothing came for {} s, {place}: the guest hangs",
                    patience.as_secs()
                );
                for (number, cpu) in cpus.iter().enumerate() {
                    text.push_str(&format!("; CPU {number} is {cpu}"));
                }
                text
            }
            End::Whole(limit) => {
                format!(
                    "the guest was not done within {} s, however much it said",
                    limit.as_secs()
                )
            }
            End::Nonsense(what) => format!("the guest says what no guest of ours does: {what}"),
            End::Guest(reason) => reason,
            End::Hopeless => format!("the guest can go no further, {place}"),
            End::System(error) => format!("{error:#}{}", ended(status)),
            End::Channel(LinkError::Closed) if seen.turned_off(status) => {
                "the machine was turned off or restarted from inside".to_owned()
            }
            End::Channel(LinkError::Closed) => format!("QEMU ended {place}{}", ended(status)),
            End::Channel(LinkError::Cut(bytes)) => format!(
                "the record channel was cut in the middle of a record ({bytes} bytes of it came), \
                 QEMU ended{}",
                ended(status)
            ),
            End::Channel(error) => format!("the record channel failed {place}: {error}"),
        };
        let mut text = what;
        if let Some(reason) = seen.console.reason() {
            text = format!("{reason}; {text}");
        }
        let complaints = printable(seen.complaints).replace("\\x0a", "\n");
        if !complaints.trim().is_empty() {
            text = format!("{text}\nQEMU says:\n{}", indent(complaints.trim()));
        }
        let tail = seen.console.tail();
        match tail.is_empty() {
            true => Breakdown::Broken(format!("{text}\nthe console is empty")),
            false => Breakdown::Broken(format!(
                "{text}\nthe console's last lines:\n{}",
                indent(&tail)
            )),
        }
    }
}

/// The end of QEMU, as the last words of a sentence.
pub(super) fn ended(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.signal(), status.code())) {
        Some((Some(signal), _)) => format!(", killed by signal {signal}"),
        Some((None, Some(0))) | None => String::new(),
        Some((None, code)) => format!(" with status {}", code.unwrap_or(-1)),
    }
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a channel that is closed, with QEMU's status 0 and this on the console.
    fn closed(reached: bool, said: &[u8]) -> String {
        let mut console = Console::default();
        console.feed(said);
        let seen = Seen {
            reached,
            console: &console,
            complaints: b"",
        };
        let end = End::Channel(LinkError::Closed);
        end.explain(&seen, Some(ExitStatus::default())).to_string()
    }

    #[test]
    fn who_turns_the_machine_off_is_told_so() {
        let text = closed(true, b"reboot: Power down\n");
        assert!(
            text.starts_with("the machine was turned off or restarted"),
            "{text}"
        );
        assert!(closed(false, b"").starts_with("QEMU ended before PID 1"));
        assert!(closed(true, b"Kernel panic - not syncing: x\n").contains("QEMU ended"));
    }
}
