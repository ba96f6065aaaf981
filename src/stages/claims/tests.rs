use super::super::{StageMark, parse};
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
fn every_claim_shows_the_lines_that_it_rests_on() {
    let points = parse(NORMAL).unwrap().inside.stages;
    let exec = &execs(&points)[0];
    let lines: Vec<_> = CLAIMS.iter().map(|claim| (claim.check)(exec)).collect();
    let expected = [
        vec![1, 2],
        vec![5, 6],
        vec![6, 7, 8, 9, 13],
        vec![11, 12, 13],
        vec![12, 13, 14],
    ];
    assert_eq!(lines, expected.map(Some));
}

/// The normal start with one of its lines after another one.
fn moved(line: &str, after: &str) -> String {
    let one = |begin: &str| {
        let found = NORMAL.lines().find(|line| line.starts_with(begin));
        format!("{}\n", found.unwrap())
    };
    let (line, after) = (one(line), one(after));
    let without = NORMAL.replacen(&line, "", 1);
    without.replacen(&after, &format!("{after}{line}"), 1)
}

#[test]
fn the_exe_file_is_set_before_the_process_changes_to_the_map() {
    assert!(!held(
        &CLAIMS[2],
        &moved("stage=exe-file-set", "stage=memory-map")
    ));
}

#[test]
fn the_point_of_no_return_comes_before_the_exe_file_is_set() {
    assert!(!held(
        &CLAIMS[2],
        &moved("stage=begin-new-exec", "stage=exe-file-set")
    ));
}

#[test]
fn a_step_after_the_point_of_no_return_is_not_before_it() {
    let set = "stage=exe-file-set";
    let step = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/more\n";
    assert!(!held(
        &CLAIMS[2],
        &NORMAL.replace(set, &format!("{step}{set}"))
    ));
}

#[test]
fn the_loader_runs_after_the_call_has_returned() {
    assert!(!held(
        &CLAIMS[3],
        &moved("stage=return", "stage=loader-runs")
    ));
}

#[test]
fn the_call_returns_after_the_memory_map_is_new() {
    assert!(!held(
        &CLAIMS[3],
        &moved("stage=memory-map", "stage=return")
    ));
}

#[test]
fn the_program_runs_after_the_libraries() {
    let program = "stage=program-runs           pid=p1 : uprobe = /a\n";
    let runs = "stage=loader-runs";
    let early = NORMAL
        .replace(program, "")
        .replace(runs, &format!("{program}{runs}"));
    assert!(!held(&CLAIMS[4], &early));
}

#[test]
fn the_old_exe_must_stay_for_the_open_as_well() {
    let open = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/ld";
    let text = NORMAL.replace(open, &open.replace("exe=/x", "exe=/a"));
    assert!(!held(&CLAIMS[1], &text));
}

#[test]
fn an_exe_that_stays_is_no_change() {
    let text = NORMAL.replace("exe=/a comm=a : path=/lib", "exe=/x comm=a : path=/lib");
    assert!(!held(&CLAIMS[2], &text) && !held(&CLAIMS[3], &text));
}

#[test]
fn a_program_that_executes_itself_keeps_its_exe() {
    let text = NORMAL.replace("exe=/x", "exe=/a");
    assert!(held(&CLAIMS[2], &text) && held(&CLAIMS[3], &text));
}

#[test]
fn an_open_after_the_point_of_no_return_is_not_that_of_the_exec() {
    let first = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/ld\n";
    let begin = "stage=begin-new-exec         pid=p1 : begin_new_exec\n";
    let late = NORMAL
        .replace(first, "")
        .replace(begin, &format!("{begin}{first}"));
    assert!(!held(&CLAIMS[1], &late));
}

#[test]
fn an_exec_without_an_elf_interpreter_has_opened_none() {
    let text = NORMAL.replace("stage=open-interpreter       pid=p1 : open_exec\n", "");
    let points = parse(&text).unwrap().inside.stages;
    let exec = &execs(&points)[0];
    assert_eq!(
        (exec.opened_loader(), exec.opened_program()),
        (None, Some((4, 5)))
    );
}

