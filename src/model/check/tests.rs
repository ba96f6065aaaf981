use super::*;
use crate::elf::Elf;
use crate::model::sample::{Sample, call};
use crate::model::{Closed, Older};

fn disagreements(trail: &str) -> Vec<String> {
    found(trail).disagreements
}

/// What the model says of a trail in which `/a` is started, whose ELF interpreter is `/l`.
fn found(trail: &str) -> Agreement {
    judged(trail, &call("/a"), &sample())
}

/// Programs `/a` and `/b`, and the ELF interpreter of the former.
fn sample() -> Sample {
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new().program("/a", &program);
    sample.program("/l", &Elf::new()).program("/b", &Elf::new())
}

/// What the model says of a trail to which this call led, with these files.
fn judged(trail: &str, call: &Call, sample: &Sample) -> Agreement {
    check(&Witness {
        trail: &trail::parse(trail).unwrap(),
        call: Some(call),
        files: &sample.0,
        kernel: Release::of("7.3").unwrap(),
        cut: false,
    })
}

fn step(perm: &str, exe: &str, path: &str) -> String {
    let comm = exe.trim_start_matches('/');
    let exe = format!("exe={exe} comm={comm}");
    format!("perm={perm:<7} pid=p1 ppid=launcher {exe} : path={path}\n")
}

/// The four steps of the kernel, the interpreter's under this exe.
fn kernels(exe: &str) -> String {
    let own = ["execute", "open"].map(|perm| step(perm, "/caller", "/a"));
    let interpreter = ["execute", "open"].map(|perm| step(perm, exe, "/l"));
    let start = "start p1 by launcher: execve /a\n";
    [start, &own.concat(), &interpreter.concat()].concat()
}

/// What is seen when a child of p1 executes `/a`, and p1 ends so.
fn spawned(tells: bool, steps: &str, end: &str) -> Vec<String> {
    let text = format!("start p1 by launcher: vfork /a\n{end}\nstart p2 by p1\n{steps}");
    let mut call = call("/a");
    call.by = By::Child { tells };
    judged(&text, &call, &sample()).disagreements
}

/// The steps of [`kernels`], made by a child of p1.
fn of_child() -> String {
    let all = kernels("/caller");
    let steps = all.split_once('\n').unwrap().1;
    steps.replace("pid=p1 ppid=launcher", "pid=p2 ppid=p1")
}

#[test]
fn a_child_that_makes_the_call_is_predicted() {
    assert_eq!(spawned(false, &of_child(), "end p1: exit 0"), [""; 0]);
    let cut: String = of_child()
        .lines()
        .take(3)
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(spawned(false, &cut, "end p1: exit 0")[0].starts_with("p2: nothing more"));
}

#[test]
fn a_child_whose_call_fails_is_told_by_its_parent() {
    let denied = format!("deny=EPERM {}", of_child().lines().next().unwrap());
    let steps = denied + "\n";
    assert_eq!(spawned(true, &steps, "end p1: errno EPERM"), [""; 0]);
    assert_eq!(spawned(false, &steps, "end p1: errno ENOEXEC"), [""; 0]);
    assert_eq!(spawned(false, &steps, "end p1: exit 0").len(), 1);
}

const END: &str = "end p1: exit 0\n";

#[test]
fn a_trail_as_it_should_be_has_nothing_against_it() {
    assert_eq!(disagreements(&(kernels("/caller") + END)), [""; 0]);
}

#[test]
fn an_interpreter_behind_the_point_of_no_return_is_noticed() {
    let found = disagreements(&(kernels("/a") + END));
    assert_eq!(
        found,
        ["p1: execute /l (exe=/a comm=a), expected execute /l (exe=/caller comm=caller)"]
    );
}

#[test]
fn a_step_that_is_missing_is_noticed() {
    let whole = kernels("/caller");
    let cut = whole.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n" + END;
    assert!(disagreements(&cut)[0].starts_with("p1: nothing more, expected open /l"));
}

#[test]
fn an_errno_where_a_program_should_run_is_noticed() {
    let found = disagreements(&(kernels("/caller") + "end p1: errno EPERM\n"));
    assert_eq!(found, ["p1: errno EPERM, expected a program that runs"]);
}

