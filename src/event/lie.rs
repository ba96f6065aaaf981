//! What the watched process has made a sign say that is not so.

use super::attempt::{Attempt, End};
use super::judge::{Heard, Path, Whose};
use super::sign::{Says, Sign};
use super::value::told;
use super::words::words;

/// Something false that a sign tells of an exec because the process that is watched wanted it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// The path is that of another file.
    Path,
    /// Exe or comm is neither the caller's nor the program's.
    Identity,
    /// The arguments are others than the program found.
    Arguments,
    /// The call was kept from it.
    Call,
}

words! {
    Lie {
        Path => "path",
        Identity => "exe and comm",
        Arguments => "arguments",
        Call => "call unheard",
    }
}

/// What a sign was told of an exec.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Whether it has heard of it.
    pub heard: Heard,
    /// What became of the path.
    pub path: Option<Path>,
    /// Whose exe and comm it tells.
    pub identity: Option<Whose>,
    /// The arguments.
    pub arguments: Option<&'a str>,
}

/// What is false in an account of an exec.
#[must_use]
pub fn lies(sign: &Sign, attempt: &Attempt, account: Account<'_>) -> Vec<Lie> {
    let mut lies = Vec::new();
    if account.path == Some(Path::Another) {
        lies.push(Lie::Path);
    }
    if account.identity == Some(Whose::Other) {
        lies.push(Lie::Identity);
    }
    // Who tells of the caller's exe tells of the caller's arguments.
    let of_program = account.identity != Some(Whose::Old);
    let found = attempt.arguments.as_deref().filter(|_| of_program);
    if account
        .arguments
        .is_some_and(|own| found.is_some_and(|found| own != found && own != told(Some(found))))
    {
        lies.push(Lie::Arguments);
    }
    // Others that miss an exec do so for what they are, which the column of execs tells.
    let is_of_the_call = matches!(sign.says, Says::Asked | Says::Returned);
    if account.heard == Heard::Missed && attempt.end == End::Executed && is_of_the_call {
        lies.push(Lie::Call);
    }
    lies
}

#[cfg(test)]
mod tests {
    use super::super::sign::SIGNS;
    use super::*;

    const TRUE: Account<'_> = Account {
        heard: Heard::Known,
        path: Some(Path::Right),
        identity: Some(Whose::New),
        arguments: Some("a | b"),
    };

    fn of(name: &str, account: Account<'_>) -> Vec<Lie> {
        let attempt = Attempt {
            process: "p1".into(),
            passed: None,
            files: Vec::new(),
            old: None,
            exe: None,
            root: None,
            comm: None,
            arguments: Some("a | b".into()),
            end: End::Executed,
            from: 0,
            to: 2,
        };
        let sign = SIGNS.iter().find(|sign| sign.name == name).unwrap();
        lies(sign, &attempt, account)
    }

    #[test]
    fn what_is_so_is_no_lie_and_neither_is_what_is_not_told() {
        assert!(of("sched_process_exec", TRUE).is_empty());
        let silent = Account {
            path: None,
            identity: None,
            arguments: None,
            ..TRUE
        };
        assert!(of("sched_process_exec", silent).is_empty());
    }

    #[test]
    fn what_the_caller_passed_is_no_lie() {
        let path = Some(Path::AsPassed);
        assert!(of("sched_process_exec", Account { path, ..TRUE }).is_empty());
    }

    #[test]
    fn each_false_thing_is_named() {
        let told = Account {
            heard: Heard::Known,
            path: Some(Path::Another),
            identity: Some(Whose::Other),
            arguments: Some("a | c"),
        };
        let all = [Lie::Path, Lie::Identity, Lie::Arguments];
        assert_eq!(of("sched_process_exec", told), all);
    }

    #[test]
    fn the_arguments_of_the_caller_are_no_lie_about_the_program() {
        let told = Account {
            identity: Some(Whose::Old),
            arguments: Some("c"),
            ..TRUE
        };
        assert!(of("sched_process_exec", told).is_empty());
    }

    #[test]
    fn a_call_that_is_missed_was_kept_from_who_hears_of_calls_alone() {
        let missed = Account {
            heard: Heard::Missed,
            path: None,
            identity: None,
            arguments: None,
        };
        assert_eq!(of("ptrace, stop of the filter", missed), [Lie::Call]);
        assert!(of("/proc, polled", missed).is_empty());
    }
}