#[test]
fn an_interpreter_that_was_opened_before_the_elf_handler_is_none_of_elf() {
    let line = "stage=open-interpreter       pid=p1 : open_exec\n";
    let elf = "stage=try-elf                pid=p1 : load_elf_binary\n";
    let text = NORMAL
        .replace(line, "")
        .replace(elf, &format!("{line}{elf}"));
    let points = parse(&text).unwrap().inside.stages;
    assert_eq!(execs(&points)[0].opened_loader(), None);
}

#[test]
fn a_claim_that_is_wrong_does_not_hold() {
    assert!(!held(&WRONG, NORMAL));
}

#[test]
fn it_would_hold_where_the_map_changes_first() {
    let map = "stage=memory-map             pid=p1 : membarrier_exec_mmap\n";
    let open = "stage=open-interpreter       pid=p1 : open_exec\n";
    let text = NORMAL
        .replace(map, "")
        .replace(open, &format!("{map}{open}"));
    assert!(held(&WRONG, &text));
}

#[test]
fn no_claim_holds_when_exe_changes_too_early() {
    let text = NORMAL.replace("exe=/x comm=x : path=/ld", "exe=/a comm=x : path=/ld");
    assert!(!held(&CLAIMS[1], &text) && !held(&CLAIMS[2], &text));
}

#[test]
fn the_program_counts_for_the_program_and_the_loader_for_the_loader() {
    let program = NORMAL.replace("exe=/x comm=x : path=/a", "exe=/y comm=x : path=/a");
    let alone = program.replacen("exe=/y", "exe=/x", 1);
    assert!(!held(&CLAIMS[0], &alone) && held(&CLAIMS[1], NORMAL));
}

#[test]
fn an_exe_that_changes_at_the_last_step_before_the_point_of_no_return_counts() {
    // The loader is opened, and nothing between that and the change.
    assert!(held(&CLAIMS[2], NORMAL));
    let between = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/more\n";
    let begin = "stage=begin-new-exec";
    let more = NORMAL.replace(begin, &format!("{between}{begin}"));
    assert!(held(&CLAIMS[2], &more));
}

#[test]
fn an_exec_begins_with_its_call() {
    let (_, rest) = NORMAL.split_once("perm=execute").unwrap();
    let text = format!("start p1 by launcher: execve /a\nperm=execute{rest}");
    assert!(execs(&parse(&text).unwrap().inside.stages).is_empty());
}

#[test]
fn the_open_of_the_program_is_of_the_program() {
    let first = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";
    let other = first.replace("path=/a", "path=/b");
    let text = NORMAL.replace(first, &format!("{other}{first}"));
    let points = parse(&text).unwrap().inside.stages;
    assert_eq!(execs(&points)[0].opened_program(), Some((1, 3)));
}

#[test]
fn what_another_process_does_is_no_part_of_an_exec() {
    let mut points = parse(NORMAL).unwrap().inside.stages;
    let Some(Point::Stage(mark)) = points.first().cloned() else {
        panic!("no stage")
    };
    let other = StageMark {
        process: "p2".to_owned(),
        stage: "comm".to_owned(),
        ..mark
    };
    points.insert(5, Point::Stage(other));
    let all = execs(&points);
    assert!(all[0].points.iter().all(|point| point.process() == "p1"));
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
    let all = changes(exec);
    let what: Vec<_> = all.iter().map(|change| change.what).collect();
    assert_eq!(what, ["exe and address space", "comm"]);
    let change = &all[0];
    assert!(change.before.as_ref().unwrap().ends_with("path=/ld"));
    assert!(change.stage.contains("membarrier_exec_mmap"));
    assert!(change.after.as_ref().unwrap().ends_with("path=/lib"));
}
