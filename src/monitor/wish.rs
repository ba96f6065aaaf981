//! What the signals ask of a watch with a command: to pass one on, or to end everything.

use std::time::{Duration, Instant};

use super::guard::Origin;

/// Signals that are no further apart than this are one wish. Who signals every process of ours sends the monitor two,
/// its own and the guard's, which that one passes on: `KillMode=control-group` of systemd.kill(5), or pkill(1).
const ONE_WISH: Duration = Duration::from_millis(100);

/// What is to be done for a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The command is to have it.
    PassOn,
    /// Nothing: the command has it, or had one of the same wish.
    Nothing,
    /// The command is to be killed.
    Kill,
}

/// What was asked for so far.
#[derive(Debug, Default)]
pub struct Wishes {
    first: Option<Instant>,
    passed_on: bool,
}

impl Wishes {
    /// Takes a signal that came while the command runs.
    ///
    /// The first wish is the command's business; the second one ends it.
    pub fn hear(&mut self, origin: Origin, now: Instant) -> Answer {
        let first = *self.first.get_or_insert(now);
        if now.duration_since(first) >= ONE_WISH {
            return Answer::Kill;
        }
        // A key at the terminal has reached the command already.
        if origin == Origin::Terminal || std::mem::replace(&mut self.passed_on, true) {
            return Answer::Nothing;
        }
        Answer::PassOn
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Duration, Instant, ONE_WISH, Origin, Wishes};

    /// What is done for signals that come after these times.
    fn answers(signals: &[(Origin, Duration)]) -> Vec<Answer> {
        let (mut wishes, begin) = (Wishes::default(), Instant::now());
        let answer = |(origin, after): &(Origin, Duration)| wishes.hear(*origin, begin + *after);
        signals.iter().map(answer).collect()
    }

    const NONE: Duration = Duration::ZERO;
    const SHORT: Duration = Duration::from_millis(1);

    #[test]
    fn one_signal_to_guard_and_monitor_is_passed_on_once() {
        let both = [(Origin::Process, NONE), (Origin::Process, SHORT)];
        assert_eq!(answers(&both), [Answer::PassOn, Answer::Nothing]);
    }

    #[test]
    fn a_second_wish_kills() {
        let two = [(Origin::Process, NONE), (Origin::Process, ONE_WISH)];
        assert_eq!(answers(&two), [Answer::PassOn, Answer::Kill]);
    }

    #[test]
    fn a_key_reaches_the_command_without_us() {
        let two = [(Origin::Terminal, NONE), (Origin::Terminal, ONE_WISH)];
        assert_eq!(answers(&two), [Answer::Nothing, Answer::Kill]);
    }

    #[test]
    fn what_comes_with_a_key_is_passed_on() {
        let two = [(Origin::Terminal, NONE), (Origin::Process, SHORT)];
        assert_eq!(answers(&two), [Answer::Nothing, Answer::PassOn]);
    }
}
