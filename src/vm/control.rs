//! QEMU's own channel (QMP): a running machine is saved to a file, restored from one, or asked where its CPUs
//! are.
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

/// How long QEMU may take to save or restore a machine, on a busy host.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take to say where the CPUs are: it may have been stopped, and be the reason why nothing comes.
const BRIEF: Duration = Duration::from_secs(2);

/// The channel to one QEMU.
#[derive(Debug)]
pub struct Control {
    link: Link,
    deadline: Instant,
    is_greeted: bool,
}

impl Control {
    /// A channel on which nothing was said yet.
    #[must_use]
    pub fn new(channel: OwnedFd) -> Control {
        Control {
            link: Link::new(channel),
            deadline: Instant::now(),
            is_greeted: false,
        }
    }

    fn begin(&mut self, patience: Duration) -> Result<()> {
        self.deadline = Instant::now() + patience;
        if !self.is_greeted {
            self.hear(|message| message.get("QMP").is_some())?;
            self.ask(&json!({ "execute": "qmp_capabilities" }))?;
            self.is_greeted = true;
        }
        Ok(())
    }

    /// The same, for a migration.
    fn begin_migration(&mut self) -> Result<()> {
        self.begin(PATIENCE)?;
        let wanted = ["x-ignore-shared", "events"];
        let wanted = wanted.map(|name| json!({ "capability": name, "state": true }));
        self.ask(&json!({
            "execute": "migrate-set-capabilities",
            "arguments": { "capabilities": wanted },
        }))?;
        Ok(())
    }

    /// The registers of all CPUs, as QEMU prints them for people.
    ///
    /// # Errors
    ///
    /// QEMU is gone, or silent.
    pub fn registers(&mut self) -> Result<String> {
        self.begin(BRIEF)?;
        let answer = self.ask(&json!({
            "execute": "human-monitor-command",
            "arguments": { "command-line": "info registers -a" },
        }))?;
        let text = answer.get("return").and_then(Value::as_str);
        Ok(text.unwrap_or_default().to_owned())
    }

    /// Writes everything but the memory to a file; the machine stands still then.
    ///
    /// # Errors
    ///
    /// What QEMU says, a full disk among it.
    pub fn save(&mut self, file: BorrowedFd<'_>) -> Result<()> {
        self.begin_migration()?;
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
        self.begin_migration()?;
        let uri = format!("fd:{number}");
        self.ask(&json!({ "execute": "migrate-incoming", "arguments": { "uri": uri } }))?;
        self.hear(|message| message.get("event").is_some_and(|name| name == "RESUME"))?;
        Ok(())
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
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
        self.answer(command).map(drop)
    }

    fn answer(&mut self, command: &Value) -> Result<Value> {
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
        Ok(answer)
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

    /// What comes of a QEMU that says these lines, whatever it is asked.
    fn registers(lines: &[&str]) -> Result<String> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        for line in lines {
            use std::io::Write as _;
            writeln!(&theirs, "{line}").unwrap();
        }
        // Open for us to write, with nothing more to come.
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let registers = Control::new(ours.into()).registers();
        drop(theirs);
        registers
    }

    const GREETING: [&str; 2] = [r#"{"QMP": {}}"#, r#"{"return": {}}"#];

    #[test]
    fn what_qemu_refuses_is_told_in_its_words() {
        let lines = [GREETING[0], r#"{"error": {"desc": "no such thing"}}"#];
        let error = registers(&lines).unwrap_err().to_string();
        assert_eq!(error, "QEMU does not do qmp_capabilities: no such thing");
    }

    #[test]
    fn a_qemu_that_ends_does_not_answer() {
        let error = registers(&GREETING).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "QEMU does not answer: the other side closed the link"
        );
    }

    #[test]
    fn registers_are_what_qemu_prints() {
        let lines = [GREETING[0], GREETING[1], r#"{"return": "RIP=1"}"#];
        assert_eq!(registers(&lines).unwrap(), "RIP=1");
    }
}
