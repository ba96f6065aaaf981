//! From the kernel's trace to the story of a scenario: whose line it is, and what it means.

use std::collections::BTreeMap;

use nix::errno::Errno;

use super::table::{CALL, LOADER_RUNS, PROGRAM_RUNS, REFUSED, RETURN};
use super::{Point, StageMark};
use super::{Scope, Source, WORDS, Word};
use crate::trace::{Line, Said, Value, Values};
use crate::trail::{Mask, Names, Run, Unseen, own_comm, step_at};

/// How the name of a probe of a first instruction begins that lives as long as one start; the
/// identity of its file follows.
pub const BRIEF: &str = "e_";
/// The same for one that lives as long as the machine.
pub const LASTING: &str = "f_";

/// `CLONE_THREAD` of include/uapi/linux/sched.h.
const CLONE_THREAD: u64 = 0x0001_0000;

/// Lays the stages of the scenario's processes between their steps, grouped by process.
///
/// # Errors
///
/// The markers are not those of the steps: something was lost.
pub fn arrange(run: &Run, lines: &[Line]) -> Result<Vec<Point>, String> {
    let names = Names::of(run);
    let own: Vec<i32> = names.own().collect();
    let mut story = Story {
        run,
        names,
        unseen: Unseen::default(),
        tree: BTreeMap::from([(run.launcher, run.launcher)]),
        states: BTreeMap::new(),
        leaders: BTreeMap::new(),
        points: Vec::new(),
        steps: 0,
        entries: BTreeMap::new(),
    };
    story.tree.extend(own.iter().map(|pid| (*pid, *pid)));
    for line in lines {
        story.read(line)?;
    }
    if story.steps != run.sightings.len() {
        let (marked, seen) = (story.steps, run.sightings.len());
        return Err(format!("{seen} steps were seen, {marked} are in the trace"));
    }
    let place = |pid: i32| own.iter().position(|known| *known == pid);
    let last = own.len();
    let (mut points, unseen) = (story.points, story.unseen);
    // Steps of the launcher and of processes outside of the scenario come first, as in the trail.
    points.sort_by_key(|(pid, point)| match (place(*pid), point) {
        (Some(place), _) => (place + 1, 0),
        (None, Point::Step(_)) => (0, 0),
        (None, Point::Stage(_)) => (last + 1, unseen.number(*pid)),
    });
    Ok(points.into_iter().map(|(_, point)| point).collect())
}

/// What is known of a thread while its lines are read.
#[derive(Default)]
struct State {
    /// Whether it is inside of an exec.
    inside: bool,
    /// The handler that was tried last is that of ELF programs.
    elf: bool,
    /// What is opened next is an interpreter.
    interpreter: bool,
    /// The new address space has its file: no other thread is left.
    alone: bool,
    /// The ELF interpreter of the program that is being started.
    loader: Option<String>,
    /// What binfmt_misc has opened; with the flag `L` it is to be the ELF interpreter of the same program.
    stashed: Option<String>,
}

/// Whose line it is.
#[derive(Clone, Copy)]
struct Task {
    process: i32,
    thread: i32,
}

struct Story<'a> {
    run: &'a Run,
    names: Names,
    unseen: Unseen,
    /// Threads of the scenario's processes, with the process of each.
    tree: BTreeMap<i32, i32>,
    states: BTreeMap<i32, State>,
    /// Threads whose exec has killed the others: each has the id of its process from then on (`de_thread`).
    leaders: BTreeMap<i32, i32>,
    points: Vec<(i32, Point)>,
    steps: usize,
    /// The paths of the files whose first instruction is watched.
    entries: BTreeMap<String, String>,
}

