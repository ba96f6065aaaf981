//! The story that this project rests on, as five sentences that are checked on every kernel.
//!
//! Each is checked on every exec of a dynamically linked program, and shows the lines that it
//! rests on.

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
               process switches to that map",
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
        let (loader, _) = exec.opened(true)?;
        let before = exec.stage("memory-map").filter(|change| *change < loader);
        before.map(|change| vec![change, loader])
    },
};

/// Execs of dynamically linked programs in a story, each with what it says of the claim.
#[must_use]
pub fn check(claim: &Sentence, points: &[Point]) -> Vec<(String, Held)> {
    let execs = execs(points);
    let dynamic = execs
        .iter()
        .filter(|exec| exec.stage(LOADER_RUNS).is_some());
    dynamic
        .map(|exec| {
            let held = (claim.check)(exec).map(|lines| {
                let lines = lines.into_iter().map(|at| line(exec.points[at]));
                Held::Yes(lines.collect())
            });
            (exec.process.to_owned(), held.unwrap_or(Held::No))
        })
        .collect()
}

impl Sentence {
    /// Checks it on every exec of a dynamically linked program; none for a story without one.
    #[must_use]
    pub fn check(&self, points: &[Point]) -> Vec<(String, Held)> {
        check(self, points)
    }
}

fn line(point: &Point) -> String {
    match point {
        Point::Stage(mark) => mark.to_string(),
        Point::Step(step) => step.to_string(),
    }
}

/// One exec that succeeded: from the call to the next one.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// Name of the process.
    pub process: &'a str,
    /// Everything from its call on.
    pub points: Vec<&'a Point>,
}

/// The execs of a story that went past the point of no return.
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
        self.points
            .iter()
            .enumerate()
            .filter_map(|(at, point)| match point {
                Point::Step(step) => Some((at, step)),
                Point::Stage(_) => None,
            })
    }

    /// The last `execute` before the point of no return, or the last that was not of the ELF
    /// interpreter; with the `open` after it.
    fn opened(&self, loader: bool) -> Option<(usize, usize)> {
        let end = self.stage("begin-new-exec")?;
        let interpreter = self.elf_interpreter();
        let executes: Vec<_> = self
            .steps()
            .filter(|(at, step)| *at < end && step.mask == Mask::EXECUTE)
            .filter(|(at, _)| loader == interpreter.is_some_and(|open| open < *at))
            .collect();
        let (at, execute) = *executes.last()?;
        let (open, _) = self.steps().find(|(next, step)| {
            *next > at && step.mask == Mask::OPEN && step.path == execute.path
        })?;
        (open < end).then_some((at, open))
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
    opened_under_old_exe(exec, false)
}

fn loader_opened(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    let (program, _) = exec.opened(false)?;
    opened_under_old_exe(exec, true).filter(|lines| lines.iter().all(|line| *line > program))
}

fn opened_under_old_exe(exec: &Stretch<'_>, loader: bool) -> Option<Vec<usize>> {
    let (execute, open) = exec.opened(loader)?;
    let old = exec.old_exe()?;
    let still = [execute, open]
        .iter()
        .all(|at| exec.step(*at).is_some_and(|step| step.exe == old));
    still.then(|| vec![execute, open])
}

fn exe_changes(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    let (_, opened) = exec.opened(true)?;
    let (set, map) = (exec.stage("exe-file-set")?, exec.stage("memory-map")?);
    let (before, last) = exec.steps().take_while(|(at, _)| *at < map).last()?;
    let after = exec.steps().find(|(at, _)| *at > map);
    let begins = exec.stage("begin-new-exec")?;
    let order = opened <= before && before < begins && begins < set && set < map;
    let new = after.is_none_or(|(_, step)| step.exe != last.exe || exec.same_program());
    let lines = [before, begins, set, map].into_iter();
    (order && new).then(|| lines.chain(after.map(|(at, _)| at)).collect())
}

