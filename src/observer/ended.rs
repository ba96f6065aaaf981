//! How a process ended, in words.

use nix::sys::signal::Signal;

/// The bit of an exit code that says that a core was dumped, which races with its helper.
const CORE: u32 = 0x80;

/// A status as wait(2) has it: `exit 0`, `signal SIGKILL`.
#[must_use]
pub fn ended(code: u32) -> String {
    match (code & !CORE & 0xff, code >> 8) {
        (0, status) => format!("exit {status}"),
        (signal, _) => match Signal::try_from(signal.cast_signed()) {
            Ok(signal) => format!("signal {signal}"),
            Err(_) => format!("signal {signal}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::ended;

    #[test]
    fn a_status_says_nothing_of_a_core() {
        assert_eq!(ended(0x300), "exit 3");
        assert_eq!(ended(0x8b), "signal SIGSEGV");
    }

    #[test]
    fn a_signal_without_a_name_has_its_number() {
        assert_eq!(ended(40), "signal 40");
    }
}
