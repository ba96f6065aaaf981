//! One difference between two trails, and the words for it.

use std::fmt;

use serde::Serialize;

use crate::trail::Step;

/// One difference, with the process that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// Heading of the case that it is in, where the scenario observes several starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Name of the process in the trail; none for what is about the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// What is different.
    #[serde(flatten)]
    pub what: What,
}

/// What is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum What {
    /// A step that was not there.
    Added {
        /// The step.
        act: Act,
        /// The step before it.
        after: Option<Act>,
    },
    /// A step that is there no more.
    Removed {
        /// The step.
        act: Act,
    },
    /// The same step at an earlier place.
    Earlier {
        /// The step.
        act: Act,
        /// What it comes before now.
        before: Act,
    },
    /// The same step at a later place.
    Later {
        /// The step.
        act: Act,
        /// What it comes after now.
        after: Act,
    },
    /// A step of the same kind, at the same place, on another file.
    Renamed {
        /// The step as it was.
        from: Act,
        /// The step as it is.
        to: Act,
    },
    /// A field of steps that are otherwise the same.
    Field {
        /// Name of the field, as the trail's text has it.
        field: &'static str,
        /// At which steps.
        place: Place,
        /// Its old value.
        from: String,
        /// Its new value.
        to: String,
    },
    /// The moment at which exe changes is another.
    Turned {
        /// What exe becomes.
        exe: String,
        /// The first step that was seen under it.
        from: Act,
        /// The first step that is seen under it now.
        to: Act,
    },
    /// A process that was not there.
    Appeared {
        /// How it starts.
        start: String,
        /// How many steps it has.
        steps: usize,
    },
    /// A process that is there no more.
    Vanished {
        /// How it started.
        start: String,
        /// How many steps it had.
        steps: usize,
    },
    /// Another start.
    Start {
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
    /// Another end.
    End {
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
    /// The program was told something else.
    Told {
        /// What it is about: `execfn`, `comm`, ...
        field: &'static str,
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
    /// The listener hangs, or no longer does.
    Hang {
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
    /// Our own program found something else of its state.
    Found {
        /// What it is about: `ignored`, `umask`, ...
        field: String,
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
    /// Another verdict of a claim, or another reason for it.
    Verdict {
        /// The claim.
        claim: String,
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
    /// Something else was found out.
    Fact {
        /// What it is about.
        fact: String,
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
    /// A case that was not there.
    NewCase,
    /// A case that is there no more.
    LostCase,
}

/// What a step does, apart from the identity that it is seen under.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Act {
    /// `execute` or `open`.
    pub step: String,
    /// The file.
    pub path: String,
}

/// The steps at which a field changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// All of the process.
    Everywhere,
    /// All before exe changes.
    BeforeTheExec,
    /// All after exe has changed.
    AfterTheExec,
    /// All between this change of exe and the next, where there are several.
    AfterExec(usize),
    /// One step.
    At(Act),
    /// From one step to another.
    Between(Act, Act),
}

impl From<&Step> for Act {
    fn from(step: &Step) -> Act {
        Act {
            step: step.step.clone(),
            path: step.path.clone(),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.step, self.path)
    }
}

impl Act {
    /// In the third person: "opens /etc/ld.so.cache".
    fn verb(&self) -> String {
        match self.step.as_str() {
            "open" => format!("opens {}", self.path),
            "execute" => format!("executes {}", self.path),
            other => format!("does {other} on {}", self.path),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Everywhere => write!(f, "in all steps"),
            Place::BeforeTheExec => write!(f, "before the exec"),
            Place::AfterTheExec => write!(f, "after the exec"),
            Place::AfterExec(number) => write!(f, "after exec number {number}"),
            Place::At(act) => write!(f, "at {act}"),
            Place::Between(first, last) => write!(f, "from {first} to {last}"),
        }
    }
}

fn counted(steps: usize) -> String {
    format!("{steps} {}", if steps == 1 { "step" } else { "steps" })
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Added { act, after: None } => write!(f, "{} first", act.verb()),
            What::Added {
                act,
                after: Some(after),
            } => write!(f, "also {}, after {after}", act.verb()),
            What::Removed { act } => write!(f, "no longer {}", act.verb()),
            What::Earlier { act, before } => write!(f, "{} before {before}", act.verb()),
            What::Later { act, after } => write!(f, "{} after {after}", act.verb()),
            What::Renamed { from, to } => {
                write!(f, "{} instead of {}", to.verb(), from.path)
            }
            What::Field {
                field,
                place,
                from,
                to,
            } => write!(f, "{field} {place}: {from} -> {to}"),
            What::Turned { exe, from, to } => {
                write!(f, "exe becomes {exe} before {to}; it did before {from}")
            }
            What::Appeared { start, steps } => {
                write!(f, "a new process with {}: {start}", counted(*steps))
            }
            What::Vanished { start, steps } => {
                write!(f, "the process with {} is gone: {start}", counted(*steps))
            }
            What::Start { from, to } => write!(f, "starts otherwise: {from} -> {to}"),
            What::End { from, to } => write!(f, "ends otherwise: {from} -> {to}"),
            What::Told { field, from, to } => {
                write!(f, "the program is told {field}: {from} -> {to}")
            }
            What::Hang { from, to } => write!(f, "hang of the listener: {from} -> {to}"),
            What::Found { field, from, to } => write!(f, "finds {field}: {from} -> {to}"),
            What::Verdict { claim, from, to } => {
                let (from, to) = (beside(from, to), beside(to, from));
                write!(f, "verdict {claim}: {from} -> {to}")
            }
            What::Fact { fact, from, to } => write!(f, "{fact}: {from} -> {to}"),
            What::NewCase => write!(f, "a new case"),
            What::LostCase => write!(f, "the case is gone"),
        }
    }
}

/// A verdict beside another one: what holds names all that was tried, which tells nothing beside what does not.
fn beside<'a>(verdict: &'a str, other: &str) -> &'a str {
    let kind = |verdict: &'a str| verdict.split_once(": ").map_or(verdict, |(kind, _)| kind);
    match kind(verdict) {
        "holds" if !other.starts_with("holds: ") => "holds",
        _ => verdict,
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(case) = &self.case {
            write!(f, "case {case}: ")?;
        }
        if let Some(process) = &self.process {
            write!(f, "{process}: ")?;
        }
        self.what.fmt(f)
    }
}