#[test]
fn an_end_inside_the_call_where_a_program_should_run_is_noticed() {
    let found = disagreements(&(kernels("/caller") + "end p1: signal SIGSEGV in execve\n"));
    let wanted = "p1: signal SIGSEGV in execve, expected a program that runs";
    assert_eq!(found, [wanted]);
}

#[test]
fn a_crash_of_the_program_is_its_own_affair() {
    let crash = kernels("/caller") + "end p1: signal SIGSEGV\n";
    assert_eq!(disagreements(&crash), [""; 0]);
}

#[test]
fn what_the_program_opens_is_its_own_under_its_new_name() {
    let own = kernels("/caller") + &step("open", "/a", "/data");
    assert_eq!(found(&(own + END)).surprises().count(), 0);
    let foreign = kernels("/caller") + &step("open", "/caller", "/data");
    assert_eq!(found(&(foreign + END)).renamed.len(), 1);
}

#[test]
fn behind_a_step_under_another_name_the_next_start_is_predicted_from_there() {
    let named = kernels("/caller") + &step("open", "/other", "/data");
    let next = |exe| {
        ["execute", "open"]
            .map(|perm| step(perm, exe, "/b"))
            .concat()
    };
    let as_it_is = found(&(named.clone() + &next("/other") + END));
    assert_eq!(as_it_is.disagreements, [""; 0]);
    assert_eq!(as_it_is.renamed.len(), 1);
    assert_eq!(disagreements(&(named + &next("/a") + END)).len(), 1);
}

#[test]
fn what_a_sibling_opens_while_the_call_is_held_is_its_own() {
    let sibling = step("open", "/caller", "/data").replace(" : path", " thread=s : path");
    let steps = kernels("/caller");
    let (first, rest) = steps.split_at(steps.find("perm=open").unwrap());
    let found = found(&[first, &sibling, rest, END].concat());
    assert_eq!(found.disagreements, [""; 0]);
    assert_eq!((found.kernel, found.own), (4, 1));
}

#[test]
fn a_program_that_it_starts_after_an_open_of_its_own_is_the_one_that_is_executed() {
    let own = step("open", "/a", "/data");
    let next = ["execute", "open"].map(|perm| step(perm, "/a", "/b"));
    let found = found(&(kernels("/caller") + &own + &next.concat() + END));
    assert_eq!(found.disagreements, [""; 0]);
    assert_eq!((found.starts, found.own), (2, 1));
}

#[test]
fn a_program_that_it_starts_in_turn_is_explained_as_well() {
    let next = ["execute", "open"]
        .map(|perm| step(perm, "/a", "/b"))
        .concat();
    let found = found(&(kernels("/caller") + &next + END));
    assert_eq!(found.disagreements, [""; 0]);
    // It was not known before that there would be one, nor of what.
    assert_eq!((found.starts, found.afterwards), (2, 1));
}

#[test]
fn a_step_of_another_kind_on_another_file_or_under_another_name_is_noticed() {
    let whole = kernels("/caller");
    let last = step("open", "/caller", "/l");
    let wrong = [
        step("execute", "/caller", "/l"),
        last.replace("path=/l", "path=/b"),
        last.replace("exe=/caller", "exe=/b"),
        last.replace("comm=caller", "comm=b"),
    ];
    for other in wrong {
        let found = disagreements(&(whole.replace(&last, &other) + END));
        assert_eq!(found.len(), 1, "{other}");
        assert!(
            found[0].ends_with("expected open /l (exe=/caller comm=caller)"),
            "{found:?}"
        );
    }
}

#[test]
fn a_step_of_another_thread_under_another_comm_is_renamed() {
    let last = step("open", "/caller", "/l");
    let other = last.replace("comm=caller", "comm=b thread=caller");
    let start = kernels("/caller").replace("comm=caller", "comm=caller thread=caller");
    let found = found(
        &(start.replace(
            &last.replace("comm=caller", "comm=caller thread=caller"),
            &other,
        ) + END),
    );
    assert_eq!((found.disagreements.len(), found.renamed.len()), (0, 1));
}

