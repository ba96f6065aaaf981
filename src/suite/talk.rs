//! What a guest may say, and when: a kernel that somebody gave us need not be an honest one.
//!
//! Pure. A message that no guest of ours would send ends the session: a guest that lies about one
//! thing is believed in nothing more.

use std::ops::Range;

use crate::bound;
use crate::trail::is_release;
use crate::wire::{Job, Message};

/// A talk with one guest, from its first message on.
#[derive(Debug)]
pub struct Talk {
    greeted: bool,
    running: Option<String>,
    left: Left,
}

/// What a guest still has to tell of.
#[derive(Debug)]
enum Left {
    Scenarios(Vec<String>),
    Cases(Range<u64>),
    Command {
        ended: bool,
        fetch: Vec<String>,
        bytes: u64,
    },
}

impl Talk {
    /// The talk with a guest that was asked for this.
    #[must_use]
    pub fn new(job: &Job) -> Talk {
        let left = match job {
            Job::Scenarios(asks) => {
                Left::Scenarios(asks.iter().map(|ask| ask.scenario.clone()).collect())
            }
            Job::Cases { seeds, .. } => Left::Cases(seeds.clone()),
            Job::Command { fetch, .. } => Left::Command {
                ended: false,
                fetch: fetch.clone(),
                bytes: 0,
            },
        };
        Talk {
            greeted: false,
            running: None,
            left,
        }
    }

    /// Takes the next message.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that follow "what no guest of ours does".
    pub fn hear(&mut self, message: &Message) -> Result<(), String> {
        if let Message::Hello { release, .. } = message {
            if std::mem::replace(&mut self.greeted, true) {
                return Err("it greets twice".to_owned());
            }
            return match is_release(release) {
                true => Ok(()),
                false => Err(format!("{release:?} is its kernel's release")),
            };
        }
        if !self.greeted {
            return Err("it begins without a greeting".to_owned());
        }
        match &mut self.left {
            Left::Scenarios(left) => of_scenarios(left, &mut self.running, message),
            Left::Cases(left) => of_cases(left, &mut self.running, message),
            Left::Command {
                ended,
                fetch,
                bytes,
            } => of_command((ended, fetch, bytes), message),
        }
    }
}

/// A message of a guest that was asked for scenarios.
fn of_scenarios(
    left: &mut Vec<String>,
    running: &mut Option<String>,
    message: &Message,
) -> Result<(), String> {
    match message {
        Message::Started { scenario } => {
            if let Some(running) = running {
                return Err(format!("{scenario:?} starts while {running:?} runs"));
            }
            if !left.contains(scenario) {
                return Err(format!("{scenario:?} starts, which nobody asks for"));
            }
            *running = Some(scenario.clone());
            Ok(())
        }
        Message::Finished { scenario, .. } => {
            if running.as_ref() != Some(scenario) {
                return Err(format!("{scenario:?} ends, which does not run"));
            }
            *running = None;
            left.retain(|name| name != scenario);
            Ok(())
        }
        _ => unasked(),
    }
}

/// A message of a guest that was asked for generated cases.
fn of_cases(
    left: &mut Range<u64>,
    running: &mut Option<String>,
    message: &Message,
) -> Result<(), String> {
    match message {
        Message::Started { scenario } => {
            if running.is_some() || left.is_empty() {
                return Err(format!("{scenario:?} starts, which nobody asks for"));
            }
            *running = Some(scenario.clone());
            Ok(())
        }
        Message::Case { seed, .. } => {
            let runs = running.take().is_some();
            match left.next() {
                Some(next) if runs && next == *seed => Ok(()),
                _ => Err(format!("the case {seed} ends, which does not run")),
            }
        }
        _ => unasked(),
    }
}

/// A message of a guest that was asked for a command: whether that has ended, what is still to be fetched, and how many
/// bytes were.
fn of_command(
    (ended, fetch, bytes): (&mut bool, &mut Vec<String>, &mut u64),
    message: &Message,
) -> Result<(), String> {
    match message {
        Message::Output { .. } if !*ended => Ok(()),
        Message::Piece {
            place,
            bytes: piece,
        } if fetch.contains(place) => {
            *bytes += piece.len() as u64;
            bound::check(*bytes, bound::FILE)
                .map_err(|error| format!("what is fetched has no end: {error}"))
        }
        Message::Fetched { place, .. } if fetch.contains(place) => {
            fetch.retain(|left| left != place);
            Ok(())
        }
        Message::Exited { .. } if !*ended => {
            *ended = true;
            Ok(())
        }
        _ => unasked(),
    }
}

