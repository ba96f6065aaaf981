//! The claims of surveys, and what the reports make of each.

mod ebpf;
mod ima;
mod intrusive;

use super::judge::{Heard, Path};
use super::table::{Cell, Table};
use crate::trail::{Judgement, Verdict};

/// The claims, in the form of a specification ([`crate::contract`]).
pub const SURVEY: &str = include_str!("survey.toml");

/// The verdicts on one kernel, by the number of its column.
#[must_use]
pub fn verdicts(table: &Table, column: usize) -> Vec<Verdict> {
    let kernel = Kernel { table, column };
    let verdict = |(claim, judge): &(&str, Judge)| {
        let (verdict, evidence) = judge(&kernel)?;
        Some(Verdict {
            claim: (*claim).to_owned(),
            verdict,
            evidence,
        })
    };
    judges().filter_map(verdict).collect()
}

/// Every claim with who judges it.
fn judges() -> impl Iterator<Item = &'static (&'static str, Judge)> {
    let others = intrusive::JUDGES.iter().chain(ebpf::JUDGES);
    JUDGES.iter().chain(others).chain(ima::JUDGES)
}

/// The claims about ways that neither are eBPF nor change what they watch.
const JUDGES: &[(&str, Judge)] = &[
    ("connector/ids", connector_ids),
    ("connector/late", connector_late),
    ("tracepoints/path", tracepoints_path),
    ("tracepoints/relative", tracepoints_relative),
    ("tracepoints/open_exec", tracepoints_open_exec),
    ("poll/short", poll_short),
    ("fanotify/full-path", fanotify_path),
    ("fanotify/exec", fanotify_exec),
    ("audit/path", audit_path),
    ("audit/all", audit_all),
    ("audit/one-reader", audit_one_reader),
    ("audit/container", audit_container),
    ("kprobes/path", kprobes_path),
    ("kprobes/version", kprobes_version),
];

/// Judges one claim on one kernel; none where nothing was reported of what it is about.
type Judge = fn(&Kernel<'_>) -> Option<(Judgement, String)>;

/// One kernel of the table.
struct Kernel<'a> {
    table: &'a Table,
    column: usize,
}

impl<'a> Kernel<'a> {
    /// What a sign made of the execs; none where there were none, of which nothing can be said.
    fn cell(&self, sign: &str) -> Option<&'a Cell> {
        let row = self.table.row(sign)?;
        let cell = row.cells.get(self.column)?.as_ref();
        cell.filter(|cell| cell.executed().next().is_some())
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
    // Of what is not heard nothing is told.
    cell.heard().next()?;
    let execs = cell.executed().count();
    let alone = cell.executed().all(|(_, one)| {
        matches!(one.path, None | Some(Path::Absent)) && one.identity.is_none() && !one.container
    });
    let how = if alone {
        "each told by its ids alone"
    } else {
        "not each told by its ids alone"
    };
    let evidence = format!("{execs} execs, {how}");
    Some((holds_or(alone, Judgement::Contradicted), evidence))
}

fn connector_late(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let told = kernel.cell("process connector")?.heard().count();
    let looked = kernel.cell("process connector, then /proc")?;
    let looked = looked.heard().count();
    // Where more are looked at than were told of, the reports are not of the same execs.
    let gone = told.checked_sub(looked).filter(|_| told > 0)?;
    let evidence = format!(
        "of {told} execs {gone} open nothing more that could hold them until somebody looks; the other \
         {looked} are there at their next step"
    );
    Some((holds_or(gone > 0, Judgement::Contradicted), evidence))
}

fn tracepoints_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (found, all) = right(kernel.cell("sched_process_exec")?);
    let evidence = format!(
        "sched_process_exec gives what the caller passed, and of a descriptor /dev/fd/N: the file's own path in \
         {found} of {all} execs"
    );
    let verdict = by_share((found, all), Judgement::Holds, Judgement::Contradicted)?;
    Some((verdict, evidence))
}

fn tracepoints_relative(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("sched_process_exec")?;
    let relative = |(_, judged): &&(String, super::SignJudged)| {
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
    let evidence = match there {
        true => "a group of events has it",
        false => "no group of events has it",
    };
    let verdict = holds_or(there, Judgement::Contradicted);
    Some((verdict, evidence.to_owned()))
}

fn poll_short(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("/proc, polled")?;
    let (gone, ended) = (cell.gone, cell.ended);
    let evidence = format!(
        "{gone} processes of {ended} have nothing in /proc when they have ended and been reaped"
    );
    let holds = holds_or(gone == ended, Judgement::Contradicted);
    (ended > 0).then_some((holds, evidence))
}

fn fanotify_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("fanotify, notification")?;
    let (missed, all) = (cell.missed().count(), cell.executed().count());
    let (right, known) = right(cell);
    let wrong = known - right;
    let evidence = format!(
        "of {all} execs {missed} are not told, because nobody watches the file's file system, and \
         {wrong} have another path"
    );
    (known > 0).then(|| (holds_or(wrong == 0, Judgement::Partly), evidence))
}

