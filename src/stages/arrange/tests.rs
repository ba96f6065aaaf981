use super::*;
use crate::trail::Sighting;

fn run() -> Run {
    Run::sample(vec![Sighting {
        mask: Mask::EXECUTE,
        path: "/101".into(),
        ..Sighting::sample(101)
    }])
}

/// What a thread said: `! WORD` is a marker, `f()` a function, and else an event with its fields, parted by commas.
fn said(text: &str) -> Said {
    if let Some(marker) = text.strip_prefix("! ") {
        return Said::Marker(marker.to_owned());
    }
    if let Some(function) = text.strip_suffix("()") {
        return Said::Function(function.to_owned());
    }
    let (name, fields) = text.split_once(' ').unwrap_or((text, ""));
    let fields = fields.split(", ").filter_map(|field| field.split_once('='));
    let value = |text: &str| {
        let number = match text.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.map_or_else(|_| Value::Text(text.to_owned()), Value::Number)
    };
    let values = fields.map(|(field, text)| (field.to_owned(), value(text)));
    Said::Event(name.to_owned(), values.collect())
}

/// The story of a trace: each part is a thread with what it said, in order.
fn story(parts: &[(i32, &str)]) -> Result<Vec<String>, String> {
    story_of(&run(), parts)
}

fn story_of(run: &Run, parts: &[(i32, &str)]) -> Result<Vec<String>, String> {
    let lines: Vec<_> = (1..)
        .zip(parts)
        .map(|(at, (tid, what))| Line {
            tid: *tid,
            at,
            said: said(what),
        })
        .collect();
    let points = arrange(run, &lines)?;
    Ok(points
        .iter()
        .map(|point| match point {
            Point::Stage(mark) => {
                let detail = mark.detail.as_ref().map(|text| format!(" {text}"));
                format!(
                    "{} {}{}",
                    mark.process,
                    mark.stage,
                    detail.unwrap_or_default()
                )
            }
            Point::Step(step) => format!("{} step", step.process),
        })
        .collect())
}

const STEP: (i32, &str) = (7, "! step 1");

#[test]
fn a_step_stands_between_the_stages_around_its_marker() {
    let story = story(&[(101, "do_open_execat()"), STEP, (101, "bprm_execve()")]);
    assert_eq!(story.unwrap(), ["p1 open", "p1 step", "p1 exec"]);
}

#[test]
fn other_processes_are_left_out() {
    assert_eq!(story(&[(55, "alloc_bprm()"), STEP]).unwrap(), ["p1 step"]);
}

#[test]
fn a_thread_counts_for_its_process() {
    let thread = "task_newtask pid=150, clone_flags=0x3d0f00";
    let story = story(&[(101, thread), (150, "alloc_bprm()"), STEP]);
    assert_eq!(story.unwrap(), ["p1 bprm", "p1 step"]);
}

#[test]
fn children_without_any_step_are_shown_each_with_a_name_of_its_own() {
    let first = "task_newtask pid=150, clone_flags=0x1200000";
    let second = "task_newtask pid=151, clone_flags=0x1200000";
    let start = |pid| (pid, "alloc_bprm()");
    let parts = [STEP, (101, first), (101, second), start(151), start(150)];
    let expected = ["p1 step", "unseen1 bprm", "unseen2 bprm"];
    assert_eq!(story(&parts).unwrap(), expected);
}

#[test]
fn what_the_kernel_also_does_elsewhere_counts_within_an_exec_alone() {
    let flush = (101, "flush_signal_handlers()");
    let story = story(&[flush, STEP, (101, "alloc_bprm()"), flush]);
    assert_eq!(story.unwrap(), ["p1 step", "p1 bprm", "p1 signal-handlers"]);
}

#[test]
fn a_map_that_lets_go_of_its_file_is_no_news() {
    let call = |file| (101, file);
    let parts = [
        STEP,
        (101, "alloc_bprm()"),
        call("a_set_mm_exe_file second=0x0"),
        call("a_set_mm_exe_file second=-1"),
    ];
    assert_eq!(story(&parts).unwrap()[2..], ["p1 exe-file-set"]);
}

