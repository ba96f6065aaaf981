//! What a symbol is on several kernels, alike ones together.

use std::fmt::Write as _;

use super::{Offer, Passed};

/// One symbol on one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The kernel.
    pub kernel: String,
    /// What it offers.
    pub offer: Offer,
    /// How successful execs pass it, and which; empty where the recorded stages would not show it.
    pub passed: Vec<(&'static str, Option<Passed>)>,
    /// Of how many failing execs that are recorded it sees how many.
    pub failing: (usize, usize),
}

/// One symbol on all kernels that were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The symbol.
    pub symbol: String,
    /// Kernel by kernel, in the order of the question.
    pub sides: Vec<Side>,
}

impl Hook {
    /// The kernels on which it cannot be hooked.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        let missing = self
            .sides
            .iter()
            .filter(|side| side.offer.ways().is_empty());
        missing.map(|side| side.kernel.as_str()).collect()
    }
}

/// A hook in words.
#[must_use]
pub fn show(hook: &Hook) -> String {
    let mut groups: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for side in &hook.sides {
        let lines = lines(side);
        match groups.iter_mut().find(|(known, _)| *known == lines) {
            Some((_, kernels)) => kernels.push(&side.kernel),
            None => groups.push((lines, vec![&side.kernel])),
        }
    }
    let mut text = format!("{}\n", hook.symbol);
    for (lines, kernels) in groups {
        // Writing into memory does not fail.
        let _ = writeln!(text, "  {}", kernels.join(" "));
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn lines(side: &Side) -> Vec<String> {
    let offer = &side.offer;
    let ways = offer.ways();
    if ways.is_empty() {
        return vec![
            match (offer.functions.is_empty(), offer.blacklisted.is_empty()) {
                (false, false) => {
                    "cannot be hooked: no kprobe is allowed there (kprobes/blacklist)".to_owned()
                }
                (false, true) => "cannot be hooked".to_owned(),
                (true, _) => {
                    "is not there: neither a function, which may be inlined or of a module that is not \
                     loaded, nor a tracepoint"
                        .to_owned()
                }
            },
        ];
    }
    let mut lines = vec![ways.join(", ")];
    lines.extend(
        offer
            .signature
            .clone()
            .map(|signature| format!("{}{signature}", offer.symbol)),
    );
    for (which, passed) in &side.passed {
        lines.push(match passed {
            None => format!("in a successful exec of {which}: never"),
            Some(passed) => format!("in a successful exec of {which}: {}", moment(passed)),
        });
    }
    let (seen, all) = side.failing;
    if all > 0 && !side.passed.is_empty() {
        lines.push(format!("in {seen} of {all} recorded execs that fail"));
    }
    lines
}

fn moment(passed: &Passed) -> String {
    let times = match passed.times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        times => format!("{times} times"),
    };
    let all = [
        ("exe", passed.after_exe),
        ("comm", passed.after_comm),
        ("credentials", passed.after_credentials),
    ];
    let of = |after| {
        let names = all.iter().filter(|(_, is)| *is == after);
        names.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let parts = [("before", of(false)), ("after", of(true))];
    let parts: Vec<_> = parts
        .iter()
        .filter_map(|(when, names)| changes(names).map(|what| format!("{when} {what}")))
        .collect();
    format!("{times}, at {}, {}", passed.stage, parts.join(" and "))
}

/// "exe, comm and credentials change"; none of nothing.
fn changes(names: &[&str]) -> Option<String> {
    match names {
        [] => None,
        ["credentials"] => Some("credentials change".to_owned()),
        [name] => Some(format!("{name} changes")),
        [names @ .., last] => Some(format!("{} and {last} change", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(kernel: &str, function: Option<&str>) -> Side {
        Side {
            kernel: kernel.into(),
            offer: Offer {
                symbol: "f".into(),
                functions: function.into_iter().map(ToOwned::to_owned).collect(),
                ..Offer::default()
            },
            passed: Vec::new(),
            failing: (0, 0),
        }
    }

    #[test]
    fn what_could_be_hooked_and_is_never_passed_is_said() {
        let mut side = side("7.3", Some("f"));
        let script = Passed {
            times: 1,
            stage: "open-interpreter".into(),
            ..Passed::default()
        };
        side.passed = vec![("a program", None), ("a script", Some(script))];
        side.failing = (1, 15);
        let hook = Hook {
            symbol: "f".into(),
            sides: vec![side],
        };
        let text = show(&hook);
        assert!(text.contains("of a program: never\n"), "{text}");
        let script =
            "of a script: once, at open-interpreter, before exe, comm and credentials change";
        assert!(text.contains(script), "{text}");
        assert!(
            text.contains("in 1 of 15 recorded execs that fail"),
            "{text}"
        );
    }

    #[test]
    fn what_changes_is_said_as_a_sentence() {
        assert_eq!(changes(&[]), None);
        assert_eq!(changes(&["comm"]).unwrap(), "comm changes");
        assert_eq!(changes(&["credentials"]).unwrap(), "credentials change");
        assert_eq!(changes(&["exe", "comm"]).unwrap(), "exe and comm change");
    }

    #[test]
    fn kernels_that_are_alike_stand_together_and_missing_ones_are_named() {
        let hook = Hook {
            symbol: "f".into(),
            sides: vec![
                side("5.10", Some("f")),
                side("6.1", Some("f")),
                side("7.3", None),
            ],
        };
        assert_eq!(hook.missing(), ["7.3"]);
        let text = show(&hook);
        assert!(
            text.starts_with("f\n  5.10 6.1\n    kprobe\n  7.3\n    is not there"),
            "{text}"
        );
    }
}