fn fanotify_exec(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("fanotify, notification")?;
    let all = cell.failed().count();
    let alike = cell
        .failed()
        .filter(|(_, judged)| judged.heard == Heard::Unsettled)
        .count();
    let evidence = match alike {
        0 => format!("{all} calls that fail, none of them told"),
        _ => format!(
            "{alike} calls that fail are told as well, and so are interpreters and ELF interpreters"
        ),
    };
    let verdict = holds_or(alike == 0, Judgement::Contradicted);
    (all > 0).then_some((verdict, evidence))
}

/// How many paths are the file's own, of how many that can be judged.
fn right(cell: &Cell) -> (usize, usize) {
    let known = cell.paths().filter(|(path, _)| *path != Path::Unknown);
    known.fold((0, 0), |(right, all), (path, _)| {
        (right + usize::from(path == Path::Right), all + 1)
    })
}

/// `never` where no path is right, `always` where all are, in part otherwise; none where there is no path to judge.
fn by_share(
    (right, all): (usize, usize),
    never: Judgement,
    always: Judgement,
) -> Option<Judgement> {
    match right {
        _ if all == 0 => None,
        0 => Some(never),
        right if right == all => Some(always),
        _ => Some(Judgement::Partly),
    }
}

fn audit_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let path = right(kernel.cell("audit, the first PATH")?);
    let exe = kernel.cell("audit, exe")?;
    let (found, all) = right(exe);
    let interpreter = exe
        .paths()
        .filter(|(path, _)| *path == Path::Interpreter)
        .count();
    let evidence = format!(
        "the first PATH record has the file's own path in {} of {} execs, exe in {found} of {all}, and in \
         {interpreter} the interpreter's",
        path.0, path.1
    );
    let verdict = by_share((found, all), Judgement::Contradicted, Judgement::Holds)?;
    Some((verdict, evidence))
}

fn audit_all(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("audit, exe")?;
    let missed: Vec<_> = cell
        .missed()
        .map(|(scenario, _)| scenario.as_str())
        .collect();
    let all = cell.executed().count();
    let evidence = match missed.is_empty() {
        true => format!("{all} execs, each recorded"),
        false => format!(
            "of {all} execs {} are missed: {}",
            missed.len(),
            missed.join(", ")
        ),
    };
    Some((
        holds_or(missed.is_empty(), Judgement::Contradicted),
        evidence,
    ))
}

fn audit_one_reader(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    // Where nothing comes, it is not known who keeps it away.
    kernel.cell("audit, exe")?.heard().next()?;
    let evidence = "the records here come by the multicast group, whose reader is no daemon and keeps \
                    none away";
    Some((Judgement::Contradicted, evidence.to_owned()))
}

fn audit_container(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("audit, exe")?;
    cell.heard().next()?;
    let mut named = cell.executed().filter(|(_, judged)| judged.container);
    Some(match named.next() {
        None => (
            Judgement::Holds,
            "no record of a call names a cgroup or a namespace".to_owned(),
        ),
        Some((scenario, _)) => (
            Judgement::Contradicted,
            format!("the record of a call in {scenario} names a cgroup"),
        ),
    })
}

/// The probe whose file is fetched name by name.
const DENTRIES: &str = "kprobe on security_bprm_check, dentries";

fn kprobes_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (found, all) = right(kernel.cell(DENTRIES)?);
    let evidence = format!(
        "at security_bprm_check the thread is the caller, and the names fetched one by one from the \
         file's dentry upwards are its path in {found} of {all} execs"
    );
    let verdict = by_share((found, all), Judgement::Holds, Judgement::Contradicted)?;
    Some((verdict, evidence))
}

fn kprobes_version(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    // One that hears nothing may have another fault.
    kernel.cell(DENTRIES)?.heard().next()?;
    let evidence =
        "the same observer works here: the distances come from the kernel's own types (BTF)";
    Some((Judgement::Contradicted, evidence.to_owned()))
}

#[cfg(test)]
mod tests;
