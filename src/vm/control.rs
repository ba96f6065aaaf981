//! QEMU's own channel (QMP): a running machine is saved to a file, and restored from one.
//!
//! The guest's memory is not in that file. It lies in a file of its own, which the machine that is
//! saved shares and the restored one maps privately (`x-ignore-shared`), so that QEMU copies none of
//! it when it saves and restores.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

use crate::wire::Link;

/// How long QEMU may take for all that it is asked, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The channel to one QEMU.
#[derive(Debug)]
pub struct Control {
    link: Link,
    deadline: Instant,
}

impl Control {
    /// Greets QEMU and prepares it for a migration.
    ///
    /// # Errors
    ///
    /// QEMU is gone, silent, or does not know what is asked of it.
    pub fn open(channel: OwnedFd) -> Result<Control> {
        let mut control = Control {
            link: Link::new(channel),
            deadline: Instant::now() + PATIENCE,
        };
        control.hear(|message| message.get("QMP").is_some())?;
        control.ask(&json!({ "execute": "qmp_capabilities" }))?;
        let wanted = ["x-ignore-shared", "events"];
        let wanted = wanted.map(|name| json!({ "capability": name, "state": true }));
        control.ask(&json!({
            "execute": "migrate-set-capabilities",
            "arguments": { "capabilities": wanted },
        }))?;
        Ok(control)
    }

    /// Writes everything but the memory to a file; the machine stands still then.
    ///
    /// # Errors
    ///
    /// What QEMU says, a full disk among it.
    pub fn save(&mut self, file: BorrowedFd<'_>) -> Result<()> {
        let hand_over = json!({ "execute": "getfd", "arguments": { "fdname": "state" } });
        self.give(&hand_over, file)?;
        self.ask(&json!({ "execute": "migrate", "arguments": { "uri": "fd:state" } }))?;
        let end = self.hear(|message| {
            let status = message.pointer("/data/status").and_then(Value::as_str);
            let over = matches!(status, Some("completed" | "failed"));
            over && message.get("event").is_some_and(|name| name == "MIGRATION")
        })?;
        match end.pointer("/data/status").and_then(Value::as_str) {
            Some("completed") => Ok(()),
            _ => bail!("QEMU failed to save the machine"),
        }
    }

    /// Restores a machine that was started to wait for that, from a descriptor of QEMU's; it runs
    /// then.
    ///
    /// # Errors
    ///
    /// QEMU ended: its complaints say why.
    pub fn restore(&mut self, number: i32) -> Result<()> {
        let uri = format!("fd:{number}");
        self.ask(&json!({ "execute": "migrate-incoming", "arguments": { "uri": uri } }))?;
        self.hear(|message| message.get("event").is_some_and(|name| name == "RESUME"))?;
        Ok(())
    }

    fn ask(&mut self, command: &Value) -> Result<()> {
        self.link.send(command).context("failed to reach QEMU")?;
        self.answer(command)
    }

    /// As [`Control::ask`], with a descriptor that QEMU shall have.
    fn give(&mut self, command: &Value, file: BorrowedFd<'_>) -> Result<()> {
        let text = format!("{command}\n");
        let bytes = [std::io::IoSlice::new(text.as_bytes())];
        let files = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&files)];
        let (socket, flags) = (self.link.as_fd().as_raw_fd(), MsgFlags::empty());
        // Less than what a socket holds goes out whole (unix(7)).
        sendmsg::<()>(socket, &bytes, &rights, flags, None).context("failed to reach QEMU")?;
        self.answer(command)
    }

    fn answer(&mut self, command: &Value) -> Result<()> {
        let answer =
            self.hear(|message| message.get("return").is_some() || message.get("error").is_some())?;
        if let Some(error) = answer.get("error") {
            let what = command.get("execute").and_then(Value::as_str);
            let why = error.get("desc").and_then(Value::as_str);
            bail!(
                "QEMU does not do {}: {}",
                what.unwrap_or_default(),
                why.unwrap_or("it does not say why")
            );
        }
        Ok(())
    }

    /// Skips messages until one fits.
    fn hear(&mut self, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let message = self.link.receive(self.deadline);
            let message: Value = message.context("QEMU does not answer")?;
            if fits(&message) {
                return Ok(message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A QEMU that says these lines, whatever it is asked.
    fn control(lines: &[&str]) -> Result<Control> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        for line in lines {
            use std::io::Write as _;
            writeln!(&theirs, "{line}").unwrap();
        }
        // Open for us to write, with nothing more to come.
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let control = Control::open(ours.into());
        drop(theirs);
        control
    }

    const GREETING: [&str; 2] = [r#"{"QMP": {}}"#, r#"{"return": {}}"#];

    #[test]
    fn what_qemu_refuses_is_told_in_its_words() {
        let lines = [GREETING[0], r#"{"error": {"desc": "no such thing"}}"#];
        let error = control(&lines).unwrap_err().to_string();
        assert_eq!(error, "QEMU does not do qmp_capabilities: no such thing");
    }

    #[test]
    fn a_qemu_that_ends_does_not_answer() {
        let error = control(&GREETING).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "QEMU does not answer: the other side closed the link"
        );
    }
}
