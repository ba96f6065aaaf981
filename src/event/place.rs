//! From the kernel's numbers to a report: whose event it is, and after which of its steps it came.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::value::BAR;
use super::{Event, Field, Fields, Kind};
use crate::trail::{By, Names, Run, UNSEEN, Unseen, comm};

/// What an observer wrote down when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raw {
    /// What happened.
    pub kind: Kind,
    /// What reported it.
    pub source: String,
    /// The thread, by its number in the first pid namespace.
    pub tid: i32,
    /// Its process; none where only the thread is told.
    pub pid: Option<i32>,
    /// What was started, for a fork.
    pub child: Option<Child>,
    /// How many steps of the whole run came before; none where that is not known.
    pub after: Option<usize>,
    /// What is told.
    pub fields: Fields,
}

/// What a process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Child {
    /// A process of its own, by its number.
    Process(i32),
    /// A thread, by its number.
    Thread(i32),
}

/// Keeps the events of the scenario's processes and names everybody in them.
///
/// A process belongs to the scenario when the run tells of it, or when one that does started it.
/// Of the launcher only the processes that it starts are told: all else of it is ours.
#[must_use]
pub fn place(run: &Run, raw: Vec<Raw>) -> Vec<Event> {
    let names = Names::of(run);
    let own: Vec<i32> = names.own().collect();
    let mut tree = Tree::of(run, &own);
    let mut helpers = Helpers::of(run, &names);
    let mut events: Vec<(i32, Event)> = Vec::new();
    for mut raw in raw {
        let Some(pid) = tree.process(&raw) else {
            continue;
        };
        tree.grow(pid, &mut raw, &names);
        if pid == run.launcher && raw.kind != Kind::Fork {
            continue;
        }
        let by = helpers.acts(pid, &raw);
        for (field, value) in &mut raw.fields {
            tree.name_in(*field, value, by, &names);
        }
        let before = |count: usize| {
            let steps = run.sightings.iter().take(count);
            steps.filter(|step| step.pid == pid).count()
        };
        events.push((
            pid,
            Event {
                kind: raw.kind,
                process: tree.unseen.name(pid, &names),
                thread: raw.tid != pid,
                after: raw.after.map(before),
                source: raw.source,
                fields: raw.fields,
            },
        ));
    }
    let place = |pid: i32| match own.iter().position(|known| *known == pid) {
        Some(place) => (place + 1, 0),
        None if pid == run.launcher => (0, 0),
        None => (own.len() + 1, tree.unseen.number(pid)),
    };
    events.sort_by_key(|(pid, _)| place(*pid));
    events.into_iter().map(|(_, event)| event).collect()
}

/// Who belongs to the scenario so far.
struct Tree {
    /// The process of each thread.
    processes: BTreeMap<i32, i32>,
    /// Those of whom the run does not tell.
    unseen: Unseen,
}

impl Tree {
    fn of(run: &Run, own: &[i32]) -> Tree {
        let known = own.iter().copied().chain([run.launcher]);
        Tree {
            processes: known.map(|pid| (pid, pid)).collect(),
            unseen: Unseen::default(),
        }
    }

    /// The process that something is told of; none for a stranger.
    fn process(&self, raw: &Raw) -> Option<i32> {
        let pid = raw.pid.or_else(|| self.processes.get(&raw.tid).copied())?;
        self.processes.contains_key(&pid).then_some(pid)
    }

    /// Takes in the thread that this is told of, and whom it started.
    fn grow(&mut self, pid: i32, raw: &mut Raw, names: &Names) {
        self.processes.insert(raw.tid, pid);
        match raw.child {
            Some(Child::Process(child)) => {
                self.processes.insert(child, child);
                self.unseen.starts(child, names);
                let name = self.unseen.name(child, names);
                raw.fields.insert(Field::Child, name);
            }
            Some(Child::Thread(thread)) => {
                self.processes.insert(thread, pid);
                raw.kind = Kind::Thread;
            }
            None => {}
        }
    }

    /// Names everybody in the value of a field.
    fn name_in(&self, field: Field, value: &mut String, by: By, names: &Names) {
        let name = |pid: i32| self.unseen.name(pid, names);
        match field {
            Field::Parent => *value = value.parse().map_or(UNSEEN.to_owned(), name),
            Field::Path | Field::Interp | Field::File | Field::Exe | Field::Cwd => {
                *value = names.path(value);
            }
            Field::Comm => *value = comm(Some(value), by),
            Field::Argv => *value = cores(value, &self.processes, &name),
            _ => {}
        }
    }
}

/// Processes that the kernel has started, and that have executed nothing yet: their comm is a worker's.
///
/// Afterwards it is the program's, which has no slash when it begins, and may be given any by it.
struct Helpers(BTreeSet<i32>);

impl Helpers {
    fn of(run: &Run, names: &Names) -> Helpers {
        let parents = run.parents.iter();
        let own = parents.filter(|(_, parent)| names.is_of_kernel(*parent));
        Helpers(own.map(|(pid, _)| *pid).collect())
    }

    /// Who acts in a process when this is told of it.
    fn acts(&mut self, pid: i32, raw: &Raw) -> By {
        let is_worker = |comm: &String| comm.starts_with("kworker/");
        let is_program = raw.kind == Kind::Exec
            || raw
                .fields
                .get(&Field::Exe)
                .is_some_and(|exe| !exe.is_empty())
            || raw
                .fields
                .get(&Field::Comm)
                .is_some_and(|comm| !is_worker(comm));
        if is_program {
            self.0.remove(&pid);
        }
        match self.0.contains(&pid) {
            true => By::Kernel,
            false => By::Program,
        }
    }
}

