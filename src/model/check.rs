//! Holds a trail against the model.
//!
//! What a program does by itself is the trail's to say: the files that it opens, and the programs
//! that it starts in turn. How the kernel starts each of them is the model's, and so is the name
//! under which every step is made.

use std::collections::VecDeque;

use super::{
    Answer, Call, Caller, Files, KernelEnding, Loaded, PredictedStep, Started, Target, exec, load,
};
use crate::trail::{self, Agreement, How, Release, Told, Trail};

/// What was seen of one start, and what the model needs to know of it.
pub struct Witness<'a> {
    /// What was seen.
    pub trail: &'a Trail,
    /// The call, where it is known.
    pub call: Option<&'a Call>,
    /// The files, as the process that makes the call sees them.
    pub files: &'a dyn Files,
    /// The kernel.
    pub kernel: Release,
    /// Nothing was seen after the last step, though more happened: the listener died, or the
    /// process that waited.
    pub cut: bool,
}

/// Compares; every step is predicted, or counted as the program's own.
#[must_use]
pub fn check(witness: &Witness<'_>) -> Agreement {
    let mut check = Check {
        witness,
        found: Agreement::default(),
    };
    for process in processes(witness.trail) {
        check.process(&process);
    }
    check.found
}

/// The processes of a trail, in its order.
fn processes(trail: &Trail) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let started = trail.started.iter().map(|started| &started.process);
    for name in started.chain(trail.steps.iter().map(|step| &step.process)) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

struct Check<'a> {
    witness: &'a Witness<'a>,
    found: Agreement,
}

/// The steps of one process that are not yet explained, and under which name it makes them.
struct Rest<'a> {
    steps: VecDeque<&'a trail::Step>,
    identity: Option<(String, String)>,
}