#[test]
fn a_thread_that_the_exec_has_killed_leaves_no_stage_of_it() {
    let set = (101, "a_set_mm_exe_file second=0x1");
    let owner = (101, "mm_update_next_owner()");
    let parts = [STEP, (101, "alloc_bprm()"), owner, set, owner];
    let story = story(&parts).unwrap();
    assert_eq!(story[2..], ["p1 exe-file-set", "p1 old-map-owner"]);
}

#[test]
fn a_call_of_a_32_bit_program_has_its_end() {
    let exit = (101, "sys_exit ret=-2");
    let parts = [exit, (101, "__ia32_compat_sys_execve()"), STEP, exit, exit];
    let story = story(&parts).unwrap();
    assert_eq!(story, ["p1 call", "p1 step", "p1 return ENOENT"]);
}

#[test]
fn a_change_of_comm_has_the_new_one() {
    let event = "task_rename oldcomm=a newcomm=b, newcomm=b c";
    let story = story(&[STEP, (101, event)]);
    assert_eq!(story.unwrap(), ["p1 step", "p1 comm b c"]);
}

#[test]
fn what_another_handler_opens_is_no_loader() {
    let parts = [
        (101, "open_exec()"),
        STEP,
        (900, "! entry 1 1a_2"),
        (101, "e_1a_2"),
    ];
    let last = story(&parts).unwrap().pop().unwrap();
    assert!(!last.contains("loader-runs"), "{last}");
}

/// A loader that binfmt_misc opened before these stages.
fn stashed(stages: &[&str]) -> String {
    let parts = [(101, "load_misc_binary()"), (101, "open_exec()"), STEP];
    let then = stages.iter().map(|stage| (101, *stage));
    let run = [(900, "! entry 1 1a_2"), (101, "e_1a_2")];
    let parts: Vec<_> = parts.into_iter().chain(then).chain(run).collect();
    story(&parts).unwrap().pop().unwrap()
}

#[test]
fn what_binfmt_misc_has_opened_may_be_the_loader() {
    let elf = ["load_elf_binary()", "bprm_open_interpreter()"];
    assert_eq!(stashed(&elf), "p1 loader-runs /101");
}

#[test]
fn what_binfmt_misc_executes_is_no_loader() {
    let taken = "r_load_misc_binary ret=0";
    let elf = [taken, "load_elf_binary()", "open_exec()"];
    assert_eq!(stashed(&elf), "p1 program-runs /101");
}

#[test]
fn a_handler_that_takes_a_file_refuses_nothing() {
    let story = story(&[STEP, (101, "r_load_script ret=0")]);
    assert_eq!(story.unwrap(), ["p1 step", "p1 taken"]);
}

#[test]
fn a_refusal_has_its_errno() {
    let story = story(&[STEP, (101, "r_load_script ret=-8")]);
    assert_eq!(story.unwrap(), ["p1 step", "p1 refused ENOEXEC"]);
}

#[test]
fn what_the_elf_handler_opens_is_the_loader() {
    let parts = [
        (101, "load_elf_binary()"),
        (101, "open_exec()"),
        STEP,
        (900, "! entry 1 1a_2"),
        (101, "e_1a_2"),
    ];
    assert_eq!(
        story(&parts).unwrap().last().unwrap(),
        "p1 loader-runs /101"
    );
}

#[test]
fn a_probe_that_an_earlier_start_left_says_nothing_of_a_file_that_this_one_did_not_open() {
    let story = story(&[STEP, (101, "f_1a_2")]);
    assert_eq!(story.unwrap(), ["p1 step"]);
}

#[test]
fn a_lost_marker_is_an_error() {
    assert!(story(&[(101, "alloc_bprm()")]).is_err());
}

/// A run in which these processes were seen, each with its mask.
fn seen(all: &[(i32, Mask)]) -> Run {
    let one = run().sightings.remove(0);
    let sightings = all.iter().map(|(pid, mask)| Sighting {
        pid: *pid,
        mask: *mask,
        ..one.clone()
    });
    Run {
        sightings: sightings.collect(),
        ..run()
    }
}

#[test]
fn the_launcher_comes_first_and_who_is_unseen_last() {
    let run = seen(&[(101, Mask::OPEN), (100, Mask::OPEN)]);
    let child = "task_newtask pid=150, clone_flags=0x1200000";
    let second = (7, "! step 2");
    let parts = [(101, child), (150, "alloc_bprm()"), STEP, second];
    let story = story_of(&run, &parts).unwrap();
    assert_eq!(story, ["launcher step", "p1 step", "unseen1 bprm"]);
}

