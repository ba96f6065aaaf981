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
    let judges: [(&str, Judge); 14] = [
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
    let kernel = Kernel { table, column };
    let verdict = |(claim, judge): &(&str, Judge)| {
        let (verdict, evidence) = judge(&kernel)?;
        Some(Verdict {
            claim: (*claim).to_owned(),
            verdict,
            evidence,
        })
    };
    let others = intrusive::JUDGES.iter().chain(ebpf::JUDGES);
    let others = others.chain(ima::JUDGES);
    judges.iter().chain(others).filter_map(verdict).collect()
}

/// Judges one claim on one kernel; none where nothing was reported.
type Judge = fn(&Kernel<'_>) -> Option<(Judgement, String)>;

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
    let how = if alone {
        "each told by its ids alone"
    } else {
        "not each told by its ids alone"
    };
    let evidence = format!("{execs} execs, {how}");
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
    let (found, all) = right(kernel.cell("sched_process_exec")?);
    let evidence = format!(
        "sched_process_exec gives what the caller passed, and of a descriptor /dev/fd/N: the file's own path in \
         {found} of {all} execs"
    );
    let verdict = by_share((found, all), Judgement::Holds, Judgement::Contradicted);
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
    let evidence = "no group of events has it".to_owned();
    Some((holds_or(there, Judgement::Contradicted), evidence))
}

fn poll_short(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("/proc, polled")?;
    let seen = cell.gone;
    let evidence = format!(
        "{seen} processes of {} have nothing in /proc when they have ended and been reaped",
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
    let (right, known) = right(cell);
    let wrong = known - right;
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
        "{alike} calls that fail are told as well, and so are interpreters and ELF interpreters"
    );
    Some((holds_or(alike == 0, Judgement::Contradicted), evidence))
}

/// How many paths are the file's own, of how many that can be judged.
fn right(cell: &Cell) -> (usize, usize) {
    let known = cell.paths().filter(|(path, _)| *path != Path::Unknown);
    known.fold((0, 0), |(right, all), (path, _)| {
        (right + usize::from(path == Path::Right), all + 1)
    })
}

/// A claim that something is never right, or always.
fn by_share((right, all): (usize, usize), none: Judgement, every: Judgement) -> Judgement {
    match right {
        0 => none,
        right if right == all => every,
        _ => Judgement::Partly,
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
    let verdict = by_share((found, all), Judgement::Contradicted, Judgement::Holds);
    Some((verdict, evidence))
}

fn audit_all(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("audit, exe")?;
    let missed = cell
        .executed()
        .filter(|(_, judged)| judged.heard == Heard::Missed);
    let missed: Vec<_> = missed.map(|(scenario, _)| scenario.as_str()).collect();
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
    let cell = kernel.cell("audit, exe")?;
    let heard = cell
        .executed()
        .any(|(_, judged)| judged.heard != Heard::Missed);
    let evidence = "the records here come by the multicast group, whose reader is no daemon and keeps \
                    none away";
    Some((
        holds_or(!heard, Judgement::Contradicted),
        evidence.to_owned(),
    ))
}

fn audit_container(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell("audit, exe")?;
    let told = cell.executed().any(|(_, judged)| judged.container);
    let evidence = "no record of a call names a cgroup or a namespace".to_owned();
    Some((holds_or(!told, Judgement::Contradicted), evidence))
}

/// The probe whose file is fetched name by name.
const DENTRIES: &str = "kprobe on security_bprm_check, dentries";

fn kprobes_path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (found, all) = right(kernel.cell(DENTRIES)?);
    let evidence = format!(
        "at security_bprm_check the thread is the caller, and the names fetched one by one from the \
         file's dentry upwards are its path in {found} of {all} execs"
    );
    let verdict = by_share((found, all), Judgement::Holds, Judgement::Contradicted);
    Some((verdict, evidence))
}