impl Check<'_> {
    fn process(&mut self, name: &str) {
        let trail = self.witness.trail;
        let mut rest = Rest {
            steps: trail
                .steps
                .iter()
                .filter(|step| step.process == name)
                .collect(),
            identity: None,
        };
        let started = trail.started.iter().find(|started| started.process == name);
        let calls = started.is_some_and(|started| started.call.is_some());
        match self.witness.call.filter(|_| calls) {
            Some(call) => {
                let caller = &call.caller;
                rest.identity = Some((caller.exe.clone(), caller.comm.clone()));
                // A call that opens its file itself is not made when that was refused.
                if self.own_opens(&mut rest) {
                    self.start(name, call, &mut rest, true);
                }
            }
            None => rest.identity = self.inherited(name, &rest),
        }
        while let Some(step) = rest.steps.front().copied() {
            self.own_opens(&mut rest);
            let next = rest.steps.front().copied();
            if let Some(next) = next.filter(|next| next.step == "execute") {
                let call = self.called(next, &rest);
                self.start(name, &call, &mut rest, false);
            }
            // What explains nothing would be looked at for ever.
            if rest
                .steps
                .front()
                .is_some_and(|next| std::ptr::eq(*next, step))
            {
                self.disagree(name, &format!("nothing explains {}", show(step)));
                return;
            }
        }
    }

    /// Steps of the process itself, up to the next start; false when the last one was refused.
    fn own_opens(&mut self, rest: &mut Rest<'_>) -> bool {
        let mut allowed = true;
        while let Some(step) = rest.steps.front().filter(|step| step.step == "open") {
            let (exe, comm) = rest.identity.clone().unwrap_or_default();
            if (&step.exe, &step.comm) != (&exe, &comm) {
                let (process, seen) = (&step.process, show(step));
                let renamed = format!("{process}: {seen}, expected under exe={exe} comm={comm}");
                self.found.renamed.push(renamed);
                rest.identity = Some((step.exe.clone(), step.comm.clone()));
            }
            self.found.own += 1;
            allowed = step.denied.is_none();
            rest.steps.pop_front();
        }
        allowed
    }

    /// Under which name a process begins that nobody of ours started: one that another process had,
    /// or none when it is a thread of the kernel.
    fn inherited(&mut self, name: &str, rest: &Rest<'_>) -> Option<(String, String)> {
        let first = rest.steps.front()?;
        let own = (first.exe.clone(), first.comm.clone());
        let caller = self.witness.call.map(|call| &call.caller);
        let by_caller = caller.is_none_or(|caller| (&caller.exe, &caller.comm) == (&own.0, &own.1));
        let others = self.witness.trail.steps.iter();
        let mut others = others.filter(|step| step.process != name);
        let known = others.any(|step| (&step.exe, &step.comm) == (&own.0, &own.1));
        if first.exe_link && !by_caller && !known {
            self.disagree(
                name,
                &format!("{}: a name that no process had", show(first)),
            );
        }
        Some(own)
    }

    /// A start that a program asked for: of the file in its first step.
    fn called(&self, step: &trail::Step, rest: &Rest<'_>) -> Call {
        let (exe, comm) = rest.identity.clone().unwrap_or_default();
        let known = self.witness.call;
        let caller = Caller {
            exe,
            comm,
            uid: known.map_or(0, |call| call.caller.uid),
            gid: known.map_or(0, |call| call.caller.gid),
            cwd: "/".to_owned(),
            processes: None,
            no_files: false,
            bounding: u64::MAX,
            inheritable: 0,
            stack: 8 << 20,
            space: u64::MAX,
            no_descriptor: false,
            large_table: false,
        };
        // A helper of the kernel has another environment.
        let environment = known.filter(|_| step.exe_link);
        Call {
            target: Target::Path(step.path.clone()),
            argv: vec![step.path.clone()],
            environment: environment.map_or_else(Vec::new, |call| call.environment.clone()),
            caller,
            formats: known.map_or_else(Vec::new, |call| call.formats.clone()),
            modprobe: String::new(),
        }
    }

    /// Explains one start with the steps that are left; `asked` where we made the call.
    fn start(&mut self, name: &str, call: &Call, rest: &mut Rest<'_>, asked: bool) {
        self.found.starts += 1;
        self.found.afterwards += usize::from(!asked);
        let (files, kernel) = (self.witness.files, self.witness.kernel);
        let caller = rest.steps.front().map(|step| step.thread.clone());
        let mut matching = Matching {
            rest,
            caller,
            cut: self.witness.cut,
            matched: 0,
            aside: 0,
            renamed: Vec::new(),
            wrong: None,
        };
        let ending = exec(files, call, kernel, &mut |step| matching.step(step));
        self.found.kernel += matching.matched;
        self.found.own += matching.aside;
        self.found.renamed.append(&mut matching.renamed);
        if let Some(wrong) = matching.wrong.take() {
            self.disagree(name, &wrong);
            rest.steps.clear();
            return;
        }
        let mut running = match ending {
            KernelEnding::Runs(running) => running,
            failed => {
                if asked {
                    self.failed(name, &failed);
                }
                return;
            }
        };
        // Under which name a program called the next one is not seen, but what comm it made of it.
        if let Some(next) = matching.rest.steps.front().filter(|_| !asked) {
            running.comm.clone_from(&next.comm);
        }
        matching.matched = 0;
        // From here on there is one thread.
        matching.caller = None;
        let loaded = load(files, &running, &mut |step| matching.step(step));
        let (matched, wrong) = (matching.matched, matching.wrong.take());
        self.found.loader += matched;
        rest.identity = Some((running.exe.name.clone(), running.comm.clone()));
        if let Some(wrong) = wrong {
            self.disagree(name, &wrong);
            rest.steps.clear();
            return;
        }
        if asked {
            self.runs(name, &running, &loaded);
        }
        if let Loaded::Unknown(reason) = loaded {
            self.found.unknown.push(reason.to_owned());
        }
    }

    /// A call of ours that failed: how it ended must be what was predicted.
    fn failed(&mut self, name: &str, ending: &KernelEnding) {
        let trail = self.witness.trail;
        if (trail.hang.is_some()) != (*ending == KernelEnding::Hang) {
            let seen = trail.hang.as_deref().unwrap_or("no hang");
            self.disagree(name, &format!("{seen}, expected {ending:?}"));
            return;
        }
        let expected = match ending {
            KernelEnding::Errno(errno) => How::Errno(errno.clone()),
            KernelEnding::NoFormat { helper } => {
                let started = trail.started.iter().any(|started| started.process != name);
                if started != helper.is_some() {
                    self.disagree(name, &format!("helper of the kernel: {started}"));
                }
                How::Errno("ENOEXEC".to_owned())
            }
            KernelEnding::Signal(signal) => How::SignalInExec((*signal).to_owned()),
            KernelEnding::Checked => How::Exit(0),
            // The death of the listener allows the event.
            KernelEnding::Hang | KernelEnding::Runs(_) => return,
        };
        self.ends(name, &expected);
    }

    fn ends(&mut self, name: &str, expected: &How) {
        let mut ended = self.witness.trail.ended.iter();
        let seen = ended.find(|ended| ended.process == name);
        let killed = |how: &How| {
            let signal = "SIGKILL".to_owned();
            let either = [How::Signal(signal.clone()), How::SignalInExec(signal)];
            self.witness.cut && either.contains(how)
        };
        match seen {
            Some(seen) if seen.how != *expected && !killed(&seen.how) => {
                self.disagree(name, &format!("end {}, expected {expected}", seen.how));
            }
            _ => {}
        }
    }

    /// A call of ours that went well: what the program was told must be what was predicted.
    fn runs(&mut self, name: &str, running: &Started, loaded: &Loaded) {
        let trail = self.witness.trail;
        let seen = trail.ended.iter().find(|ended| ended.process == name);
        if let Some(how @ (How::Errno(_) | How::SignalInExec(_))) = seen.map(|seen| &seen.how)
            && !self.witness.cut
        {
            self.disagree(name, &format!("{how}, expected a program that runs"));
        }
        if trail.hang.is_some() {
            self.disagree(name, "a hang, expected a program that runs");
        }
        if let Loaded::Exits(status) = loaded {
            self.ends(name, &How::Exit(*status));
        }
        let told = trail.told.iter().find(|told| told.process == name);
        if let Some(told) = told {
            self.told(name, running, &told.told);
        }
    }

    fn told(&mut self, name: &str, running: &Started, told: &Told) {
        let expected = Told {
            execfn: Some(running.execfn.clone()),
            execfd: told.execfd.filter(|_| running.execfd.is_some()),
            execfd_path: running.execfd.clone(),
            comm: running.comm.clone(),
            // Where there is no /proc a program cannot say.
            exe: told.exe.as_ref().map(|_| running.exe.name.clone()),
            argv: running.argv.clone(),
        };
        let both = expected.fields().into_iter().zip(told.fields());
        for ((field, expected), (_, seen)) in both.filter(|(one, two)| one != two) {
            self.disagree(name, &format!("told {field}={seen}, expected {expected}"));
        }
        if told.execfd.is_some() != running.execfd.is_some() {
            self.disagree(name, &format!("told execfd={:?}", told.execfd));
        }
    }

    fn disagree(&mut self, process: &str, what: &str) {
        self.found.disagreements.push(format!("{process}: {what}"));
    }
}

