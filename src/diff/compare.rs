//! Lines two trails up and names what differs.

use std::collections::BTreeSet;

use super::change::{Change, What};
use super::steps::one_process;
use crate::trail::{Started, Step, Told, Trail, Verdict};

/// Everything that differs, by case and process in the order of the trails.
#[must_use]
pub fn compare(old: &Trail, new: &Trail) -> Vec<Change> {
    let mut changes = of_the_whole(old, new);
    changes.extend(one_start(old, new));
    let old_cases = old.cases.iter().map(|case| case.heading.as_str());
    let new_cases = new.cases.iter().map(|case| case.heading.as_str());
    let mut headings: Vec<&str> = old_cases.collect();
    for heading in new_cases {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        let find = |trail: &'_ Trail| {
            let mut cases = trail.cases.iter();
            cases.position(|case| case.heading == heading)
        };
        let whole = |what| Change {
            case: None,
            process: None,
            what,
        };
        let inside = match (find(old), find(new)) {
            (Some(from), Some(to)) => compare(&old.cases[from].trail, &new.cases[to].trail),
            (None, _) => vec![whole(What::NewCase)],
            (_, None) => vec![whole(What::LostCase)],
        };
        changes.extend(inside.into_iter().map(|change| Change {
            case: Some(heading.to_owned()),
            ..change
        }));
    }
    changes
}

/// Compares verdicts and facts, which belong to no process.
fn of_the_whole(old: &Trail, new: &Trail) -> Vec<Change> {
    let verdicts = |trail: &Trail| {
        let verdicts = trail.verdicts.iter();
        let word = |found: &Verdict| format!("{}: {}", found.verdict, found.evidence);
        let pairs = verdicts.map(|found| (found.claim.clone(), word(found)));
        pairs.collect()
    };
    let facts = |trail: &Trail| {
        let facts = trail.facts.iter();
        let pairs = facts.map(|fact| (fact.name.clone(), fact.value.clone()));
        pairs.collect()
    };
    let verdicts = named(verdicts(old), verdicts(new));
    let verdicts = verdicts.map(|(claim, from, to)| What::Verdict { claim, from, to });
    let facts = named(facts(old), facts(new));
    let facts = facts.map(|(fact, from, to)| What::Fact { fact, from, to });
    let changes = verdicts.chain(facts).map(|what| Change {
        case: None,
        process: None,
        what,
    });
    changes.collect()
}

/// What differs between two lists of names with values.
fn named(
    old: Vec<(String, String)>,
    new: Vec<(String, String)>,
) -> impl Iterator<Item = (String, String, String)> {
    let come = new
        .iter()
        .filter(|(name, _)| old.iter().all(|(known, _)| known != name));
    let names: Vec<_> = old
        .iter()
        .chain(come)
        .map(|(name, _)| name.clone())
        .collect();
    names.into_iter().filter_map(move |name| {
        let value = |list: &[(String, String)]| {
            let mut own = list.iter().filter(|(known, _)| *known == name);
            own.next()
                .map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
        };
        let (from, to) = (value(&old), value(&new));
        (from != to).then_some((name, from, to))
    })
}

/// Compares two trails without their cases.
fn one_start(old: &Trail, new: &Trail) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.hang != new.hang {
        let words = |hang: &Option<String>| hang.clone().unwrap_or_else(|| "none".to_owned());
        let (from, to) = (words(&old.hang), words(&new.hang));
        changes.push(Change {
            case: None,
            process: None,
            what: What::Hang { from, to },
        });
    }
    for process in processes(old, new) {
        let add = |what| Change {
            case: None,
            process: Some(process.to_owned()),
            what,
        };
        let (before, after) = (steps(old, process), steps(new, process));
        let whats = match (start(old, process), start(new, process)) {
            (None, Some(start)) if before.is_empty() => vec![What::Appeared {
                start: start.to_string(),
                steps: after.len(),
            }],
            (Some(start), None) if after.is_empty() => vec![What::Vanished {
                start: start.to_string(),
                steps: before.len(),
            }],
            (from, to) => {
                let mut whats = Vec::new();
                if from != to {
                    let words = |start: Option<&Started>| {
                        start.map_or_else(|| "not started".to_owned(), ToString::to_string)
                    };
                    whats.push(What::Start {
                        from: words(from),
                        to: words(to),
                    });
                }
                whats.extend(one_process(&before, &after));
                whats.extend(told(old, new, process));
                whats.extend(found(old, new, process));
                whats.extend(end(old, new, process));
                whats
            }
        };
        changes.extend(whats.into_iter().map(add));
    }
    changes
}

