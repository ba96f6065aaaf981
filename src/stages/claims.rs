//! The story that this project rests on, as five sentences that are checked on every kernel.
//!
//! Each is checked on the execs in which the ELF interpreter is seen to run, and shows the lines
//! that it rests on.

use std::ops::Range;

use super::table::{CALL, LOADER_RUNS, PROGRAM_RUNS, RETURN};
use super::{Point, StageMark};
use crate::trail::{Mask, Step};

/// One sentence of the story.
#[derive(Clone, Copy, Debug)]
pub struct Sentence {
    /// Its name, for tests.
    pub name: &'static str,
    /// What it says.
    pub says: &'static str,
    check: fn(&Stretch<'_>) -> Option<Vec<usize>>,
}

/// What became of a claim in one exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It holds, by these lines.
    Yes(Vec<String>),
    /// It does not.
    No,
}

/// The five sentences.
pub const CLAIMS: &[Sentence] = &[
    Sentence {
        name: "program_is_opened_under_the_old_exe",
        says: "the kernel opens the program, execute then open, and exe is still the caller",
        check: program_opened,
    },
    Sentence {
        name: "loader_is_opened_under_the_old_exe",
        says: "it opens the ELF interpreter, execute then open, and exe is still the caller",
        check: loader_opened,
    },
    Sentence {
        name: "exe_changes_past_the_point_of_no_return",
        says: "then comes the point of no return: exe_file of the new address space is set, and the \
               process switches to that address space",
        check: exe_changes,
    },
    Sentence {
        name: "loader_runs_under_the_new_exe",
        says: "the ELF interpreter runs, opens ld.so.cache and libraries, and exe is the new \
               program",
        check: loader_runs,
    },
    Sentence {
        name: "program_runs_last",
        says: "the first instruction of the program runs when all of that is done",
        check: program_runs,
    },
];

/// A sentence that is wrong on every kernel: the test of the test.
pub const WRONG: Sentence = Sentence {
    name: "exe_changes_before_the_loader_is_opened",
    says: "the exe link changes before the ELF interpreter is opened",
    check: |exec| {
        let (loader, _) = exec.opened_loader()?;
        let before = exec.stage("memory-map").filter(|change| *change < loader);
        before.map(|change| vec![change, loader])
    },
};

impl Sentence {
    /// Checks it on every exec of a dynamically linked program, each with what it says; none for a story without one.
    #[must_use]
    pub fn check(&self, points: &[Point]) -> Vec<(String, Held)> {
        let mut found = Vec::new();
        for exec in execs(points) {
            if exec.stage(LOADER_RUNS).is_none() {
                continue;
            }
            let lines = (self.check)(&exec).map(|lines| {
                let lines = lines.into_iter().map(|at| line(exec.points[at]));
                Held::Yes(lines.collect())
            });
            found.push((exec.process.to_owned(), lines.unwrap_or(Held::No)));
        }
        found
    }
}

fn line(point: &Point) -> String {
    match point {
        Point::Stage(mark) => mark.to_string(),
        Point::Step(step) => step.to_string(),
    }
}

/// The places of the two events of one file that is opened to be executed: `execute` and `open`.
type Opened = (usize, usize);

/// One exec: from the call to the next one.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// Name of the process.
    pub process: &'a str,
    /// Everything from its call on.
    pub points: Vec<&'a Point>,
}

/// The execs of a story that came to `begin_new_exec`.
#[must_use]
pub fn execs(points: &[Point]) -> Vec<Stretch<'_>> {
    let mut execs: Vec<Stretch<'_>> = Vec::new();
    for point in points {
        let process = point.process();
        let begins = matches!(point, Point::Stage(mark) if mark.stage == CALL);
        match execs.last_mut() {
            Some(exec) if exec.process == process && !begins => exec.points.push(point),
            _ if begins => execs.push(Stretch {
                process,
                points: vec![point],
            }),
            _ => {}
        }
    }
    execs.retain(|exec| exec.stage("begin-new-exec").is_some());
    execs
}

impl<'a> Stretch<'a> {
    /// The place of the first mark of a stage.
    #[must_use]
    pub fn stage(&self, stage: &str) -> Option<usize> {
        self.mark(stage).map(|(at, _)| at)
    }

    /// The first mark of a stage.
    #[must_use]
    pub fn mark(&self, stage: &str) -> Option<(usize, &'a StageMark)> {
        self.points
            .iter()
            .enumerate()
            .find_map(|(at, point)| match point {
                Point::Stage(mark) if mark.stage == stage => Some((at, mark)),
                _ => None,
            })
    }