#[test]
fn what_was_explained_is_counted() {
    let found = found(&(kernels("/caller") + &step("open", "/a", "/data") + END));
    let counts = (
        found.starts,
        found.afterwards,
        found.kernel,
        found.loader,
        found.own,
    );
    assert_eq!(counts, (1, 0, 4, 0, 1));
}

/// What is found when `/a` is as it should be and p2 is started by p1 and opens something so.
fn second(exe: &str, comm: &str) -> Vec<String> {
    let step = format!("perm=open pid=p2 ppid=p1 exe={exe} comm={comm} : path=/data\n");
    disagreements(&(kernels("/caller") + &step_of_a() + END + "\nstart p2 by p1\n" + &step))
}

fn step_of_a() -> String {
    step("open", "/a", "/data")
}

#[test]
fn a_process_begins_under_a_name_that_another_one_had() {
    assert_eq!(second("/a", "a"), [""; 0]);
    assert_eq!(second("/caller", "caller"), [""; 0]);
    assert_eq!(second("none", "kworker"), [""; 0]);
    let wanted = "p2: open /data (exe=/b comm=b): a name that no process had";
    assert_eq!(second("/b", "b"), [wanted]);
    assert_eq!(second("/a", "b").len(), 1);
}

#[test]
fn a_program_whose_path_is_too_long_is_not_known() {
    let long = step("execute", "/a", "too-long") + &step("open", "/a", "too-long");
    let found = found(&(kernels("/caller") + &long + END));
    assert_eq!((found.disagreements.len(), found.unknown.len()), (0, 1));
}

/// What is found when the program is told this.
fn told(told: &str) -> Vec<String> {
    disagreements(&(kernels("/caller") + "told p1: " + told + "\n" + END))
}

#[test]
fn what_a_program_is_told_is_compared_field_by_field() {
    let right = "execfn=/a execfd=none comm=a exe=/a argv=/a";
    assert_eq!(told(right), [""; 0]);
    assert_eq!(told(&right.replace("exe=/a", "exe=none")), [""; 0]);
    let wrong = [
        ("execfn=/a", "execfn=/b", "execfn=/b, expected /a"),
        ("comm=a", "comm=b", "comm=b, expected a"),
        ("exe=/a", "exe=/b", "exe=/b, expected /a"),
        ("argv=/a", "argv=/a | b", "argv=/a | b, expected /a"),
    ];
    for (from, to, says) in wrong {
        assert_eq!(told(&right.replace(from, to)), [format!("p1: told {says}")]);
    }
}

#[test]
fn a_descriptor_that_nobody_gave_is_noticed() {
    let found = told("execfn=/a execfd=3 -> /a comm=a exe=/a argv=/a");
    assert!(
        found.contains(&"p1: told execfd=Some(3)".to_owned()),
        "{found:?}"
    );
}

#[test]
fn what_another_process_is_told_is_not_compared() {
    let text = kernels("/caller")
        + END
        + "\nstart p2 by p1\n"
        + "told p2: execfn=/x execfd=none comm=x exe=/x argv=/x\n";
    assert_eq!(disagreements(&text), [""; 0]);
}

/// What is found when the watch ended in the middle.
fn cut(trail: &str) -> Vec<String> {
    check(&Witness {
        trail: &trail::parse(trail).unwrap(),
        call: Some(&call("/a")),
        files: &sample().0,
        kernel: Release::of("7.3").unwrap(),
        cut: true,
    })
    .disagreements
}

#[test]
fn where_the_watch_was_cut_steps_may_be_missing_and_the_process_may_be_killed() {
    let first = "start p1 by launcher: execve /a\n".to_owned() + &step("execute", "/caller", "/a");
    assert_eq!(cut(&(first.clone() + "end p1: signal SIGKILL\n")), [""; 0]);
    assert_eq!(cut(&(first + "end p1: errno EPERM\n")), [""; 0]);
    let denied = "start p1 by launcher: execve /a\ndeny=EPERM ".to_owned()
        + &step("execute", "/caller", "/a");
    assert_eq!(cut(&(denied.clone() + "end p1: errno EPERM\n")), [""; 0]);
    assert_eq!(cut(&(denied.clone() + "end p1: signal SIGKILL\n")), [""; 0]);
    assert_eq!(cut(&(denied + "end p1: exit 0\n")).len(), 1);
}