fn loader_runs(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    let (map, runs) = (exec.stage("memory-map")?, exec.stage(LOADER_RUNS)?);
    let back = exec.stage(RETURN)?;
    let (first, step) = exec.steps().find(|(at, _)| *at > map)?;
    let old = exec.old_exe()?;
    let order = map < back && back < runs && runs < first;
    (order && (step.exe != old || exec.same_program())).then(|| vec![back, runs, first])
}

fn program_runs(exec: &Stretch<'_>) -> Option<Vec<usize>> {
    let (loader, program) = (exec.stage(LOADER_RUNS)?, exec.stage(PROGRAM_RUNS)?);
    let last = exec.steps().take_while(|(at, _)| *at < program).last()?.0;
    (loader < last && last < program).then(|| vec![loader, last, program])
}

impl Stretch<'_> {
    /// Whether a program executes itself once more: exe cannot tell the two apart.
    fn same_program(&self) -> bool {
        let program = self.opened(false).and_then(|(at, _)| self.step(at));
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
        let before = exec.steps().take_while(|(step, _)| *step < at).last();
        let after = exec.steps().find(|(step, _)| *step > at);
        Some(IdentityChange {
            what,
            before: before.map(|(_, step)| step.to_string()),
            stage: line(point),
            after: after.map(|(_, step)| step.to_string()),
        })
    };
    found.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const NORMAL: &str = "\
start p1 by launcher: execve /a
stage=call                   pid=p1 : syscalls:sys_enter_execve
perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a
perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a
stage=try-elf                pid=p1 : load_elf_binary
stage=open-interpreter       pid=p1 : open_exec
perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/ld
perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/ld
stage=begin-new-exec         pid=p1 : begin_new_exec
stage=exe-file-set           pid=p1 : set_mm_exe_file
stage=memory-map             pid=p1 : membarrier_exec_mmap
stage=comm                   pid=p1 : task:task_rename = a
stage=return                 pid=p1 : syscalls:sys_exit_execve = 0
stage=loader-runs            pid=p1 : uprobe = /ld
perm=open    pid=p1 ppid=launcher exe=/a comm=a : path=/lib
stage=program-runs           pid=p1 : uprobe = /a
end p1: exit 0
";

    fn held(claim: &Sentence, text: &str) -> bool {
        let points = parse(text).unwrap().inside.stages;
        matches!(claim.check(&points).as_slice(), [(_, Held::Yes(_))])
    }

    #[test]
    fn every_claim_holds_for_the_normal_start() {
        for claim in CLAIMS {
            assert!(held(claim, NORMAL), "{}", claim.name);
        }
    }

    #[test]
    fn a_claim_that_is_wrong_does_not_hold() {
        assert!(!held(&WRONG, NORMAL));
    }

    #[test]
    fn no_claim_holds_when_exe_changes_too_early() {
        let text = NORMAL.replace("exe=/x comm=x : path=/ld", "exe=/a comm=x : path=/ld");
        assert!(!held(&CLAIMS[1], &text) && !held(&CLAIMS[2], &text));
    }

    #[test]
    fn a_library_before_the_loader_is_no_proof() {
        let runs = "stage=loader-runs            pid=p1 : uprobe = /ld\n";
        let late = NORMAL
            .replace(runs, "")
            .replace("end p1", &format!("{runs}end p1"));
        assert!(!held(&CLAIMS[3], &late) && !held(&CLAIMS[4], &late));
    }

    #[test]
    fn a_change_is_pinned_from_both_sides() {
        let points = parse(NORMAL).unwrap().inside.stages;
        let exec = &execs(&points)[0];
        let change = &changes(exec)[0];
        assert!(change.before.as_ref().unwrap().ends_with("path=/ld"));
        assert!(change.stage.contains("membarrier_exec_mmap"));
        assert!(change.after.as_ref().unwrap().ends_with("path=/lib"));
    }
}
