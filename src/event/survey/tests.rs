//! One exec, or none, and what is reported of it.

use super::super::table::{Column, Scene};
use super::super::{attempts, parse};
use super::*;

/// One program, executed by a link.
const LINK: &str = "start p1 by launcher: execve ./l\n\
    stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
    perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
    stage=memory-map             pid=p1 : membarrier_exec_mmap\n\
    stage=comm                   pid=p1 : task:task_rename = l\n\
    stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n\
    end p1: exit 0\n";
/// A script, and its interpreter.
const SCRIPT: &str = "start p1 by launcher: execve /s\n\
    stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
    perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/s\n\
    stage=open-interpreter       pid=p1 : open_exec\n\
    perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/i\n\
    stage=memory-map             pid=p1 : membarrier_exec_mmap\n\
    stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n\
    end p1: exit 0\n";
/// A file that cannot be executed.
const FAILING: &str = "start p2 by launcher: execve /f\n\
    stage=call                   pid=p2 : syscalls:sys_enter_execve\n\
    perm=execute pid=p2 ppid=launcher exe=/x comm=x : path=/f\n\
    stage=return                 pid=p2 : syscalls:sys_exit_execve = ENOEXEC\n\
    end p2: errno ENOEXEC\n";

/// A table of one kernel with one scenario, of which this is reported.
fn table((scenario, story): (&str, &str), view: &str, report: &str) -> Table {
    let scene = Scene {
        scenario: scenario.to_owned(),
        lies: false,
        attempts: attempts(&crate::stages::parse(story).unwrap()),
        reports: [(view.to_owned(), parse(report).unwrap())].into(),
    };
    let column = Column {
        kernel: "1".to_owned(),
        scenes: vec![scene],
    };
    Table::new(&[column], &[])
}

/// The verdict on a claim, and its evidence.
fn found(claim: &str, table: &Table) -> Option<(Judgement, String)> {
    let mut found = verdicts(table, 0).into_iter();
    let own = found.find(|found| found.claim == claim)?;
    Some((own.verdict, own.evidence))
}

/// The verdict on a claim where a scenario of this name is that story.
fn of_scenario(claim: &str, scenario: (&str, &str), view: &str, report: &str) -> Option<Judgement> {
    found(claim, &table(scenario, view, report)).map(|(verdict, _)| verdict)
}

/// The verdict on a claim where one program is executed by a link and this is reported.
fn verdict(claim: &str, view: &str, report: &str) -> Option<Judgement> {
    of_scenario(claim, ("s", LINK), view, report)
}

const HOLDS: Option<Judgement> = Some(Judgement::Holds);
const PARTLY: Option<Judgement> = Some(Judgement::Partly);
const CONTRADICTED: Option<Judgement> = Some(Judgement::Contradicted);

#[test]
fn each_claim_has_its_judge() {
    let survey: toml::Table = toml::from_str(SURVEY).unwrap();
    let claims = survey["claim"].as_array().unwrap().iter();
    let claims: Vec<_> = claims.map(|claim| claim["id"].as_str().unwrap()).collect();
    for claim in &claims {
        let own = judges().filter(|(id, _)| id == claim);
        assert_eq!(own.count(), 1, "{claim}");
    }
    assert_eq!(claims.len(), judges().count());
}

#[test]
fn each_group_has_a_claim() {
    let survey: toml::Table = toml::from_str(SURVEY).unwrap();
    let all = |of: &str| survey[of].as_array().unwrap().iter();
    let id = |of: &toml::Value| of["id"].as_str().unwrap().to_owned();
    for group in all("group").map(id) {
        let own = format!("{group}/");
        assert!(
            all("claim").any(|claim| id(claim).starts_with(&own)),
            "{group}"
        );
    }
}