#[test]
fn a_kill_is_no_answer_where_the_watch_was_not_cut() {
    let denied = "start p1 by launcher: execve /a\ndeny=EPERM ".to_owned()
        + &step("execute", "/caller", "/a");
    assert_eq!(
        disagreements(&(denied.clone() + "end p1: signal SIGKILL\n")).len(),
        1
    );
    assert_eq!(disagreements(&(denied + "end p1: errno EPERM\n")), [""; 0]);
}

#[test]
fn a_hang_where_a_program_should_run_is_noticed() {
    let text = "hang: read\n".to_owned() + &kernels("/caller") + END;
    assert_eq!(
        disagreements(&text),
        ["p1: a hang, expected a program that runs"]
    );
}

#[test]
fn a_childs_program_that_was_killed_is_told_by_its_parent() {
    assert_eq!(spawned(false, &of_child(), "end p1: errno EINTR"), [""; 0]);
    assert_eq!(spawned(false, &of_child(), "end p1: errno EPERM").len(), 1);
    let own = disagreements(&(kernels("/caller") + "end p1: errno EINTR\n"));
    assert_eq!(own.len(), 1);
}

#[test]
fn a_file_without_a_name_is_called_as_it_was_seen() {
    let sample = Sample::new()
        .program("/a", &Elf::new())
        .with("/a", |file| file.name = "/".into());
    let agrees = |name: &str, comm: &str| {
        let steps: String = ["execute", "open"]
            .map(|perm| step(perm, "/caller", "/"))
            .concat();
        let own = format!("perm=open pid=p1 ppid=launcher exe=/ comm={comm} : path=/data\n");
        let text = format!("start p1 by launcher: execveat {name}\n{steps}{own}{END}");
        let mut call = call("/a");
        call.target = Target::Path(name.to_owned());
        let found = judged(&text, &call, &sample);
        (found.disagreements, found.renamed.len())
    };
    assert_eq!(agrees("/a", "a"), (Vec::new(), 0));
    assert_eq!(agrees("/a", "b"), (Vec::new(), 1));
}

#[test]
fn a_descriptors_file_without_a_name_has_the_comm_that_was_seen() {
    let sample = Sample::new().directory("/proc").directory("/proc/self");
    let sample = sample
        .directory("/proc/self/fd")
        .program("/proc/self/fd/5", &Elf::new());
    let sample = sample.with("/proc/self/fd/5", |file| file.name = "/".into());
    let steps = ["execute", "open"].map(|perm| step(perm, "/caller", "/"));
    let own = "perm=open pid=p1 ppid=launcher exe=/ comm=b : path=/data\n";
    let start = "start p1 by launcher: execveat /dev/fd/5\n";
    let mut call = call("/");
    call.target = Target::At {
        fd: Some(5),
        path: String::new(),
        flags: nix::libc::AT_EMPTY_PATH,
        cloexec: false,
    };
    let text = [start, &steps.concat(), own, END].concat();
    let found = judged(&text, &call, &sample);
    assert_eq!((found.disagreements, found.renamed), (vec![], vec![]));
}

#[test]
fn a_parent_goes_on_under_its_own_name() {
    let next = ["execute", "open"].map(|perm| step(perm, "/a", "/b"));
    let own = step("open", "/a", "/data").replace("pid=p1 ppid=launcher", "pid=p2 ppid=p1");
    let found = spawned(true, &(of_child() + &own), &(next.concat() + END));
    let wanted = "p1: execute /b (exe=/a comm=a), expected execute /b (exe=/caller comm=caller)";
    assert_eq!(found, [wanted]);
}