fn processes<'a>(old: &'a Trail, new: &'a Trail) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for trail in [old, new] {
        let of_starts = trail.started.iter().map(|start| start.process.as_str());
        let of_steps = trail.steps.iter().map(|step| step.process.as_str());
        names.extend(of_starts.chain(of_steps).filter(|name| seen.insert(*name)));
    }
    names
}

fn start<'a>(trail: &'a Trail, process: &str) -> Option<&'a Started> {
    trail.started.iter().find(|start| start.process == process)
}

fn steps<'a>(trail: &'a Trail, process: &str) -> Vec<&'a Step> {
    let steps = trail.steps.iter();
    steps.filter(|step| step.process == process).collect()
}

fn end(old: &Trail, new: &Trail, process: &str) -> Option<What> {
    let how = |trail: &Trail| {
        let mut ends = trail.ended.iter().filter(|end| end.process == process);
        let end = ends.next().map(|end| end.how.to_string());
        end.unwrap_or_else(|| "not seen".to_owned())
    };
    let (from, to) = (how(old), how(new));
    (from != to).then_some(What::End { from, to })
}

/// What a program of ours was told, field by field.
fn told(old: &Trail, new: &Trail, process: &str) -> Vec<What> {
    let find = |trail: &Trail| {
        let mut told = trail.told.iter().filter(|told| told.process == process);
        told.next().map(|told| told.told.fields())
    };
    let nothing = || Told::FIELDS.map(|field| (field, "not told".to_owned()));
    let (from, to) = match (find(old), find(new)) {
        (None, None) => return Vec::new(),
        (from, to) => (from.unwrap_or_else(nothing), to.unwrap_or_else(nothing)),
    };
    let pairs = from.into_iter().zip(to).filter(|(from, to)| from != to);
    pairs
        .map(|((field, from), (_, to))| What::Told { field, from, to })
        .collect()
}

