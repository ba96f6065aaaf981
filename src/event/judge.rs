//! The judgement: what a sign says of each exec, held against what is known.

use super::attempt::{Attempt, End};
use super::lie::{Account, Lie, lies};
use super::sign::{Says, Sign};
use super::value::{BAR, meant};
use super::words::words;
use super::{Event, Field, Report};

/// The result of a call, where whoever tells of it does not know the result.
const OPEN: &str = "?";

/// What a sign makes of one exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignJudged {
    /// The exec.
    pub attempt: Attempt,
    /// Whether it was heard of.
    pub heard: Heard,
    /// The program's path; none where nothing was heard.
    pub path: Option<Path>,
    /// The path as it was told.
    pub told: Option<String>,
    /// Script and interpreter; none for a program that is no script, or of which nothing was heard.
    pub chain: Option<Chain>,
    /// Exe and comm; none where neither is told.
    pub identity: Option<Whose>,
    /// Whether it stands where it belongs among the steps; none where it has no place.
    pub in_order: Option<bool>,
    /// Whether the cgroup is told, which names the container.
    pub container: bool,
    /// The user, real and effective; none where it is not told.
    pub user: Option<String>,
    /// What of it is false.
    pub lies: Vec<Lie>,
    /// The event that tells of it first.
    pub event: Option<Event>,
}

impl SignJudged {
    /// Whether anything was heard of it.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.heard != Heard::Missed
    }
}

/// Whether an exec was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// It was, and for what it is: as an exec, or as a call that failed.
    Known,
    /// It was, with nothing that tells an exec from a call that failed.
    Unsettled,
    /// It was not.
    Missed,
}

/// What became of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// It is the file that was executed.
    Right,
    /// It is what the caller passed, and that is not the file's own path.
    AsPassed,
    /// It is the interpreter, of a program that has one.
    Interpreter,
    /// It is a beginning of the right one.
    Cut,
    /// It is empty.
    Empty,
    /// It is another file.
    Another,
    /// There is none.
    Absent,
    /// What it should be is not known: nobody watches the file system of the file.
    Unknown,
}

/// What is told of a script and its interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// Both, each for itself.
    Both,
    /// The script alone.
    Script,
    /// The interpreter alone.
    Interpreter,
    /// Neither.
    Neither,
}

/// Whose exe and comm are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// The new program's.
    New,
    /// The caller's.
    Old,
    /// One of each.
    Mixed,
    /// Neither the caller's nor the new program's.
    Other,
}

/// What a sign makes of the execs of a scenario.
#[must_use]
pub fn judge(sign: &Sign, attempts: &[Attempt], report: &Report) -> Vec<SignJudged> {
    let events: Vec<&Event> = report
        .events
        .iter()
        .filter(|event| sign.is_of(event))
        .collect();
    let judged = attempts.iter().enumerate().map(|(place, attempt)| {
        let heard = heard(sign, place, attempts, &events);
        one(sign, attempt, &heard)
    });
    judged.collect()
}

/// The events that are about one exec.
fn heard<'a>(
    sign: &Sign,
    place: usize,
    attempts: &[Attempt],
    events: &[&'a Event],
) -> Vec<&'a Event> {
    let attempt = &attempts[place];
    let own = events
        .iter()
        .copied()
        .filter(|event| event.process == attempt.process);
    // The n-th of its kind in its process: events of one process are in order.
    let nth = |counts: fn(&Attempt) -> bool| -> Option<usize> {
        let before = attempts[..place].iter();
        let before = before.filter(|one| one.process == attempt.process && counts(one));
        counts(attempt).then(|| before.count())
    };
    let the = |number: Option<usize>| number.and_then(|number| own.clone().nth(number));
    match sign.says {
        Says::Executed => the(nth(is_executed)).into_iter().collect(),
        Says::Asked | Says::Returned => the(nth(|_| true)).into_iter().collect(),
        Says::Measured => {
            let owners = owners(attempts, events);
            let own = owners.iter().zip(events);
            let own = own.filter(|(owner, _)| **owner == Some(place));
            own.map(|(_, event)| *event).collect()
        }
        // Who does not know what came of a call tells of each when it is made.
        Says::Told if own.clone().any(is_asked) => the(nth(|_| true)).into_iter().collect(),
        Says::Told => {
            let succeeded = is_executed(attempt);
            let mut same = own
                .clone()
                .filter(|event| tells_of_failure(event) != succeeded);
            let number = match succeeded {
                true => nth(is_executed),
                false => nth(|one| !is_executed(one)),
            };
            number
                .and_then(|number| same.nth(number))
                .into_iter()
                .collect()
        }
        Says::Checked => the(nth(has_opened)).into_iter().collect(),
        Says::Called => {
            let of_parent = |event: &Event| {
                attempt.from == 0 && event.get(Field::Child) == Some(attempt.process.as_str())
            };
            let called = |event: &Event| {
                event.process == attempt.process && event.after == Some(attempt.from)
            };
            let all = events.iter().copied();
            all.filter(|event| of_parent(event) || called(event))
                .collect()
        }
        Says::Opened => {
            let inside = attempt.from..=attempt.to;
            own.filter(|event| event.after.is_some_and(|after| inside.contains(&after)))
                .collect()
        }
        Says::Is | Says::Loaded if !is_executed(attempt) => Vec::new(),
        Says::Is | Says::Loaded => {
            let mut next = attempts[place + 1..].iter();
            let next = next.find(|one| one.process == attempt.process && is_executed(one));
            let as_new = attempt.to..next.map_or(usize::MAX, |one| one.to);
            own.filter(|event| event.after.is_some_and(|after| as_new.contains(&after)))
                .take(1)
                .collect()
        }
    }
}