#[test]
fn what_a_program_starts_in_turn_has_the_room_of_its_stack_for_arguments() {
    let mut call = call("/a");
    call.environment.push("x".repeat(5000));
    let first = kernels("/caller");
    let (_, again) = first.split_once('\n').unwrap();
    let again = again.replace("exe=/caller comm=caller", "exe=/a comm=a");
    let found = judged(&[&first, &*again, END].concat(), &call, &sample());
    assert_eq!(found.disagreements, [""; 0]);
    // And not a third one, of the ELF interpreter.
    assert_eq!((found.starts, found.kernel), (2, 8));
}

#[test]
fn what_the_loader_opened_is_counted_as_its_own() {
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let program = Elf::new().interpreter(loader).needs("/x.so");
    let sample = ["/lib64", "/etc"]
        .iter()
        .fold(Sample::new(), |sample, path| sample.directory(path))
        .program("/a", &program)
        .program(loader, &Elf::new())
        .program("/x.so", &Elf::new().interpreter("/ld"))
        .with(loader, |file| {
            let elf = file.image.as_mut().unwrap().elf.as_mut().unwrap();
            elf.soname = Some("ld-linux-x86-64.so.2".to_owned());
        });
    let kernels = ["/a", loader].map(|path| {
        ["execute", "open"]
            .map(|perm| step(perm, "/caller", path))
            .concat()
    });
    let start = "start p1 by launcher: execve /a\n";
    let text = [start, &kernels.concat(), &step("open", "/a", "/x.so"), END].concat();
    let found = judged(&text, &call("/a"), &sample);
    assert_eq!(found.disagreements, [""; 0]);
    assert_eq!((found.kernel, found.loader, found.own), (4, 1, 0));
}

#[test]
fn a_child_has_the_name_of_a_program_that_made_no_step_under_it() {
    let child = |exe: &str| {
        let first = step("execute", exe, "/b").replace("pid=p1 ppid=launcher", "pid=p2 ppid=p1");
        let second = first.replace("perm=execute", "perm=open   ");
        disagreements(&(kernels("/caller") + END + "\nstart p2 by p1\n" + &first + &second))
    };
    assert_eq!(child("/a"), [""; 0]);
    assert!(child("/c")[0].ends_with("a name that no process had"));
}

/// What the model says of this trail of a process that keeps a descriptor which is older than its file's copy.
fn kept_of(trail: &str, cut: bool) -> Vec<String> {
    let mut call = call("/a");
    call.older = Some(Older {
        path: "/o".to_owned(),
        closed: Closed::ByExit,
    });
    let sample = sample().program("/o", &Elf::new());
    let sample = sample.with("/o", |file| file.layer = Some(Box::new(file.clone())));
    check(&Witness {
        trail: &trail::parse(trail).unwrap(),
        call: Some(&call),
        files: &sample.0,
        kernel: Release::of("7.3").unwrap(),
        cut,
    })
    .disagreements
}

/// The same of one that starts, and does this at last.
fn kept(last: &str) -> Vec<String> {
    kept_of(&(kernels("/caller") + last), false)
}

#[test]
fn an_older_descriptor_is_closed_by_the_end() {
    let close = step("open", "none", "/o").replace("comm=none", "comm=a");
    assert_eq!(kept(&close), [""; 0]);
    assert_eq!(kept("").len(), 1);
    assert_eq!(kept(&step("open", "/a", "/o")).len(), 1);
    assert_eq!(kept(&close.replace("/o", "/b")).len(), 1);
}

#[test]
fn the_end_need_not_be_seen_where_the_watch_was_cut_or_the_listener_hangs() {
    let hang = "hang: monitor (D): the listener waits inside the kernel\n\n";
    assert_eq!(kept_of(&kernels("/caller"), true), [""; 0]);
    let wrong = kept_of(&(hang.to_owned() + &kernels("/caller")), false);
    assert_eq!(wrong, ["p1: a hang, expected a program that runs"]);
}

#[test]
fn what_a_listener_saw_that_hangs_is_lost() {
    let hang = "hang: monitor (D): the listener waits inside the kernel\n\n";
    let text = format!("{hang}start p1 by launcher: execve /a\n");
    let wrong = disagreements(&text);
    assert_eq!(wrong, ["p1: a hang, expected a program that runs"]);
}