/// What a program of ours found of its state, field by field.
fn found(old: &Trail, new: &Trail, process: &str) -> Vec<What> {
    let facts = |trail: &Trail| {
        let own = trail.found.iter().filter(|found| found.process == process);
        let pairs = own.map(|found| (found.fact.name.clone(), found.fact.value.clone()));
        pairs.collect()
    };
    let differences = named(facts(old), facts(new));
    differences
        .map(|(field, from, to)| What::Found { field, from, to })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::trail::parse;

    /// The words for what differs between two processes; a step is "open FILE under EXE COMM".
    fn words(old: &[&str], new: &[&str]) -> Vec<String> {
        let trail = |steps: &[&str]| {
            let mut text = "start p1 by launcher: execve /a\n".to_owned();
            for step in steps {
                let mut parts = step.split(' ');
                let mut next = || parts.next().unwrap();
                let (perm, path, exe, comm) = (next(), next(), next(), next());
                text += &format!(
                    "perm={perm} pid=p1 ppid=launcher exe={exe} comm={comm} : path={path}\n"
                );
            }
            parse(&text).unwrap()
        };
        let changes = compare(&trail(old), &trail(new));
        changes.iter().map(ToString::to_string).collect()
    }

    const OLD: [&str; 4] = [
        "execute /a /l l",
        "open /a /l l",
        "open /c /a a",
        "open /d /a a",
    ];

    #[test]
    fn equal_trails_differ_in_nothing() {
        assert!(words(&OLD, &OLD).is_empty());
    }

    #[test]
    fn a_step_that_came_is_told_with_its_place() {
        let new = [&OLD[..3], &["open /x /a a"], &OLD[3..]].concat();
        assert_eq!(words(&OLD, &new), ["p1: also opens /x, after open /c"]);
    }

    #[test]
    fn a_step_that_went_is_told() {
        assert_eq!(words(&OLD, &OLD[..3]), ["p1: no longer opens /d"]);
    }

    #[test]
    fn two_steps_that_changed_places_are_one_move() {
        let new = [OLD[1], OLD[0], OLD[2], OLD[3]];
        assert_eq!(words(&OLD, &new), ["p1: opens /a before execute /a"]);
    }

    #[test]
    fn a_step_that_moved_is_told_after_one_that_was_there_before() {
        let new = [OLD[1], OLD[2], "open /x /a a", OLD[0], OLD[3]];
        assert_eq!(words(&OLD, &new)[0], "p1: executes /a after open /c");
    }

    #[test]
    fn a_step_that_moved_to_the_front_is_told_before_what() {
        let new = [OLD[3], OLD[0], OLD[1], OLD[2]];
        let words = words(&OLD, &new);
        assert_eq!(words[0], "p1: opens /d before execute /a");
    }

    #[test]
    fn another_file_at_the_same_place_is_another_name() {
        let new = [OLD[0], OLD[1], "open /x /a a", OLD[3]];
        assert_eq!(words(&OLD, &new), ["p1: opens /x instead of /c"]);
    }

    #[test]
    fn a_comm_of_all_steps_after_the_exec_is_one_change() {
        let new = [OLD[0], OLD[1], "open /c /a 3", "open /d /a 3"];
        assert_eq!(words(&OLD, &new), ["p1: comm after the exec: a -> 3"]);
    }

    #[test]
    fn a_comm_of_one_step_names_it() {
        let new = [OLD[0], OLD[1], OLD[2], "open /d /a 3"];
        assert_eq!(words(&OLD, &new), ["p1: comm at open /d: a -> 3"]);
    }

    #[test]
    fn a_point_of_no_return_at_another_place_is_one_change() {
        let new = [OLD[0], OLD[1], "open /c /l a", OLD[3]];
        assert_eq!(
            words(&OLD, &new),
            ["p1: exe becomes /a before open /d; it did before open /c"]
        );
    }

    #[test]
    fn a_process_that_came_is_one_change() {
        let old = "start p1 by launcher: execve /a\nend p1: exit 0\n";
        let new =
            format!("{old}\nstart p2 by p1\nperm=open pid=p2 ppid=p1 exe=/a comm=a : path=/c\n");
        let changes = compare(&parse(old).unwrap(), &parse(&new).unwrap());
        let words: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["p2: a new process with 1 step: start p2 by p1"]);
    }

    #[test]
    fn a_process_that_was_there_before_it_was_started_is_started_otherwise() {
        let steps = "perm=open pid=p1 ppid=p0 exe=/a comm=a : path=/c\n";
        let mut old = parse(&format!("start p1 by p0\n{steps}")).unwrap();
        let new = old.clone();
        old.started.clear();
        let words = |old, new| -> Vec<_> {
            let changes = compare(old, new);
            changes.iter().map(ToString::to_string).collect()
        };
        let there = "start p1 by p0";
        let wanted = format!("p1: starts otherwise: not started -> {there}");
        assert_eq!(words(&old, &new), [wanted]);
        let wanted = format!("p1: starts otherwise: {there} -> not started");
        assert_eq!(words(&new, &old), [wanted]);
    }

    #[test]
    fn a_process_that_went_is_one_change() {
        let new = "start p1 by launcher: execve /a\nend p1: exit 0\n";
        let old =
            format!("{new}\nstart p2 by p1\nperm=open pid=p2 ppid=p1 exe=/a comm=a : path=/c\n");
        let words = between(&old, new);
        assert_eq!(
            words,
            ["p2: the process with 1 step is gone: start p2 by p1"]
        );
    }

    #[test]
    fn another_end_is_told() {
        let old = "start p1 by launcher: execve /a\nend p1: exit 0\n";
        let new = old.replace("exit 0", "signal SIGSEGV");
        let changes = compare(&parse(old).unwrap(), &parse(&new).unwrap());
        assert_eq!(
            changes[0].to_string(),
            "p1: ends otherwise: exit 0 -> signal SIGSEGV"
        );
    }

    fn between(old: &str, new: &str) -> Vec<String> {
        let changes = compare(&parse(old).unwrap(), &parse(new).unwrap());
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_difference_in_a_case_names_the_case() {
        let old = "case deny 1\n\nstart p1 by launcher: execve /a\nend p1: errno EPERM\n";
        let words = between(old, &old.replace("EPERM", "EACCES"));
        assert_eq!(
            words,
            ["case deny 1: p1: ends otherwise: errno EPERM -> errno EACCES"]
        );
    }

    #[test]
    fn a_case_more_is_told() {
        let old = "case one\n\nstart p1 by launcher: execve /a\n";
        let words = between(old, &format!("{old}\n{}", old.replace("one", "two")));
        assert_eq!(words, ["case two: a new case"]);
    }

    #[test]
    fn what_the_program_is_told_is_compared_by_field() {
        let old = "start p1 by launcher: execve /a\n\
                   told p1: execfn=/a execfd=none comm=5 exe=/a argv=/a\n";
        let words = between(old, &old.replace("comm=5", "comm=a"));
        assert_eq!(words, ["p1: the program is told comm: 5 -> a"]);
    }

    #[test]
    fn another_verdict_and_another_fact_are_told() {
        let old = "verdict a/b holds: x\nfact edge: 1\n\nstart p1 by launcher: execve /a\n";
        let words = between(
            old,
            &old.replace("holds: x", "partly: y")
                .replace("1\n\n", "2\n\n"),
        );
        let verdict = "verdict a/b: holds -> partly: y";
        assert_eq!(words, [verdict, "edge: 1 -> 2"]);
    }

    #[test]
    fn of_two_that_hold_it_is_told_what_was_tried() {
        let old = "verdict a/b holds: x\n\nstart p1 by launcher: execve /a\n";
        let words = between(old, &old.replace("holds: x", "holds: x; y"));
        assert_eq!(words, ["verdict a/b: holds: x -> holds: x; y"]);
    }

    #[test]
    fn what_the_program_finds_is_compared_by_field() {
        let old = "start p1 by launcher: execve /a\nfound p1: umask: 0022\n";
        let words = between(old, &old.replace("0022", "0000"));
        assert_eq!(words, ["p1: finds umask: 0022 -> 0000"]);
    }

    #[test]
    fn a_listener_that_hangs_is_told() {
        let old = "start p1 by launcher: execve /a\n";
        let words = between(old, &format!("hang: in read\n\n{old}"));
        assert_eq!(words, ["hang of the listener: none -> in read"]);
    }

    #[test]
    fn another_file_at_another_place_is_two_changes() {
        let new = ["open /x /l l", OLD[0], OLD[1], OLD[3]];
        let wanted = ["p1: no longer opens /c", "p1: opens /x first"];
        assert_eq!(words(&OLD, &new), wanted);
    }

    #[test]
    fn an_act_of_another_kind_at_the_same_place_is_two_changes() {
        let new = [OLD[0], OLD[1], "execute /x /a a", OLD[3]];
        let wanted = [
            "p1: no longer opens /c",
            "p1: also executes /x, after open /a",
        ];
        assert_eq!(words(&OLD, &new), wanted);
    }

    #[test]
    fn a_step_that_moved_back_is_told_after_what() {
        let new = [OLD[1], OLD[2], OLD[0], OLD[3]];
        assert_eq!(words(&OLD, &new)[0], "p1: executes /a after open /c");
    }

    #[test]
    fn further_programs_are_further_changes_of_exe() {
        let new = [OLD[0], OLD[1], OLD[2], "open /d /b a"];
        assert_eq!(words(&OLD, &new), ["p1: exe at open /d: /a -> /b"]);
    }

    #[test]
    fn a_comm_of_all_steps_after_the_exec_is_one_change_whatever_came_before() {
        let before = "open /e /l l";
        let old = [before, OLD[0], OLD[1], OLD[2], OLD[3]];
        let new = [before, OLD[0], OLD[1], "open /c /a 3", "open /d /a 3"];
        assert_eq!(words(&old, &new), ["p1: comm after the exec: a -> 3"]);
    }

    #[test]
    fn a_comm_of_some_steps_names_the_first_and_the_last() {
        let old = [OLD[0], OLD[1], OLD[2], OLD[3], "open /e /a a"];
        let new = [
            OLD[0],
            OLD[1],
            "open /c /a 3",
            "open /d /a 3",
            "open /e /a a",
        ];
        assert_eq!(
            words(&old, &new),
            ["p1: comm from open /c to open /d: a -> 3"]
        );
    }
}