#[test]
fn stages_of_the_launcher_itself_are_left_out() {
    let story = story(&[(100, "alloc_bprm()"), STEP]);
    assert_eq!(story.unwrap(), ["p1 step"]);
}

#[test]
fn a_marker_that_is_missing_in_the_middle_is_named() {
    let run = seen(&[(101, Mask::OPEN), (101, Mask::OPEN)]);
    let second = (7, "! step 2");
    let error = story_of(&run, &[second]).unwrap_err();
    assert_eq!(error, "the marker of step 1 is missing");
    let error = story_of(&run, &[STEP]).unwrap_err();
    assert_eq!(error, "2 steps were seen, 1 are in the trace");
}

#[test]
fn a_marker_of_no_step_is_an_error_unless_nothing_was_told() {
    let second = (7, "! step 2");
    let error = story(&[STEP, second]).unwrap_err();
    assert_eq!(error, "no step has the number of the marker: step 2");
    assert_eq!(story_of(&seen(&[]), &[STEP]).unwrap(), [""; 0]);
    let error = story(&[(7, "! step x")]).unwrap_err();
    assert_eq!(error, "no marker: step x");
}

#[test]
fn a_first_instruction_that_cannot_be_seen_is_said_with_its_reason() {
    let blind = (7, "! blind 1 no file");
    let story = story(&[STEP, blind]).unwrap();
    assert_eq!(story, ["p1 step", "p1 untraceable /101: no file"]);
}

#[test]
fn a_thread_that_is_not_understood_is_an_error() {
    for text in ["task_newtask pid=x, clone_flags=0", "task_newtask pid=150"] {
        let error = story(&[(101, text)]).unwrap_err();
        assert!(error.starts_with("not understood: task_newtask"), "{error}");
    }
    assert_eq!(
        story(&[(55, "task_newtask pid=x"), STEP]).unwrap(),
        ["p1 step"]
    );
}

