use super::*;
use crate::elf::Elf;
use crate::model::sample::{Sample, call};

fn disagreements(trail: &str) -> Vec<String> {
    found(trail).disagreements
}

/// What the model says of a trail in which `/a` is started, whose ELF interpreter is `/l`.
fn found(trail: &str) -> Agreement {
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new()
        .program("/a", &program)
        .program("/l", &Elf::new());
    let sample = sample.program("/b", &Elf::new());
    let trail = trail::parse(trail).unwrap();
    check(&Witness {
        trail: &trail,
        call: Some(&call("/a")),
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
    let program = Elf::new().interpreter("/l");
    let sample = Sample::new()
        .program("/a", &program)
        .program("/l", &Elf::new());
    let text = format!("start p1 by launcher: vfork /a\n{end}\nstart p2 by p1\n{steps}");
    let mut call = call("/a");
    call.by = By::Child { tells };
    check(&Witness {
        trail: &trail::parse(&text).unwrap(),
        call: Some(&call),
        files: &sample.0,
        kernel: Release::of("7.3").unwrap(),
        cut: false,
    })
    .disagreements
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
fn a_child_has_the_name_of_a_program_that_made_no_step_under_it() {
    let child = |exe: &str| {
        let first = step("execute", exe, "/b").replace("pid=p1 ppid=launcher", "pid=p2 ppid=p1");
        let second = first.replace("perm=execute", "perm=open   ");
        disagreements(&(kernels("/caller") + END + "\nstart p2 by p1\n" + &first + &second))
    };
    assert_eq!(child("/a"), [""; 0]);
    assert!(child("/c")[0].ends_with("a name that no process had"));
}