fn is_executed(attempt: &Attempt) -> bool {
    attempt.end == End::Executed
}

/// Whether the kernel came as far as opening a file.
fn has_opened(attempt: &Attempt) -> bool {
    is_executed(attempt) || !attempt.files.is_empty()
}

fn tells_of_failure(event: &Event) -> bool {
    event.get(Field::Result).is_some_and(|result| result != "0")
}

/// Whose exec each event is of, where no process is told: the first one's that opens its file, and for a file
/// that nobody opens by that path the first one's that came about and has none.
fn owners(attempts: &[Attempt], events: &[&Event]) -> Vec<Option<usize>> {
    let opens = |attempt: &Attempt, event: &Event| {
        let file = event.get(Field::File);
        attempt
            .files
            .iter()
            .any(|known| Some(known.as_str()) == file)
    };
    let mut owners: Vec<Option<usize>> = events
        .iter()
        .map(|event| attempts.iter().position(|attempt| opens(attempt, event)))
        .collect();
    for event in 0..owners.len() {
        if owners[event].is_none() {
            let is_left = |(place, attempt): &(usize, &Attempt)| {
                attempt.end == End::Executed && !owners.contains(&Some(*place))
            };
            let left = attempts.iter().enumerate().find(is_left);
            owners[event] = left.map(|(place, _)| place);
        }
    }
    owners
}

fn one(sign: &Sign, attempt: &Attempt, events: &[&Event]) -> SignJudged {
    let get = |field: Field| events.iter().find_map(|event| event.get(field));
    let told = match sign.says {
        // Several files are opened; the right one is among them or it is not.
        Says::Opened | Says::Measured => {
            let mut files = events.iter().filter_map(|event| told_path(sign, event));
            let program = |file: &&str| {
                attempt
                    .program()
                    .is_some_and(|own| names(attempt, file, own))
            };
            let right = files.clone().find(program);
            right.or_else(|| files.next())
        }
        _ => events.iter().find_map(|event| told_path(sign, event)),
    };
    let is_heard = !events.is_empty();
    let heard = match (is_heard, sign.says) {
        (false, _) => Heard::Missed,
        (true, Says::Executed | Says::Is | Says::Loaded) => Heard::Known,
        (true, Says::Told) if events.iter().any(|event| is_asked(event)) => Heard::Unsettled,
        (true, Says::Told) if attempt.end == End::Executed => Heard::Known,
        (true, Says::Returned | Says::Told) => told_result(attempt, get(Field::Result)),
        (true, Says::Called) if attempt.end != End::Executed => {
            told_result(attempt, get(Field::Result))
        }
        (true, Says::Asked | Says::Called | Says::Checked | Says::Measured | Says::Opened) => {
            Heard::Unsettled
        }
    };
    let path = is_heard.then(|| path(attempt, told));
    let identity = identity(attempt, get(Field::Exe), get(Field::Comm));
    let account = Account {
        heard,
        path,
        identity,
        arguments: get(Field::Argv),
    };
    SignJudged {
        heard,
        path,
        told: told.map(ToOwned::to_owned),
        chain: (is_heard && attempt.is_interpreted()).then(|| chain(attempt, events)),
        identity,
        lies: lies(sign, attempt, account),
        in_order: in_order(sign, attempt, events),
        container: get(Field::Cgroup).is_some(),
        user: get(Field::Uid).map(ToOwned::to_owned),
        event: events.first().map(|event| (*event).clone()),
        attempt: attempt.clone(),
    }
}

/// Whether it is open what came of the call.
fn is_asked(event: &Event) -> bool {
    event.get(Field::Result) == Some(OPEN)
}

/// The path that an event of a sign tells.
fn told_path<'a>(sign: &Sign, event: &'a Event) -> Option<&'a str> {
    let mut fields = sign.path.iter();
    fields.find_map(|field| event.get(*field))
}

fn told_result(attempt: &Attempt, result: Option<&str>) -> Heard {
    let right = match &attempt.end {
        End::Executed => Some("0"),
        End::Failed(errno) => Some(errno.as_str()),
        End::Killed => result.filter(|result| *result != "0"),
    };
    match right == result {
        true => Heard::Known,
        false => Heard::Unsettled,
    }
}