fn unasked() -> Result<(), String> {
    Err("it tells of what it was not asked for".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::wire::{Ask, Input, Stream, Written};

    fn hello() -> Message {
        Message::Hello {
            release: "6.12.1".into(),
            version: String::new(),
        }
    }

    fn started(name: &str) -> Message {
        let scenario = name.into();
        Message::Started { scenario }
    }

    fn finished(name: &str) -> Message {
        Message::Finished {
            scenario: name.into(),
            seen: Vec::new(),
            model: None,
            output: Vec::new(),
        }
    }

    fn case(seed: u64) -> Message {
        Message::Case {
            seed,
            result: Ok(None),
            shrunk: None,
            reach: BTreeMap::new(),
            kept: Vec::new(),
        }
    }

    /// What is said of the last of these messages.
    fn of(job: &Job, messages: &[Message]) -> Result<(), String> {
        let mut talk = Talk::new(job);
        let (last, before) = messages.split_last().unwrap();
        for message in before {
            talk.hear(message).unwrap();
        }
        talk.hear(last)
    }

    /// The same where `a` and `b` are asked for.
    fn said(messages: &[Message]) -> Result<(), String> {
        let ask = |name: &str| Ask {
            scenario: name.into(),
            observe: Vec::new(),
            case: None,
            output: Written::Dropped,
        };
        of(&Job::Scenarios(vec![ask("a"), ask("b")]), messages)
    }

    fn refused(messages: &[Message], why: &str) {
        let error = said(messages).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn an_honest_guest_is_heard() {
        let own = [started("a"), finished("a"), started("b"), finished("b")];
        said(&[&[hello()], own.as_slice()].concat()).unwrap();
    }

    #[test]
    fn a_guest_that_does_not_greet_is_refused() {
        refused(&[started("a")], "without a greeting");
    }

    #[test]
    fn a_guest_that_greets_for_ever_is_refused() {
        refused(&[hello(), hello()], "greets twice");
    }

    #[test]
    fn a_release_that_is_none_is_refused() {
        let release = "6.12.1 and more".into();
        let version = String::new();
        refused(&[Message::Hello { release, version }], "6.12.1 and more");
    }

    #[test]
    fn a_scenario_that_starts_for_ever_is_refused() {
        refused(&[hello(), started("a"), started("a")], "while \"a\" runs");
    }

    #[test]
    fn a_scenario_that_nobody_asks_for_is_refused() {
        refused(&[hello(), started("c")], "nobody asks for");
    }

    #[test]
    fn a_scenario_that_ended_does_not_start_again() {
        let own = [hello(), started("a"), finished("a"), started("a")];
        refused(&own, "nobody asks for");
    }

    #[test]
    fn a_scenario_that_does_not_run_does_not_end() {
        refused(&[hello(), finished("a")], "does not run");
        refused(&[hello(), started("a"), finished("b")], "does not run");
    }

    #[test]
    fn what_belongs_to_another_job_is_refused() {
        refused(&[hello(), case(0)], "not asked for");
        refused(&[hello(), Message::Exited { status: 0 }], "not asked for");
    }

    #[test]
    fn cases_come_in_their_order_and_none_comes_again() {
        let job = Job::Cases {
            seeds: 3..5,
            keep: false,
        };
        let [x, y] = ["x", "y"].map(started);
        let (hello, [three, four]) = (hello(), [3, 4].map(case));
        let honest = [&hello, &x, &three, &y, &four].map(Clone::clone);
        of(&job, &honest).unwrap();
        for own in [
            vec![&hello, &three],
            vec![&hello, &x, &four],
            vec![&hello, &x, &x],
            vec![&hello, &x, &three, &x, &three],
            vec![&hello, &x, &three, &y, &four, &x],
        ] {
            let own: Vec<_> = own.into_iter().cloned().collect();
            assert!(of(&job, &own).is_err(), "{own:?}");
        }
    }

    #[test]
    fn a_command_says_nothing_after_its_end() {
        let job = Job::Command {
            argv: Vec::new(),
            input: Input::None,
            fetch: vec!["/a".into()],
            init: None,
        };
        let stream = Stream::Stdout;
        let output = Message::Output {
            stream,
            bytes: Vec::new(),
        };
        let exited = Message::Exited { status: 0 };
        of(&job, &[hello(), output.clone(), exited.clone()]).unwrap();
        assert!(of(&job, &[hello(), exited.clone(), output]).is_err());
        assert!(of(&job, &[hello(), exited.clone(), exited]).is_err());
    }

    #[test]
    fn what_is_fetched_was_asked_for_and_has_an_end() {
        let job = Job::Command {
            argv: Vec::new(),
            input: Input::None,
            fetch: vec!["/a".into()],
            init: None,
        };
        let piece = |place: &str, length: usize| Message::Piece {
            place: place.into(),
            bytes: vec![0; length],
        };
        let fetched = Message::Fetched {
            place: "/a".into(),
            result: Ok(()),
        };
        let own = [hello(), piece("/a", 1), fetched.clone()];
        of(&job, &own).unwrap();
        assert!(of(&job, &[hello(), piece("/b", 1)]).is_err());
        assert!(of(&job, &[hello(), fetched.clone(), piece("/a", 1)]).is_err());
        assert!(of(&job, &[hello(), fetched.clone(), fetched]).is_err());
        // Zeros that nobody looks at take no memory.
        let huge = piece("/a", (512 << 20) + 1);
        let error = of(&job, &[hello(), huge]).unwrap_err();
        assert!(error.contains("limit of 512 MiB"), "{error}");
    }
}