fn kprobes_version(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(DENTRIES)?;
    let heard = cell
        .executed()
        .any(|(_, judged)| judged.heard != Heard::Missed);
    let evidence =
        "the same observer works here: the distances come from the kernel's own types (BTF)";
    Some((
        holds_or(!heard, Judgement::Contradicted),
        evidence.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::table::{Column, Scene};
    use super::super::{attempts, parse};
    use super::*;

    /// The verdict on a claim where one program is executed by a link and this is reported.
    fn verdict(claim: &str, view: &str, report: &str) -> Option<Judgement> {
        let text = "start p1 by launcher: execve ./l\n\
            stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
            perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
            stage=memory-map             pid=p1 : membarrier_exec_mmap\n\
            stage=comm                   pid=p1 : task:task_rename = l\n\
            stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n\
            end p1: exit 0\n";
        let scene = Scene {
            scenario: "s".to_owned(),
            lies: false,
            attempts: attempts(&crate::stages::parse(text).unwrap()),
            reports: [(view.to_owned(), parse(report).unwrap())].into(),
        };
        let column = Column {
            kernel: "1".to_owned(),
            scenes: vec![scene],
        };
        let table = Table::new(&[column], &[]);
        let found = verdicts(&table, 0).into_iter();
        let mut own = found.filter(|found| found.claim == claim);
        own.next().map(|found| found.verdict)
    }

    #[test]
    fn a_claim_without_a_report_is_not_judged() {
        assert_eq!(verdict("connector/ids", "audit", "nothing\n"), None);
    }

    #[test]
    fn ids_alone_are_what_the_connector_tells() {
        let of = |more: &str| {
            let text = format!("event=exec    pid=p1 after=1 : EXEC{more}\n");
            verdict("connector/ids", "proc-connector", &text)
        };
        assert_eq!(of(""), Some(Judgement::Holds));
        assert_eq!(of(" comm=a"), Some(Judgement::Contradicted));
    }

    #[test]
    fn a_tracepoint_that_tells_what_was_passed_tells_no_full_path() {
        let of = |path: &str| {
            let text = format!("event=exec    pid=p1 after=1 : sched_process_exec path={path}\n");
            let path = verdict("tracepoints/path", "tracepoints", &text);
            (path, verdict("tracepoints/relative", "tracepoints", &text))
        };
        let (holds, contradicted) = (Some(Judgement::Holds), Some(Judgement::Contradicted));
        assert_eq!(of("./l"), (holds, holds));
        assert_eq!(of("/a"), (contradicted, contradicted));
    }

    #[test]
    fn an_exec_without_a_record_contradicts_that_none_is_missed() {
        let record = "event=return  pid=p1 : SYSCALL exe=/a result=0\n";
        assert_eq!(
            verdict("audit/all", "audit", record),
            Some(Judgement::Holds)
        );
        assert_eq!(
            verdict("audit/all", "audit", "nothing\n"),
            Some(Judgement::Contradicted)
        );
    }

    #[test]
    fn an_exec_at_which_no_tracer_is_woken_contradicts_that_all_are_seen() {
        let of = |report: &str| verdict("ptrace/all", "ptrace-seccomp", report);
        let stop = "event=exec    pid=p1 after=1 : PTRACE_EVENT_EXEC exe=/a\n";
        assert_eq!(of(stop), Some(Judgement::Holds));
        assert_eq!(of("nothing\n"), Some(Judgement::Contradicted));
    }

    #[test]
    fn a_footprint_contradicts_that_nothing_is_changed() {
        let of = |footprint: &str| {
            let report = format!("nothing\nfootprint:{footprint}\n");
            verdict("preload/unchanged", "ld-preload", &report)
        };
        assert_eq!(of(" none"), Some(Judgement::Holds));
        assert_eq!(of("\n+ x"), Some(Judgement::Contradicted));
    }

    #[test]
    fn a_program_that_does_not_load_it_is_a_way_around_the_library() {
        let of = |report: &str| verdict("preload/bypass", "ld-preload", report);
        let loaded = "event=look    pid=p1 after=1 : loaded exe=/a\n";
        assert_eq!(of(loaded), Some(Judgement::Contradicted));
        assert_eq!(of("nothing\n"), Some(Judgement::Holds));
    }

    #[test]
    fn a_helper_that_gives_the_path_contradicts_that_none_does() {
        let open = "event=open    pid=p1 after=0 : security_file_open";
        let of = |file: &str| {
            let report = format!("{open} file={file}\n");
            verdict("ebpf/helper-path", "ebpf-helpers", &report)
        };
        assert_eq!(of("/a"), Some(Judgement::Contradicted));
        assert_eq!(of("/b"), Some(Judgement::Holds));
    }

    #[test]
    fn a_program_that_is_never_called_contradicts_that_it_sees_every_exec() {
        let called = "event=inside  pid=p1 after=1 : bprm_check_security file=/a\n";
        let of = |report: &str| verdict("ebpf/module", "ebpf-lsm", report);
        assert_eq!(
            of("deaf: lsm=x has no bpf\nnothing\n"),
            Some(Judgement::Contradicted)
        );
        assert_eq!(of(called), Some(Judgement::Holds));
        assert_eq!(of("nothing\n"), Some(Judgement::Partly));
    }

    #[test]
    fn a_path_that_is_made_of_what_was_passed_is_not_the_files() {
        let of = |path: &str| {
            let report = format!("event=exec    pid=p1 after=1 : sched_process_exec path={path}\n");
            verdict("ebpf/chdir", "exec-fork-chdir", &report)
        };
        assert_eq!(of("/l"), Some(Judgement::Contradicted));
        assert_eq!(of("/a"), Some(Judgement::Holds));
    }

    #[test]
    fn the_hook_of_the_policy_tells_the_program_or_it_does_not() {
        let of = |file: &str| {
            let hook = "event=inside  pid=p1 after=1 : security_bprm_creds_from_file";
            verdict(
                "tetragon/elf",
                "tetragon-hook",
                &format!("{hook} file={file}\n"),
            )
        };
        assert_eq!(of("/a"), Some(Judgement::Holds));
        assert_eq!(of("/l"), Some(Judgement::Contradicted));
    }

    #[test]
    fn a_second_exec_without_an_entry_contradicts_that_each_has_one() {
        let of = |report: &str| verdict("ima/all", "ima", report);
        let entry = "event=inside  pid=? : BPRM_CHECK file=/a digest=own\n";
        assert_eq!(of(entry), Some(Judgement::Holds));
        assert_eq!(of("nothing\n"), Some(Judgement::Contradicted));
    }

    #[test]
    fn a_digest_of_another_content_contradicts_that_it_is_the_files() {
        let of = |digest: &str| {
            let report = format!("event=inside  pid=? : BPRM_CHECK file=/a digest={digest}\n");
            verdict("ima/content", "ima", &report)
        };
        assert_eq!(of("own"), Some(Judgement::Holds));
        assert_eq!(of("another's"), Some(Judgement::Contradicted));
    }

    #[test]
    fn a_path_of_dentries_contradicts_that_there_is_none() {
        let of = |file: &str| {
            let probe = "event=inside  pid=p1 after=1 : security_bprm_check";
            verdict("kprobes/path", "kprobes", &format!("{probe} file={file}\n"))
        };
        assert_eq!(of("/a"), Some(Judgement::Contradicted));
        assert_eq!(of("/b"), Some(Judgement::Holds));
    }
}