impl Story<'_> {
    fn read(&mut self, line: &Line) -> Result<(), String> {
        let thread = self.thread(line.tid);
        let process = self.tree.get(&line.tid).copied();
        let task = process.map(|process| Task { process, thread });
        match &line.said {
            Said::Marker(text) => return self.marker(text),
            Said::Event(name, values) if name == "task_newtask" => {
                if let Some(process) = process {
                    self.fork(process, values)?;
                }
            }
            Said::Event(name, values) => {
                if let Some(task) = task {
                    self.event(task, name, values);
                }
            }
            Said::Function(name) => {
                let Some(task) = task else {
                    return Ok(());
                };
                let is_this =
                    |source: &Source| matches!(source, Source::Function(own) if own == name);
                if let Some(word) = word(is_this) {
                    self.pass(task, word.stage, name.clone(), None);
                }
            }
        }
        Ok(())
    }

    /// The thread that has a number now.
    fn thread(&self, tid: i32) -> i32 {
        self.leaders.get(&tid).copied().unwrap_or(tid)
    }

    /// `step N` stands before the answer to the N-th event, `entry N FILE` for a file whose first
    /// instruction is watched from then on, `blind N WHY` for one where it cannot be seen.
    fn marker(&mut self, text: &str) -> Result<(), String> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (number, why) = rest.split_once(' ').unwrap_or((rest, ""));
        let number: usize = number.parse().map_err(|_| format!("no marker: {text}"))?;
        // A listener that hung and was killed has told nobody what it saw.
        let place = number.wrapping_sub(1);
        let sighting = self.run.sightings.get(place);
        let (Some(sighting), Some(step)) = (sighting, step_at(self.run, place, &self.names)) else {
            return match self.run.sightings.is_empty() {
                true => Ok(()),
                false => Err(format!("no step has the number of the marker: {text}")),
            };
        };
        let pid = sighting.pid;
        if kind == "entry" {
            self.entries.insert(why.to_owned(), step.path);
            return Ok(());
        }
        if kind == "blind" {
            let mark = StageMark {
                process: step.process,
                stage: "untraceable".to_owned(),
                symbol: Source::Entry.symbol(),
                detail: Some(format!("{}: {why}", step.path)),
            };
            self.points.push((pid, Point::Stage(mark)));
            return Ok(());
        }
        self.steps += 1;
        if number != self.steps {
            return Err(format!("the marker of step {} is missing", self.steps));
        }
        let thread = self.thread(sighting.tid.unwrap_or(pid));
        let state = self.states.entry(thread).or_default();
        if sighting.mask.0 & Mask::EXECUTE.0 != 0 && state.interpreter {
            let opened = match state.elf {
                true => &mut state.loader,
                false => &mut state.stashed,
            };
            *opened = Some(step.path.clone());
        }
        self.points.push((pid, Point::Step(step)));
        Ok(())
    }

    /// A new process of the tree, or a thread of one.
    fn fork(&mut self, parent: i32, values: &Values) -> Result<(), String> {
        let child = number(values, "pid").and_then(|child| i32::try_from(child).ok());
        let (Some(child), Some(flags)) = (child, number(values, "clone_flags")) else {
            return Err(format!("not understood: task_newtask: {values:?}"));
        };
        let flags = flags.cast_unsigned();
        let process = match flags & CLONE_THREAD {
            0 => {
                self.unseen.starts(child, &self.names);
                child
            }
            _ => parent,
        };
        self.tree.insert(child, process);
        // Somebody else may have had its number.
        self.leaders.remove(&child);
        self.states.remove(&child);
        Ok(())
    }

    fn event(&mut self, task: Task, name: &str, values: &Values) {
        let mut probes = [BRIEF, LASTING].into_iter();
        let returned = number(values, "ret");
        if let Some(file) = probes.find_map(|begin| name.strip_prefix(begin)) {
            self.entry(task, file);
        } else if let Some(function) = name.strip_prefix("a_") {
            let is_this = |source: &Source| matches!(source, Source::With(own) if *own == function);
            // A null pointer is another use of the function: an old map lets go of its file.
            let is_there = number(values, "second").is_some_and(|second| second != 0);
            if let Some(word) = word(is_this).filter(|_| is_there) {
                self.pass(task, word.stage, function.to_owned(), None);
            }
        } else if name == "sys_exit" {
            // Some other call of a 64-bit program has the same number.
            let inside = self
                .states
                .get(&task.thread)
                .is_some_and(|state| state.inside);
            if let Some(value) = returned.filter(|_| inside) {
                let symbol = "raw_syscalls:sys_exit".to_owned();
                self.pass(task, RETURN, symbol, Some(errno(value)));
            }
        } else if let Some(function) = name.strip_prefix("r_") {
            let function = function.trim_end_matches("_2").to_owned();
            let back = Source::Return("kernel_execve").symbol() == function;
            match (back, returned) {
                (true, value) => self.pass(task, RETURN, function, value.map(errno)),
                (false, Some(0)) => self.pass(task, "taken", function, None),
                (false, value) => self.pass(task, REFUSED, function, value.map(errno)),
            }
        } else if name.starts_with("sys_exit_") {
            let symbol = format!("syscalls:{name}");
            self.pass(task, RETURN, symbol, returned.map(errno));
        } else {
            let is_this = |source: &Source| matches!(source, Source::Event(_, own) if *own == name);
            let symbol = Source::all().find(is_this).map(|source| source.symbol());
            if let (Some(word), Some(symbol)) = (word(is_this), symbol) {
                let renamed = values.get("newcomm").filter(|_| word.stage == "comm");
                let detail = renamed.and_then(Value::text).map(own_comm);
                self.pass(task, word.stage, symbol, detail);
            }
        }
    }

    /// The first instruction of a file that a step opened.
    fn entry(&mut self, task: Task, file: &str) {
        let Some(path) = self.entries.get(file).cloned() else {
            return;
        };
        let loader = self.states.entry(task.thread).or_default().loader.as_ref() == Some(&path);
        let stage = if loader { LOADER_RUNS } else { PROGRAM_RUNS };
        self.pass(task, stage, Source::Entry.symbol(), Some(path));
    }

    fn pass(&mut self, task: Task, stage: &str, symbol: String, detail: Option<String>) {
        let Task { process, thread } = task;
        if process == self.run.launcher {
            return;
        }
        let state = self.states.entry(thread).or_default();
        let scope = Word::find(stage).map_or(Scope::Anywhere, |word| word.scope);
        if scope == Scope::Exec && !state.inside {
            return;
        }
        // Threads that the exec has killed pass these as well, on their way out (`exit_mm`), until
        // it is alone with a new memory map.
        if ["memory-map-left", "old-map-owner"].contains(&stage) && !state.alone {
            return;
        }
        match stage {
            CALL | "bprm" => {
                let was = std::mem::take(state);
                *state = State {
                    inside: true,
                    loader: was.loader.filter(|_| was.inside),
                    ..State::default()
                };
            }
            RETURN => state.inside = false,
            LOADER_RUNS | PROGRAM_RUNS => state.inside = false,
            "try-elf" => state.elf = true,
            "try-script" | "try-misc" => (state.elf, state.interpreter) = (false, false),
            "open-interpreter" => {
                // Where none is opened now, it is the one that is there already.
                if state.elf && state.stashed.is_some() {
                    state.loader = state.stashed.take();
                }
                state.interpreter = true;
            }
            // The next file is another program.
            "taken" => state.stashed = None,
            "exe-file-set" => state.alone = true,
            "threads-killed" => {
                let state = std::mem::take(state);
                self.states.insert(process, state);
                self.leaders.insert(thread, process);
            }
            _ => {}
        }
        let mark = StageMark {
            process: self.unseen.name(process, &self.names),
            stage: stage.to_owned(),
            symbol,
            detail,
        };
        self.points.push((process, Point::Stage(mark)));
    }
}

/// The word that one of its sources shows.
fn word(is_this: impl Fn(&Source) -> bool) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.sources.iter().any(&is_this))
}

/// A field that is a number.
fn number(values: &Values, field: &str) -> Option<i64> {
    values.get(field)?.number()
}

/// 0, or the errno by name; some are the kernel's own and have none.
pub(crate) fn errno(value: i64) -> String {
    match i32::try_from(value.unsigned_abs()) {
        Ok(0) => "0".to_owned(),
        Ok(number) => match Errno::from_raw(number) {
            Errno::UnknownErrno => value.to_string(),
            errno => format!("{errno:?}"),
        },
        Err(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