/// Judges a path by the file that was executed.
fn path(attempt: &Attempt, told: Option<&str>) -> Path {
    let Some(told) = told else {
        return Path::Absent;
    };
    let passed = attempt.passed.as_deref();
    match attempt.program() {
        _ if told.is_empty() => Path::Empty,
        None => Path::Unknown,
        Some(program) if names(attempt, told, program) => Path::Right,
        _ if passed.is_some_and(|passed| is_passed(passed, told)) => Path::AsPassed,
        // A path of the kernel's own making for a descriptor (`alloc_bprm` in fs/exec.c), and one
        // that is relative, are what they were given.
        _ if told.starts_with("/dev/fd/") => Path::AsPassed,
        _ if told.starts_with(".../") => Path::Cut,
        _ if !told.starts_with('/') => Path::AsPassed,
        // What was passed, behind the working directory: the kernel's own paths have no dots.
        _ if told.split('/').any(|name| matches!(name, "." | "..")) => Path::AsPassed,
        _ if attempt.is_interpreted()
            && attempt
                .image()
                .is_some_and(|image| names(attempt, told, image)) =>
        {
            Path::Interpreter
        }
        Some(program) if program.starts_with(told) => Path::Cut,
        Some(_) => Path::Another,
    }
}

/// Whether this is the path of a file, from the root of the process or from the initial one: both name the same inode.
fn names(attempt: &Attempt, told: &str, file: &str) -> bool {
    let told = meant(told);
    told == file || attempt.is_from_outside(&told, file)
}

/// Whether this is the path that was passed; where the call's name in a trail has several words, all but the first
/// stand before it.
fn is_passed(passed: &str, told: &str) -> bool {
    let before = passed.strip_suffix(&meant(told));
    before.is_some_and(|before| before.is_empty() || before.ends_with(' '))
}

fn chain(attempt: &Attempt, events: &[&Event]) -> Chain {
    let tells = |file: Option<&str>| {
        let fields = events.iter().flat_map(|event| &event.fields);
        let mut fields = fields.filter(|(field, _)| **field != Field::Comm);
        file.is_some_and(|file| {
            fields.any(|(field, value)| match field {
                Field::Argv | Field::Items => {
                    value.split(BAR).any(|word| names(attempt, word, file))
                }
                _ => names(attempt, value, file),
            })
        })
    };
    match (tells(attempt.program()), tells(attempt.image())) {
        (true, true) => Chain::Both,
        (true, false) => Chain::Script,
        (false, true) => Chain::Interpreter,
        (false, false) => Chain::Neither,
    }
}

/// Whose exe and comm are told; what both have in common says nothing.
fn identity(attempt: &Attempt, exe: Option<&str>, comm: Option<&str>) -> Option<Whose> {
    let old = attempt.old.as_ref();
    let of = |told: Option<&str>, new: Option<&str>, old: Option<&String>| {
        let (told, new) = (told?, new?);
        let is_old = old.is_some_and(|old| old == told);
        match (names(attempt, told, new), is_old) {
            (true, true) => None,
            (true, false) => Some(Whose::New),
            (false, true) => Some(Whose::Old),
            (false, false) => Some(Whose::Other),
        }
    };
    let exe = of(exe, attempt.exe(), old.map(|old| &old.0));
    let comm = of(comm, attempt.comm.as_deref(), old.map(|old| &old.1));
    match (exe, comm) {
        (Some(exe), Some(comm)) if exe == comm => Some(exe),
        (Some(Whose::Other), _) | (_, Some(Whose::Other)) => Some(Whose::Other),
        (Some(_), Some(_)) => Some(Whose::Mixed),
        (one, other) => one.or(other),
    }
}

/// An exec is told between its last step and the next one of the new program.
fn in_order(sign: &Sign, attempt: &Attempt, events: &[&Event]) -> Option<bool> {
    let after = events.first()?.after?;
    match sign.says {
        Says::Executed | Says::Is | Says::Told => Some(after == attempt.to),
        Says::Asked => Some(after == attempt.from),
        Says::Returned | Says::Opened => Some(after <= attempt.to),
        Says::Called | Says::Checked | Says::Loaded | Says::Measured => None,
    }
}

words! {
    Heard { Known => "known", Unsettled => "unsettled", Missed => "missed", }
    Path {
        Right => "right",
        AsPassed => "as passed",
        Interpreter => "the interpreter",
        Cut => "cut",
        Empty => "empty",
        Another => "another file",
        Absent => "none",
        Unknown => "not known",
    }
    Chain {
        Both => "both",
        Script => "script alone",
        Interpreter => "interpreter alone",
        Neither => "neither",
    }
    Whose { New => "new", Old => "old", Mixed => "mixed", Other => "neither", }
}

#[cfg(test)]
mod tests;
