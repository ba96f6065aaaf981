//! Judgements of reports that are made up.

use super::super::parse;
use super::super::sign::SIGNS;
use super::*;

fn attempt() -> Attempt {
    Attempt {
        process: "p1".into(),
        passed: Some("link".into()),
        files: vec!["/bin/ls".into()],
        old: Some(("/x".into(), "x".into())),
        exe: None,
        root: None,
        comm: Some("ls".into()),
        arguments: None,
        end: End::Executed,
        from: 0,
        to: 2,
    }
}

fn script() -> Attempt {
    Attempt {
        files: vec!["/s".into(), "/i".into()],
        ..attempt()
    }
}

fn failed() -> Attempt {
    Attempt {
        end: End::Failed("ENOENT".into()),
        ..attempt()
    }
}

fn sign(name: &str) -> &'static Sign {
    SIGNS.iter().find(|sign| sign.name == name).unwrap()
}

fn judged(name: &str, attempt: Attempt, text: &str) -> SignJudged {
    let report = parse(text).unwrap();
    judge(sign(name), &[attempt], &report).remove(0)
}

#[test]
fn an_exec_of_which_no_event_tells_is_missed() {
    let judged = judged("sched_process_exec", attempt(), "nothing\n");
    assert_eq!((judged.heard, judged.path), (Heard::Missed, None));
}

#[test]
fn each_word_for_a_path_is_given_for_its_reason() {
    let of = |told| path(&attempt(), told);
    assert_eq!(of(Some("/bin/ls")), Path::Right);
    assert_eq!(of(Some("link")), Path::AsPassed);
    assert_eq!(of(Some("/dev/fd/3")), Path::AsPassed);
    assert_eq!(of(Some("/usr/../bin/ls")), Path::AsPassed);
    assert_eq!(of(Some("/bin/l")), Path::Cut);
    assert_eq!(of(Some("")), Path::Empty);
    assert_eq!(of(Some("/bin/cat")), Path::Another);
    assert_eq!(of(None), Path::Absent);
    assert_eq!(path(&script(), Some("/i")), Path::Interpreter);
    let in_words = Attempt {
        passed: Some("beside a writer /link".into()),
        ..attempt()
    };
    assert_eq!(path(&in_words, Some("/link")), Path::AsPassed);
    assert_eq!(path(&in_words, Some("/ink")), Path::Another);
    let unwatched = Attempt {
        files: Vec::new(),
        ..attempt()
    };
    assert_eq!(path(&unwatched, Some("link")), Path::Unknown);
}

#[test]
fn a_failure_is_known_by_its_errno_alone() {
    let of = |errno: &str| {
        let text = format!("event=return  pid=p1 after=2 : sys_exit_execve result={errno}\n");
        judged("sys_exit_execve, _execveat", failed(), &text).heard
    };
    assert_eq!(of("ENOENT"), Heard::Known);
    assert_eq!(of("0"), Heard::Unsettled);
}

#[test]
fn an_opened_file_tells_an_exec_and_a_failure_alike() {
    let text = "event=open    pid=p1 after=2 : FAN_OPEN_EXEC file=/bin/ls\n";
    for attempt in [attempt(), failed()] {
        let judged = judged("fanotify, notification", attempt, text);
        assert_eq!(judged.heard, Heard::Unsettled);
        assert_eq!(judged.path, Some(Path::Right));
    }
}

#[test]
fn a_script_and_its_interpreter_are_both_told_by_two_fields() {
    let text = "event=inside  pid=p1 after=2 : sched_prepare_exec path=/s interp=/i comm=x\n";
    let judged = judged("sched_prepare_exec", script(), text);
    assert_eq!(judged.chain, Some(Chain::Both));
    assert_eq!(judged.identity, Some(Whose::Old));
}

#[test]
fn an_exe_of_the_new_program_with_the_old_comm_is_mixed() {
    let identity = identity(&attempt(), Some("/bin/ls"), Some("x"));
    assert_eq!(identity, Some(Whose::Mixed));
}

#[test]
fn the_exe_of_the_trail_is_the_new_one_whatever_was_opened_last() {
    let transparent = Attempt {
        exe: Some("/s".into()),
        ..script()
    };
    assert_eq!(identity(&transparent, Some("/s"), None), Some(Whose::New));
    assert_eq!(identity(&transparent, Some("/i"), None), Some(Whose::Other));
}