/// Compares predicted steps with those that are left.
struct Matching<'r, 'a> {
    rest: &'r mut Rest<'a>,
    /// The thread that makes the call, by its name where it is not the leader, as long as it may have
    /// siblings.
    caller: Option<Option<String>>,
    cut: bool,
    matched: usize,
    /// Steps of siblings, which are not held, in between.
    aside: usize,
    /// Steps under a comm that a sibling gave the leader meanwhile.
    renamed: Vec<String>,
    wrong: Option<String>,
}

impl Matching<'_, '_> {
    fn step(&mut self, expected: &PredictedStep) -> Answer {
        if self.wrong.is_some() {
            return Answer::Go;
        }
        self.leave_siblings();
        let Some(seen) = self.rest.steps.front() else {
            if !self.cut {
                self.wrong = Some(format!(
                    "nothing more, expected {}",
                    show_expected(expected)
                ));
            }
            return Answer::Go;
        };
        let same = (seen.step == "execute") == expected.execute
            && seen.path == expected.path
            && seen.exe == expected.exe
            && (seen.comm == expected.comm || seen.thread.is_some());
        if same && seen.comm != expected.comm {
            let (seen, expected) = (show(seen), show_expected(expected));
            self.renamed.push(format!("{seen}, expected {expected}"));
        }
        if !same {
            self.wrong = Some(format!(
                "{}, expected {}",
                show(seen),
                show_expected(expected)
            ));
            return Answer::Go;
        }
        let answer = seen.denied.clone();
        self.rest.steps.pop_front();
        self.matched += 1;
        answer.map_or(Answer::Go, Answer::Refuse)
    }

    /// Leaves out what other threads open while the one that makes the call is held.
    fn leave_siblings(&mut self) {
        let Some(caller) = &self.caller else { return };
        let is_aside = |step: &&trail::Step| step.step == "open" && step.thread != *caller;
        while self.rest.steps.front().is_some_and(is_aside) {
            self.rest.steps.pop_front();
            self.aside += 1;
        }
    }
}

fn show(step: &trail::Step) -> String {
    format!(
        "{} {} (exe={} comm={})",
        step.step, step.path, step.exe, step.comm
    )
}

fn show_expected(step: &PredictedStep) -> String {
    let what = if step.execute { "execute" } else { "open" };
    format!("{what} {} (exe={} comm={})", step.path, step.exe, step.comm)
}

#[cfg(test)]
mod tests {
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
    fn a_program_that_it_starts_after_an_open_of_its_own_is_explained_by_its_own_path() {
        let next = ["execute", "open"]
            .map(|perm| step(perm, "/a", "/b"))
            .concat();
        let opened = kernels("/caller") + &step("open", "/a", "/data");
        let found = found(&(opened + &next + END));
        assert_eq!(found.disagreements, [""; 0]);
        assert_eq!((found.own, found.starts), (1, 2));
    }
}
