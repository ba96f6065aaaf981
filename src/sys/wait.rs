//! The end of a child, by whatever signal: nix has no name for a real-time one, and fails after it has reaped.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitPidFlag;
use nix::unistd::Pid;

/// Reaps a child, or any (waitpid(2)); none when nobody has ended and `WNOHANG` is among the flags.
///
/// # Errors
///
/// `ECHILD` without such a child, `EINTR` at a signal.
pub fn reap(child: Option<Pid>, flags: WaitPidFlag) -> nix::Result<Option<(Pid, ExitStatus)>> {
    let child = child.map_or(-1, Pid::as_raw);
    let mut status = 0;
    // SAFETY: the status is a valid place to write to.
    let pid = Errno::result(unsafe { libc::waitpid(child, &raw mut status, flags.bits()) })?;
    Ok((pid != 0).then(|| (Pid::from_raw(pid), ExitStatus::from_raw(status))))
}

/// What a shell makes of the end of a command: its status, or 128 and the number of the signal.
#[must_use]
pub fn shell_status(status: ExitStatus) -> u8 {
    let number = status.code().or(status.signal().map(|signal| 128 + signal));
    number
        .and_then(|number| u8::try_from(number).ok())
        .unwrap_or(u8::MAX)
}

/// A signal by its name; those in real time are counted from the first that a program may use.
#[must_use]
pub fn signal_name(number: i32) -> String {
    match (Signal::try_from(number), number - libc::SIGRTMIN()) {
        (Ok(signal), _) => signal.as_str().to_owned(),
        (Err(_), 0) => "SIGRTMIN".to_owned(),
        (Err(_), place) if place > 0 => format!("SIGRTMIN+{place}"),
        (Err(_), _) => format!("signal-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// How a shell ends that does this.
    #[expect(clippy::zombie_processes, reason = "what is tested reaps it")]
    fn end(script: &str) -> ExitStatus {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let (ended, status) = reap(Some(pid), WaitPidFlag::empty()).unwrap().unwrap();
        assert_eq!(ended, pid);
        status
    }

    #[test]
    fn a_child_that_a_real_time_signal_ends_is_reaped_with_its_number() {
        let status = end("kill -42 $$");
        assert_eq!((status.signal(), status.code()), (Some(42), None));
        assert_eq!(shell_status(status), 170);
    }

    #[test]
    fn a_status_is_the_childs_own() {
        assert_eq!(shell_status(end("exit 7")), 7);
    }

    #[test]
    fn who_has_not_ended_is_not_waited_for() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        assert_eq!(reap(Some(pid), WaitPidFlag::WNOHANG), Ok(None));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn every_signal_has_a_name() {
        let names = [9, 34, 42, 33].map(signal_name);
        assert_eq!(names, ["SIGKILL", "SIGRTMIN", "SIGRTMIN+8", "signal-33"]);
    }
}