#[test]
fn the_path_from_the_initial_root_names_the_same_file() {
    let moved = Attempt {
        root: Some("/r".into()),
        ..script()
    };
    assert_eq!(path(&moved, Some("/r/s")), Path::Right);
    assert_eq!(path(&moved, Some("/r/i")), Path::Interpreter);
    assert_eq!(path(&moved, Some("/r/x")), Path::Another);
    assert_eq!(path(&script(), Some("/r/s")), Path::Another);
    assert_eq!(identity(&moved, Some("/r/i"), None), Some(Whose::New));
}

#[test]
fn what_old_and_new_have_in_common_says_nothing() {
    let same = Attempt {
        comm: Some("x".into()),
        ..attempt()
    };
    assert_eq!(
        identity(&same, Some("/bin/ls"), Some("x")),
        Some(Whose::New)
    );
    assert_eq!(identity(&same, None, Some("x")), None);
}

#[test]
fn an_exec_that_is_told_among_later_steps_is_out_of_order() {
    let of = |after| {
        let text = format!("event=exec    pid=p1 after={after} : sched_process_exec path=/a\n");
        judged("sched_process_exec", attempt(), &text).in_order
    };
    assert_eq!((of(2), of(3)), (Some(true), Some(false)));
}

#[test]
fn an_entry_that_is_nobodys_is_of_the_first_exec_of_its_file() {
    let report = parse("event=inside  pid=? : BPRM_CHECK file=/bin/ls digest=own\n").unwrap();
    let ima = sign("IMA, list of measurements");
    let heard = |attempts: &[Attempt]| {
        let judged = judge(ima, attempts, &report);
        judged.iter().map(|one| one.heard).collect::<Vec<_>>()
    };
    let twice = heard(&[attempt(), attempt()]);
    assert_eq!(twice, [Heard::Unsettled, Heard::Missed]);
    let other = Attempt {
        files: vec!["/bin/cat".into()],
        ..attempt()
    };
    assert_eq!(
        heard(&[other, attempt()]),
        [Heard::Missed, Heard::Unsettled]
    );
}

#[test]
fn an_entry_of_a_file_that_nobody_opens_is_of_an_exec_without_one() {
    let text = "event=inside  pid=? : BPRM_CHECK file=/bin/l digest=own\n";
    let judged = judge(
        sign("IMA, list of measurements"),
        &[failed(), attempt()],
        &parse(text).unwrap(),
    );
    assert_eq!(judged[0].heard, Heard::Missed);
    assert_eq!(judged[1].path, Some(Path::Cut));
}

#[test]
fn an_agent_tells_an_exec_from_a_failure_by_the_result() {
    let text = "event=exec    pid=p1 : exec path=/none result=ENOENT\n\
                event=exec    pid=p1 : exec path=/bin/ls\n";
    let judged = judge(
        sign("the agent"),
        &[failed(), attempt()],
        &parse(text).unwrap(),
    );
    assert_eq!(
        (judged[0].heard, judged[1].heard),
        (Heard::Known, Heard::Known)
    );
    assert_eq!(judged[1].path, Some(Path::Right));
    assert_eq!(judged[1].in_order, None);
    let only = "event=exec    pid=p1 : exec path=/bin/ls\n";
    let judged = judge(
        sign("the agent"),
        &[failed(), attempt()],
        &parse(only).unwrap(),
    );
    assert_eq!(
        (judged[0].heard, judged[1].heard),
        (Heard::Missed, Heard::Known)
    );
}

#[test]
fn an_agent_that_does_not_know_the_result_tells_of_each_call() {
    let text = "event=exec    pid=p1 : exec path=/none result=?\n\
                event=exec    pid=p1 : exec path=/bin/ls result=?\n";
    let all = [failed(), attempt()];
    let judged = judge(sign("the agent"), &all, &parse(text).unwrap());
    let heard: Vec<_> = judged.iter().map(|one| one.heard).collect();
    assert_eq!(heard, [Heard::Unsettled, Heard::Unsettled]);
    assert_eq!(judged[1].path, Some(Path::Right));
}

#[test]
fn the_second_exec_of_a_process_is_told_by_the_second_event() {
    let text = "event=exec    pid=p1 after=2 : sched_process_exec path=/bin/ls\n\
                event=exec    pid=p1 after=4 : sched_process_exec path=/s\n";
    let all = [attempt(), failed(), Attempt { to: 4, ..script() }];
    let judged = judge(sign("sched_process_exec"), &all, &parse(text).unwrap());
    assert_eq!(judged[1].heard, Heard::Missed);
    assert_eq!(judged[2].path, Some(Path::Right));
}