/// Arguments in which the number of a process of the tree gives way to its name where it is the end of a core's name
/// (`core.PID`): any other number is a part of what was given, and may be a process's by chance.
fn cores(text: &str, tree: &BTreeMap<i32, i32>, name: &impl Fn(i32) -> String) -> String {
    let named = |argument: &str| {
        let (before, digits) = argument.rsplit_once('.')?;
        let pid = digits.parse().ok()?;
        let core = before == "core" || before.ends_with("/core");
        (core && tree.contains_key(&pid)).then(|| format!("{before}.{}", name(pid)))
    };
    let arguments = text.split(BAR);
    let arguments = arguments.map(|one| named(one).unwrap_or_else(|| one.to_owned()));
    arguments.collect::<Vec<_>>().join(BAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Sighting;

    fn run(steps: &[i32]) -> Run {
        Run::sample(steps.iter().map(|pid| Sighting::sample(*pid)).collect())
    }

    fn raw(kind: Kind, tid: i32, pid: Option<i32>) -> Raw {
        Raw {
            kind,
            source: "x".into(),
            tid,
            pid,
            child: None,
            after: Some(1),
            fields: Fields::new(),
        }
    }

    fn fork(tid: i32, child: Child) -> Raw {
        Raw {
            child: Some(child),
            ..raw(Kind::Fork, tid, None)
        }
    }

    fn lines(run: &Run, raw: Vec<Raw>) -> Vec<String> {
        place(run, raw).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_event_of_a_stranger_is_left_out() {
        let events = vec![raw(Kind::Exec, 7, None), raw(Kind::Exec, 7, Some(7))];
        assert!(place(&run(&[101]), events).is_empty());
    }

    #[test]
    fn a_process_that_a_known_one_starts_belongs_to_the_scenario() {
        let events = vec![fork(101, Child::Process(105)), raw(Kind::Exec, 105, None)];
        let lines = lines(&run(&[101]), events);
        assert_eq!(lines[0], "event=fork    pid=p1 after=1 : x child=unseen1");
        assert_eq!(lines[1], "event=exec    pid=unseen1 after=0 : x");
    }

    #[test]
    fn a_thread_is_its_process() {
        let events = vec![fork(101, Child::Thread(105)), raw(Kind::Exec, 105, None)];
        let lines = lines(&run(&[101]), events);
        assert_eq!(lines[0], "event=thread  pid=p1 after=1 : x");
        assert_eq!(lines[1], "event=exec    pid=p1 thread after=1 : x");
    }

    #[test]
    fn the_steps_before_are_those_of_the_same_process() {
        let event = Raw {
            after: Some(3),
            ..raw(Kind::Exec, 102, Some(102))
        };
        let lines = lines(&run(&[101, 102, 101, 102]), vec![event]);
        assert_eq!(lines, ["event=exec    pid=p2 after=1 : x"]);
    }

    /// What a process that is called like a worker is called in an event, after these.
    fn called(parent: i32, before: &[(Kind, Field, &str)]) -> String {
        let mut run = run(&[101]);
        run.parents = vec![(101, parent)];
        let told = |(kind, field, value): &(Kind, Field, &str)| Raw {
            fields: Fields::from([(*field, (*value).to_owned())]),
            ..raw(*kind, 101, Some(101))
        };
        let last = told(&(Kind::Inside, Field::Comm, "kworker/u4:2"));
        let raw = before.iter().map(told).chain([last]).collect();
        let last = place(&run, raw).pop().unwrap();
        last.get(Field::Comm).unwrap().to_owned()
    }

    #[test]
    fn a_helper_of_the_kernel_is_a_worker_until_it_has_executed() {
        let path = (Kind::Inside, Field::Path, "/a");
        assert_eq!(called(2, &[path]), "kworker");
        assert_eq!(called(100, &[]), "kworker/u4:2");
        for program in [
            (Kind::Exec, Field::Path, "/a"),
            (Kind::Inside, Field::Comm, "a"),
            (Kind::Look, Field::Exe, "/a"),
        ] {
            assert_eq!(called(2, &[program]), "kworker/u4:2");
        }
    }

    #[test]
    fn a_process_in_the_arguments_is_named() {
        let tree = BTreeMap::from([(101, 101)]);
        let named = cores("core.101 | /tmp/core.101 | 101", &tree, &|pid| {
            format!("<{pid}>")
        });
        assert_eq!(named, "core.<101> | /tmp/core.<101> | 101");
    }

    #[test]
    fn a_number_that_is_a_process_by_chance_stays() {
        let tree = BTreeMap::from([(86, 86), (64, 64), (6, 6)]);
        let text = "/lib64/ld-linux-x86-64.so.2 | libc.so.6 | 86 | score.64";
        assert_eq!(cores(text, &tree, &|_| "p1".to_owned()), text);
    }

    #[test]
    fn of_the_launcher_only_what_it_starts_is_told() {
        let events = vec![
            raw(Kind::Session, 100, None),
            fork(100, Child::Process(101)),
        ];
        let lines = lines(&run(&[101]), events);
        assert_eq!(lines, ["event=fork    pid=launcher after=0 : x child=p1"]);
    }
}