/// The last of a story in which the file of step 1 runs, after these stages.
fn entered(run: &Run, before: &[&'static str]) -> String {
    let mut parts: Vec<_> = before.iter().map(|stage| (101, *stage)).collect();
    parts.push(STEP);
    parts.push((900, "! entry 1 1a_2"));
    parts.push((101, "e_1a_2"));
    story_of(run, &parts).unwrap().pop().unwrap()
}

#[test]
fn the_loader_is_what_the_elf_handler_opens_to_execute_it() {
    let loader = ["alloc_bprm()", "load_elf_binary()", "open_exec()"];
    assert_eq!(entered(&run(), &loader), "p1 loader-runs /101");
    let open = seen(&[(101, Mask::OPEN)]);
    assert_eq!(entered(&open, &loader), "p1 program-runs /101");
    assert_eq!(entered(&run(), &loader[..2]), "p1 program-runs /101");
    let other = [
        "alloc_bprm()",
        "load_elf_binary()",
        "load_script()",
        "open_exec()",
    ];
    assert_eq!(entered(&run(), &other), "p1 program-runs /101");
    let misc = [
        "alloc_bprm()",
        "load_elf_binary()",
        "load_misc_binary()",
        "open_exec()",
    ];
    assert_eq!(entered(&run(), &misc), "p1 program-runs /101");
}

#[test]
fn an_exec_ends_with_its_return_and_with_the_first_instruction() {
    let flush = (101, "flush_signal_handlers()");
    let back = (101, "sys_exit_execve ret=0");
    let parts = [STEP, (101, "alloc_bprm()"), back, flush];
    assert_eq!(story(&parts).unwrap()[1..], ["p1 bprm", "p1 return 0"]);
    let parts = [
        STEP,
        (900, "! entry 1 1a_2"),
        (101, "alloc_bprm()"),
        (101, "f_1a_2"),
        flush,
    ];
    assert_eq!(
        story(&parts).unwrap()[1..],
        ["p1 bprm", "p1 program-runs /101"]
    );
}

const THREAD: (i32, &str) = (101, "task_newtask pid=150, clone_flags=0x3d0f00");

#[test]
fn what_another_thread_does_is_not_of_an_exec() {
    let parts = [
        THREAD,
        STEP,
        (150, "__ia32_compat_sys_execve()"),
        (101, "sys_exit ret=0"),
        (101, "flush_signal_handlers()"),
        (101, "sys_enter_execve"),
        (101, "sys_exit_execve ret=-2"),
        (150, "bprm_execve()"),
        (150, "sys_exit ret=-2"),
    ];
    let expected = ["call", "call", "return ENOENT", "exec", "return ENOENT"];
    let expected = expected.map(|stage| format!("p1 {stage}"));
    assert_eq!(story(&parts).unwrap()[1..], expected);
}

#[test]
fn a_thread_whose_exec_has_killed_the_others_is_the_leader() {
    let run = Run::sample(vec![Sighting {
        mask: Mask::EXECUTE,
        path: "/101".into(),
        tid: Some(150),
        ..Sighting::sample(101)
    }]);
    let parts = [
        THREAD,
        (150, "alloc_bprm()"),
        (150, "load_elf_binary()"),
        (150, "open_exec()"),
        STEP,
        (900, "! entry 1 1a_2"),
        (150, "zap_other_threads()"),
        (150, "exit_itimers()"),
        (101, "flush_signal_handlers()"),
        (101, "e_1a_2"),
        (101, "flush_signal_handlers()"),
    ];
    let expected = [
        "threads-killed",
        "timers",
        "signal-handlers",
        "loader-runs /101",
    ];
    let expected = expected.map(|stage| format!("p1 {stage}"));
    assert_eq!(story_of(&run, &parts).unwrap()[4..], expected);
}

#[test]
fn a_call_has_its_beginning_and_its_end() {
    let parts = [
        (101, "sys_enter_execve"),
        STEP,
        (101, "sys_exit_execve ret=-2"),
    ];
    assert_eq!(
        story(&parts).unwrap(),
        ["p1 call", "p1 step", "p1 return ENOENT"]
    );
}

#[test]
fn the_kernels_own_call_returns_by_its_function() {
    let parts = [
        STEP,
        (101, "kernel_execve()"),
        (101, "r_kernel_execve ret=-2"),
    ];
    assert_eq!(story(&parts).unwrap()[1..], ["p1 call", "p1 return ENOENT"]);
}

#[test]
fn a_second_probe_of_a_function_is_of_that_function() {
    let part = |tid, text: &str| Line {
        tid,
        at: 1,
        said: said(text),
    };
    let lines = [part(7, STEP.1), part(101, "r_load_elf_binary_2 ret=-8")];
    let points = arrange(&run(), &lines).unwrap();
    assert!(matches!(&points[1], Point::Stage(mark) if mark.symbol == "load_elf_binary"));
}

#[test]
fn an_error_has_its_name_where_it_has_one() {
    let names = [0, -2, 2, -512, i64::MIN].map(errno);
    assert_eq!(
        names,
        ["0", "ENOENT", "ENOENT", "-512", "-9223372036854775808"]
    );
}

#[test]
fn a_loader_is_known_as_long_as_its_exec_lasts() {
    let parts = [
        (101, "alloc_bprm()"),
        (101, "load_elf_binary()"),
        (101, "open_exec()"),
        STEP,
        (900, "! entry 1 1a_2"),
        (101, "sys_exit_execve ret=-2"),
        (101, "alloc_bprm()"),
        (101, "e_1a_2"),
    ];
    assert_eq!(
        story(&parts).unwrap().pop().unwrap(),
        "p1 program-runs /101"
    );
}

#[test]
fn what_binfmt_misc_has_opened_is_the_loader_where_the_elf_handler_comes_to_its_interpreter() {
    let misc = ["alloc_bprm()", "load_misc_binary()", "open_exec()"];
    let after = |handler: &'static str| {
        let mut parts: Vec<_> = misc.iter().map(|stage| (101, *stage)).collect();
        parts.push(STEP);
        parts.push((900, "! entry 1 1a_2"));
        parts.extend([(101, handler), (101, "open_exec()")]);
        parts.push((101, "e_1a_2"));
        story(&parts).unwrap().pop().unwrap()
    };
    assert_eq!(after("load_elf_binary()"), "p1 loader-runs /101");
    assert_eq!(after("load_script()"), "p1 program-runs /101");
}