#[test]
fn of_no_exec_nothing_is_said() {
    for sign in super::super::SIGNS {
        let found = verdicts(&table(("s", FAILING), sign.view, "nothing\n"), 0);
        assert!(found.is_empty(), "{}: {found:?}", sign.view);
    }
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
    for (claim, view) in [
        ("preload/unchanged", "ld-preload"),
        ("ptrace/unchanged", "ptrace-seccomp"),
    ] {
        let of = |footprint: &str| {
            let report = format!("nothing\nfootprint:{footprint}\n");
            verdict(claim, view, &report)
        };
        assert_eq!((of(" none"), of("\n+ x")), (HOLDS, CONTRADICTED), "{claim}");
    }
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
fn an_entry_that_begins_with_a_slash_may_have_another_path() {
    let of = |file: &str| {
        let report = format!("event=inside  pid=? : BPRM_CHECK file={file} digest=own\n");
        verdict("ima/path", "ima", &report)
    };
    assert_eq!((of("/a"), of("/b")), (HOLDS, CONTRADICTED));
    assert_eq!(verdict("ima/path", "ima", "nothing\n"), None);
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

#[test]
fn who_is_gone_when_somebody_looks_makes_the_connector_late() {
    let exec = "event=exec    pid=p1 after=1 : EXEC\n";
    let look = "event=look    pid=p1 after=1 : /proc exe=/a\n";
    let of = |report: &str| verdict("connector/late", "proc-connector", report);
    assert_eq!(of(exec), HOLDS);
    assert_eq!(of(&format!("{exec}{look}")), CONTRADICTED);
    // A report that is odd: what was not told of is looked at.
    assert_eq!(of(look), None);
    assert_eq!(of("nothing\n"), None);
}

#[test]
fn a_process_that_is_seen_before_it_ends_contradicts_that_none_is() {
    let of = |report: &str| verdict("poll/short", "proc-poll", report);
    assert_eq!(of("event=gone    pid=p1 : /proc\n"), HOLDS);
    let seen = "event=look    pid=p1 after=1 : /proc exe=/a\n";
    assert_eq!(of(seen), CONTRADICTED);
    assert_eq!(of("nothing\n"), None);
}

#[test]
fn another_path_of_fanotify_makes_the_claim_true_in_part() {
    let of = |path: &str| {
        let report = format!("event=open    pid=p1 after=0 : FAN_OPEN_EXEC file={path}\n");
        verdict("fanotify/full-path", "fanotify-notify", &report)
    };
    assert_eq!((of("/a"), of("/b")), (HOLDS, PARTLY));
    let nothing = verdict("fanotify/full-path", "fanotify-notify", "nothing\n");
    assert_eq!(nothing, None);
}

#[test]
fn a_call_that_fails_and_is_told_contradicts_that_a_program_is_executed() {
    let story = format!("{LINK}\n{FAILING}");
    let of = |report: &str| {
        let scenario = ("s", story.as_str());
        of_scenario("fanotify/exec", scenario, "fanotify-notify", report)
    };
    let told = "event=open    pid=p2 after=0 : FAN_OPEN_EXEC file=/f\n";
    assert_eq!((of("nothing\n"), of(told)), (HOLDS, CONTRADICTED));
    assert_eq!(
        verdict("fanotify/exec", "fanotify-notify", "nothing\n"),
        None
    );
    let quiet = table(("s", &story), "fanotify-notify", "nothing\n");
    let (_, evidence) = found("fanotify/exec", &quiet).unwrap();
    assert_eq!(evidence, "1 calls that fail, none of them told");
}

#[test]
fn a_tracepoint_is_there_where_it_is_not_said_to_be_absent() {
    let of = |first: &str| {
        let report = format!("{first}event=exec    pid=p1 after=1 : sched_process_exec path=./l\n");
        found(
            "tracepoints/open_exec",
            &table(("s", LINK), "tracepoints", &report),
        )
    };
    let said = |verdict, evidence: &str| Some((verdict, evidence.to_owned()));
    assert_eq!(of(""), said(Judgement::Holds, "a group of events has it"));
    assert_eq!(
        of("absent: open_exec\n"),
        said(Judgement::Contradicted, "no group of events has it")
    );
}

#[test]
fn a_record_says_what_audit_knows_and_none_says_nothing() {
    let of = |claim: &str, more: &str| {
        let record = format!("event=return  pid=p1 : SYSCALL result=0 exe={more}\n");
        verdict(claim, "audit", &record)
    };
    let (own, other) = (of("audit/path", "/a"), of("audit/path", "/b"));
    assert_eq!((own, other), (HOLDS, CONTRADICTED));
    assert_eq!(of("audit/one-reader", "/a"), CONTRADICTED);
    assert_eq!(of("audit/container", "/a"), HOLDS);
    assert_eq!(of("audit/container", "/a cgroup=/c"), CONTRADICTED);
    for claim in ["audit/path", "audit/one-reader", "audit/container"] {
        assert_eq!(verdict(claim, "audit", "nothing\n"), None, "{claim}");
    }
}

#[test]
fn a_container_that_is_named_is_no_evidence_that_none_is() {
    let record = "event=return  pid=p1 : SYSCALL exe=/a cgroup=/c result=0\n";
    let (_, evidence) = found("audit/container", &table(("s", LINK), "audit", record)).unwrap();
    assert_eq!(evidence, "the record of a call in s names a cgroup");
}

#[test]
fn an_observer_that_hears_is_not_tied_to_one_kernel() {
    let inside = "event=inside  pid=p1 after=1 : security_bprm_check file=/a\n";
    let exec = "event=exec    pid=p1 after=1 : sched_process_exec exe=/a\n";
    for (claim, view, report) in [
        ("kprobes/version", "kprobes", inside),
        ("ebpf/version", "ebpf-structs", exec),
    ] {
        assert_eq!(verdict(claim, view, report), CONTRADICTED, "{claim}");
        assert_eq!(verdict(claim, view, "nothing\n"), None, "{claim}");
    }
}

#[test]
fn a_cgroup_that_the_helper_gives_is_what_is_claimed() {
    let of = |more: &str| {
        let report = format!("event=exec    pid=p1 after=1 : sched_process_exec comm=l{more}\n");
        verdict("ebpf/cgroup", "ebpf-helpers", &report)
    };
    assert_eq!((of(" cgroup=7"), of("")), (HOLDS, CONTRADICTED));
}

#[test]
fn of_a_script_the_policy_tells_the_interpreter() {
    let of = |story: &str, file: &str| {
        let source = "event=inside  pid=p1 after=2 : security_bprm_creds_from_file";
        let report = format!("{source} file={file}\n");
        of_scenario("tetragon/script", ("s", story), "tetragon-hook", &report)
    };
    assert_eq!((of(SCRIPT, "/i"), of(SCRIPT, "/s")), (HOLDS, CONTRADICTED));
    assert_eq!(of(LINK, "/a"), None);
}

#[test]
fn its_complement_tells_both_files_or_it_does_not() {
    let of = |story: &str, files: &[&str]| {
        let line = |file: &&str| {
            format!("event=inside  pid=p1 after=1 : security_bprm_check file={file}\n")
        };
        let report: String = files.iter().map(line).collect();
        of_scenario(
            "tetragon/complement",
            ("s", story),
            "tetragon-hook",
            &report,
        )
    };
    assert_eq!(of(SCRIPT, &["/s", "/i"]), HOLDS);
    assert_eq!(of(SCRIPT, &["/s"]), CONTRADICTED);
    assert_eq!(of(LINK, &["/a"]), None);
}

#[test]
fn a_program_that_has_its_rights_under_the_tracer_makes_the_claim_true_in_part() {
    let of = |scenario: &str, user: &str| {
        let stop = "event=exec    pid=p1 after=1 : PTRACE_EVENT_EXEC";
        let report = format!("{stop} uid={user} exe=/a\n");
        of_scenario(
            "ptrace/set-user-id",
            (scenario, LINK),
            "ptrace-seccomp",
            &report,
        )
    };
    assert_eq!(of("start/set_user_id", "1000/0"), PARTLY);
    assert_eq!(of("start/set_user_id", "1000/1000"), HOLDS);
    assert_eq!(of("s", "1000/0"), None);
}

#[test]
fn a_static_program_that_says_something_contradicts_that_none_does() {
    let of = |scenario: &str, report: &str| {
        of_scenario("preload/static", (scenario, LINK), "ld-preload", report)
    };
    assert_eq!(of("start/static", "nothing\n"), HOLDS);
    let loaded = "event=look    pid=p1 after=1 : loaded exe=/a\n";
    assert_eq!(of("start/static", loaded), CONTRADICTED);
    assert_eq!(of("s", "nothing\n"), None);
}

#[test]
fn what_apparmor_reports_is_held_against_each_exec() {
    let of = |claim: &str, file: &str| {
        let report = format!("event=inside  pid=p1 : AVC file={file}\nfootprint: none\n");
        verdict(claim, "apparmor", &report)
    };
    assert_eq!(of("apparmor/all", "/a"), HOLDS);
    assert_eq!(
        verdict("apparmor/all", "apparmor", "nothing\n"),
        CONTRADICTED
    );
    let (own, other) = (of("apparmor/path", "/a"), of("apparmor/path", "/b"));
    assert_eq!((own, other), (HOLDS, CONTRADICTED));
    assert_eq!(of("apparmor/unchanged", "/a"), HOLDS);
    let changed = "nothing\nfootprint:\n+ x\n";
    assert_eq!(
        verdict("apparmor/unchanged", "apparmor", changed),
        CONTRADICTED
    );
}
