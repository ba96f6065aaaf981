//! The claims of surveys, and what the reports make of each.

use super::judge::{Heard, Path};
use super::table::{Cell, Table};
use crate::trail::{Judgement, Verdict};

/// The claims, in the form of a specification ([`crate::contract`]).
pub const SURVEY: &str = include_str!("survey.toml");

/// The verdicts on one kernel, by the number of its column.
#[must_use]
pub fn verdicts(table: &Table, column: usize) -> Vec<Verdict> {
    let judges: [(&str, fn(&Kernel<'_>) -> Option<(Judgement, String)>); 8] = [
        ("connector/ids", connector_ids),
        ("connector/late", connector_late),
        ("tracepoints/path", tracepoints_path),
        ("tracepoints/relative", tracepoints_relative),
        ("tracepoints/open_exec", tracepoints_open_exec),
        ("poll/short", poll_short),
        ("fanotify/full-path", fanotify_path),
        ("fanotify/exec", fanotify_exec),
    ];
    let kernel = Kernel { table, column };
    let verdict = |(claim, judge): &(&str, fn(&Kernel<'_>) -> Option<(Judgement, String)>)| {
        let (verdict, evidence) = judge(&kernel)?;
        Some(Verdict {
            claim: (*claim).to_owned(),
            verdict,
            evidence,
        })
    };
    judges.iter().filter_map(verdict).collect()
}

/// One kernel of the table.
struct Kernel<'a> {
    table: &'a Table,
    column: usize,
}

impl<'a> Kernel<'a> {
    fn cell(&self, sign: &str) -> Option<&'a Cell> {
        let row = self.table.row(sign)?;
        row.cells.get(self.column)?.as_ref()
    }
}

/// Holds, or what it is otherwise.
fn holds_or(holds: bool, other: Judgement) -> Judgement {
    match holds {
        true => Judgement::Holds,
        false => other,
    }
}

fn connector_ids(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("process connector")?;
    let mut told = cell.executed().map(|(_, judged)| judged);
    let execs = cell.executed().count();
    let alone = told.all(|one| {
        matches!(one.path, None | Some(Path::Absent)) && one.identity.is_none() && !one.container
    });
    let evidence = format!("{execs} execs, each told by its ids alone");
    Some((holds_or(alone, Judgement::Contradicted), evidence))
}

fn connector_late(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (told, looked) = (
        kernel.cell("process connector")?,
        kernel.cell("process connector, then /proc")?,
    );
    let heard = |cell: &Cell| {
        let all = cell.executed();
        all.filter(|(_, judged)| judged.heard != Heard::Missed)
            .count()
    };
    let (told, looked) = (heard(told), heard(looked));
    let evidence = format!(
        "of {told} execs {} open nothing more that could hold them until somebody looks; the other \
         {looked} are there at their next step",
        told - looked
    );
    Some((holds_or(looked < told, Judgement::Contradicted), evidence))
}

fn tracepoints_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("sched_process_exec")?;
    let known = cell.paths().filter(|(path, _)| *path != Path::Unknown);
    let (mut all, mut right) = (0, 0);
    for (path, _) in known {
        all += 1;
        right += usize::from(path == Path::Right);
    }
    let evidence = format!(
        "sched_process_exec gives what the caller passed: the file's own path in {right} of {all} \
         execs"
    );
    let verdict = match right {
        0 => Judgement::Holds,
        right if right == all => Judgement::Contradicted,
        _ => Judgement::Partly,
    };
    Some((verdict, evidence))
}

fn tracepoints_relative(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("sched_process_exec")?;
    let relative = |(_, judged): &&(String, super::Judged)| {
        let passed = judged.attempt.passed.as_deref();
        passed.is_some_and(|path| path.starts_with("./") || path.starts_with("../"))
    };
    let (_, judged) = cell.executed().find(relative)?;
    let told = judged.told.as_deref()?;
    let evidence = format!("sched_process_exec tells {told}");
    Some((
        holds_or(!told.starts_with('/'), Judgement::Contradicted),
        evidence,
    ))
}

fn tracepoints_open_exec(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("sched_process_exec")?;
    let there = !cell.absent.iter().any(|name| name == "open_exec");
    let evidence = "no group of events has it".to_owned();
    Some((holds_or(there, Judgement::Contradicted), evidence))
}

fn poll_short(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("/proc, polled")?;
    let seen = cell.gone;
    let evidence = format!(
        "{seen} processes of {} have nothing in /proc when they have ended",
        cell.ended
    );
    Some((
        holds_or(seen == cell.ended, Judgement::Contradicted),
        evidence,
    ))
}

fn fanotify_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("fanotify, notification")?;
    let missed = cell
        .executed()
        .filter(|(_, judged)| judged.heard == Heard::Missed);
    let (missed, all) = (missed.count(), cell.executed().count());
    let wrong = cell
        .paths()
        .filter(|(path, _)| *path != Path::Right)
        .count();
    let evidence = format!(
        "of {all} execs {missed} are not told, because nobody watches the file's file system, and \
         {wrong} have another path"
    );
    Some((holds_or(wrong == 0, Judgement::Partly), evidence))
}

fn fanotify_exec(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("fanotify, notification")?;
    let alike = cell
        .failed()
        .filter(|(_, judged)| judged.heard == Heard::Unsettled)
        .count();
    let evidence = format!(
        "{alike} calls that fail are told as well, and so is every interpreter and ELF interpreter"
    );
    Some((holds_or(alike == 0, Judgement::Contradicted), evidence))
}