    /// The steps, each with its place.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (usize, &'a Step)> {
        self.steps_at(0..self.points.len())
    }

    /// Those of these places.
    fn steps_at(&self, places: Range<usize>) -> impl DoubleEndedIterator<Item = (usize, &'a Step)> {
        places.filter_map(|at| Some((at, self.step(at)?)))
    }

    /// The last step before a place.
    fn before(&self, at: usize) -> Option<(usize, &'a Step)> {
        self.steps_at(0..at).next_back()
    }

    /// The first step after a stage's place.
    fn after(&self, at: usize) -> Option<(usize, &'a Step)> {
        self.steps_at(at..self.points.len()).next()
    }

    /// The last `execute` before `begin_new_exec` that was not of the ELF interpreter, with the `open` after it.
    fn opened_program(&self) -> Option<Opened> {
        let end = self.stage("begin-new-exec")?;
        let interpreter = self.elf_interpreter().map_or(end, |open| open.min(end));
        self.opened(0..interpreter, end)
    }

    /// That of the ELF interpreter, with the `open` after it.
    fn opened_loader(&self) -> Option<Opened> {
        let end = self.stage("begin-new-exec")?;
        let interpreter = self.elf_interpreter().map_or(end, |open| open.min(end));
        self.opened(interpreter..end, end)
    }

    /// The last `execute` at these places, with the `open` after it and before `end`.
    fn opened(&self, places: Range<usize>, end: usize) -> Option<Opened> {
        let mut executes = self.steps_at(places);
        let (at, execute) = executes.rfind(|(_, step)| step.mask == Mask::EXECUTE)?;
        let (open, _) = self
            .steps_at(at..end)
            .find(|(_, step)| step.mask == Mask::OPEN && step.path == execute.path)?;
        Some((at, open))
    }

    /// Where the ELF handler is about to open the ELF interpreter.
    fn elf_interpreter(&self) -> Option<usize> {
        let elf = self.stage("try-elf")?;
        let found = self.points.iter().enumerate().skip(elf).find(
            |(_, point)| matches!(point, Point::Stage(mark) if mark.stage == "open-interpreter"),
        );
        found.map(|(at, _)| at)
    }

    fn step(&self, at: usize) -> Option<&'a Step> {
        match self.points.get(at)? {
            Point::Step(step) => Some(step),
            Point::Stage(_) => None,
        }
    }

    /// The exe of the first step: that of the caller.
    #[must_use]
    pub fn old_exe(&self) -> Option<&'a str> {
        self.steps().next().map(|(_, step)| step.exe.as_str())
    }
}

fn program_opened(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    under_old_exe(exec, exec.opened_program()?)
}

fn loader_opened(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    // The program's `execute` comes first: it is looked for before that of the interpreter.
    exec.opened_program()?;
    under_old_exe(exec, exec.opened_loader()?)
}

fn under_old_exe(exec: &Stretch<'_>, (execute, open): Opened) -> Option<Vec<usize>> {
    let old = exec.old_exe()?;
    let still = [execute, open]
        .iter()
        .all(|at| exec.step(*at).is_some_and(|step| step.exe == old));
    still.then(|| vec![execute, open])
}

fn exe_changes(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    let (_, opened) = exec.opened_loader()?;
    let (set, map) = (exec.stage("exe-file-set")?, exec.stage("memory-map")?);
    let (before, last) = exec.before(map)?;
    let after = exec.after(map);
    let begins = exec.stage("begin-new-exec")?;
    let order = [opened, before, begins, set, map].is_sorted();
    let new = after.is_none_or(|(_, step)| step.exe != last.exe || exec.same_program());
    let lines = [before, begins, set, map].into_iter();
    (order && new).then(|| lines.chain(after.map(|(at, _)| at)).collect())
}

fn loader_runs(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    let (map, runs) = (exec.stage("memory-map")?, exec.stage(LOADER_RUNS)?);
    let back = exec.stage(RETURN)?;
    let (first, step) = exec.after(map)?;
    let old = exec.old_exe()?;
    let order = [map, back, runs, first].is_sorted();
    (order && (step.exe != old || exec.same_program())).then(|| vec![back, runs, first])
}

fn program_runs(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    let (loader, program) = (exec.stage(LOADER_RUNS)?, exec.stage(PROGRAM_RUNS)?);
    let (last, _) = exec.before(program)?;
    let lines = [loader, last, program];
    lines.is_sorted().then(|| lines.to_vec())
}

impl Stretch<'_> {
    /// Whether a program executes itself once more: exe cannot tell the two apart.
    fn same_program(&self) -> bool {
        let program = self.opened_program().and_then(|(at, _)| self.step(at));
        program.is_some_and(|step| step.path == step.exe)
    }
}

/// One thing that an observer knows a process by, and where in an exec it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityChange {
    /// What changes: exe, comm, credentials, address space.
    pub what: &'static str,
    /// The last step before.
    pub before: Option<String>,
    /// The stage at which it changes.
    pub stage: String,
    /// The first step after.
    pub after: Option<String>,
}

/// Where exe, comm, credentials and the address space change in an exec, pinned from both sides.
#[must_use]
pub fn changes(exec: &Stretch<'_>) -> Vec<IdentityChange> {
    let found = [
        ("exe and address space", "memory-map"),
        ("comm", "comm"),
        ("credentials", "credentials"),
    ];
    let begin = exec.stage("begin-new-exec").unwrap_or(0);
    let change = |(what, stage): (&'static str, &str)| {
        let at = exec
            .points
            .iter()
            .enumerate()
            .skip(begin)
            .find(|(_, point)| matches!(point, Point::Stage(mark) if mark.stage == stage));
        let (at, point) = at?;
        Some(IdentityChange {
            what,
            before: exec.before(at).map(|(_, step)| step.to_string()),
            stage: line(point),
            after: exec.after(at).map(|(_, step)| step.to_string()),
        })
    };
    found.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests;
