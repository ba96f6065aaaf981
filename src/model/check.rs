//! Holds a trail against the model.
//!
//! What a program does by itself is the trail's to say: the files that it opens, and the programs
//! that it starts in turn. How the kernel starts each of them is the model's, and so is the name
//! under which every step is made.

use std::collections::VecDeque;

use super::{
    Answer, By, Call, Caller, Files, KernelEnding, Loaded, PredictedStep, Started, Target, exec,
    exit, load,
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

impl Witness<'_> {
    /// Whether steps may be missing at the end; what a listener that hangs has seen is lost with it.
    fn is_cut(&self) -> bool {
        self.cut || self.trail.hang.is_some()
    }
}

/// Who asked for a start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// We did, and the call is known.
    ByUs,
    /// A program did: what it asked for is taken from what was seen.
    ByProgram,
}

/// Compares; every step is predicted, or counted as the program's own.
#[must_use]
pub fn check(witness: &Witness<'_>) -> Agreement {
    let mut check = Check {
        witness,
        found: Agreement::default(),
        names: Vec::new(),
    };
    let spawned = check.spawned();
    for process in processes(witness.trail) {
        check.process(&process, spawned.as_deref());
    }
    if let Some(call) = witness.call.filter(|call| call.by != By::Itself)
        && spawned.is_none()
    {
        // Nothing was seen of the child, perhaps because nothing that it opened is watched.
        let mut nothing = Rest {
            steps: VecDeque::new(),
            identity: None,
        };
        check.start("its child", call, &mut nothing, Asked::ByUs);
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
    /// Exe and comm of each program that was predicted to run so far: one need not have made a step under them.
    names: Vec<(String, String)>,
}

/// The steps of one process that are not yet explained, and under which name it makes them.
struct Rest<'a> {
    steps: VecDeque<&'a trail::Step>,
    identity: Option<(String, String)>,
}

impl Check<'_> {
    /// The child that makes the call in the place of the process that was to make it.
    fn spawned(&self) -> Option<String> {
        self.witness.call.filter(|call| call.by != By::Itself)?;
        let started = &self.witness.trail.started;
        let parent = started.iter().find(|started| started.call.is_some())?;
        let mut children = started.iter().filter(|child| child.by == parent.process);
        Some(children.next()?.process.clone())
    }

    /// Explains what a process did; `spawned` is the child that makes the call, where one does.
    fn process(&mut self, name: &str, spawned: Option<&str>) {
        let trail = self.witness.trail;
        let steps = trail.steps.iter().filter(|step| step.process == name);
        let mut rest = Rest {
            steps: steps.collect(),
            identity: None,
        };
        let started = trail.started.iter().find(|started| started.process == name);
        let calls = started.is_some_and(|started| started.call.is_some());
        let by_child = self.witness.call.is_some_and(|call| call.by != By::Itself);
        if calls && by_child {
            rest.identity = self.witness.call.map(|call| identity(&call.caller));
            self.own_opens(&mut rest);
        }
        let makes = if by_child {
            spawned == Some(name)
        } else {
            calls
        };
        match self.witness.call.filter(|_| makes) {
            Some(call) => self.call(name, call, &mut rest),
            None if rest.identity.is_some() => {}
            None => rest.identity = self.inherited(name, &rest),
        }
        self.goes_on(name, &mut rest);
    }

    /// Explains our call, in the process that makes it.
    fn call(&mut self, name: &str, call: &Call, rest: &mut Rest<'_>) {
        if let Some(path) = exit(self.witness.files, call, self.witness.kernel) {
            self.exits(name, &path, rest);
        }
        rest.identity = Some(identity(&call.caller));
        // A call that opens its file itself is not made when that was refused.
        if self.own_opens(rest) {
            self.start(name, call, rest, Asked::ByUs);
        }
    }

    /// Explains what a program does by itself: what it opens, and what it starts in turn.
    fn goes_on(&mut self, name: &str, rest: &mut Rest<'_>) {
        while let Some(step) = rest.steps.front().copied() {
            self.own_opens(rest);
            if let Some(next) = rest.steps.front().filter(|next| next.step == "execute") {
                let call = self.called(next, rest);
                self.start(name, &call, rest, Asked::ByProgram);
            }
            // What explains nothing would be looked at for ever.
            let next = rest.steps.front();
            if next.is_some_and(|next| std::ptr::eq(*next, step)) {
                // A path that is too long to be told says nothing of the file.
                match step.path == "too-long" {
                    true => self
                        .found
                        .unknown
                        .push(format!("{name}: a program without a path")),
                    false => self.disagree(name, &format!("nothing explains {}", show(step))),
                }
                return;
            }
        }
    }

    /// Takes out the last step, which is that of closing what is left.
    fn exits(&mut self, name: &str, path: &str, rest: &mut Rest<'_>) {
        let last = rest.steps.back().copied();
        let same = |step: &trail::Step| step.step == "open" && step.path == path && !step.exe_link;
        match last.filter(|step| same(step)) {
            Some(_) => {
                rest.steps.pop_back();
                self.found.kernel += 1;
            }
            None if self.witness.is_cut() => {}
            None => {
                let seen = last.map_or_else(|| "nothing".to_owned(), show);
                let text = format!("{seen} at last, expected open {path} without an exe link");
                self.disagree(name, &text);
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
        let known = others.any(|step| (&step.exe, &step.comm) == (&own.0, &own.1))
            || self.names.contains(&own);
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
            real: known.map_or((0, 0), |call| call.caller.real),
            groups: Vec::new(),
            overrides: true,
            reads: true,
            no_new_privileges: false,
            unmapped: false,
            processes: None,
            no_files: false,
            bounding: u64::MAX,
            inheritable: 0,
            stack: 8 << 20,
            space: u64::MAX,
            protects_links: false,
            no_descriptor: false,
            large_table: false,
        };
        // A helper of the kernel has another environment.
        let environment = known.filter(|_| step.exe_link);
        Call {
            by: By::Itself,
            filtered: None,
            older: None,
            target: Target::Path(step.path.clone()),
            argv: vec![step.path.clone()],
            environment: environment.map_or_else(Vec::new, |call| call.environment.clone()),
            caller,
            formats: known.map_or_else(Vec::new, |call| call.formats.clone()),
            modprobe: String::new(),
        }
    }

    /// Explains one start with the steps that are left.
    fn start(&mut self, name: &str, call: &Call, rest: &mut Rest<'_>, asked: Asked) {
        self.found.starts += 1;
        self.found.afterwards += usize::from(asked == Asked::ByProgram);
        let (files, kernel) = (self.witness.files, self.witness.kernel);
        let caller = rest.steps.front().map(|step| step.thread.clone());
        let mut matching = Matching::new(self.witness, rest, caller);
        let ending = exec(files, call, kernel, &mut |step| matching.step(step));
        self.found.kernel += matching.matched;
        self.found.own += matching.aside;
        self.found.renamed.append(&mut matching.renamed);
        if let Some(wrong) = matching.wrong.take() {
            self.gives_up(name, &wrong, rest);
            return;
        }
        match ending {
            KernelEnding::Runs(mut running) => {
                // Under which name a program called the next one is not seen, but what comm it made of it.
                // Nor is the name of a file whose path is the root of its own detached mount.
                let nameless = running.comm.is_empty() && running.exe.name == "/";
                let unseen = asked == Asked::ByProgram || nameless;
                if let Some(next) = rest.steps.front().filter(|_| unseen) {
                    running.comm.clone_from(&next.comm);
                }
                self.loads(name, &running, rest, asked);
            }
            failed if asked == Asked::ByUs => self.failed(name, &failed),
            _ => {}
        }
    }

    /// Explains what the loader of a program does, and holds what the program says against what was predicted.
    fn loads(&mut self, name: &str, running: &Started, rest: &mut Rest<'_>, asked: Asked) {
        // From here on there is one thread.
        let mut matching = Matching::new(self.witness, rest, None);
        let loaded = load(self.witness.files, running, &mut |step| matching.step(step));
        let (matched, wrong) = (matching.matched, matching.wrong.take());
        self.found.loader += matched;
        let identity = (running.exe.name.clone(), running.comm.clone());
        self.names.push(identity.clone());
        rest.identity = Some(identity);
        if let Some(wrong) = wrong {
            self.gives_up(name, &wrong, rest);
            return;
        }
        if asked == Asked::ByUs {
            self.runs(name, running, &loaded);
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
                let started = trail
                    .started
                    .iter()
                    .any(|started| started.call.is_none() && started.process != name);
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
        let expected = match (self.witness.call.map(|call| call.by), expected) {
            (None | Some(By::Itself), expected) => expected,
            // As `sys::Invocation::spawn` tells of its child.
            (Some(By::Child { tells: true }), expected @ How::Errno(_)) => expected,
            (_, How::Errno(_)) => How::Errno("ENOEXEC".to_owned()),
            (_, How::SignalInExec(_)) => How::Errno("EINTR".to_owned()),
            (_, expected) => expected,
        };
        self.ends(name, &expected);
    }

    /// How a process of ours ended, or the one whose child it is.
    fn end(&self, name: &str) -> Option<&How> {
        let trail = self.witness.trail;
        let by_child = self.witness.call.is_some_and(|call| call.by != By::Itself);
        let first = trail.started.iter().find(|started| started.call.is_some());
        let name = match first.filter(|_| by_child) {
            Some(first) => &first.process,
            None => name,
        };
        let seen = trail.ended.iter().find(|ended| ended.process == *name);
        seen.map(|seen| &seen.how)
    }

    fn ends(&mut self, name: &str, expected: &How) {
        let killed = |how: &How| {
            let signal = "SIGKILL".to_owned();
            let either = [How::Signal(signal.clone()), How::SignalInExec(signal)];
            self.witness.cut && either.contains(how)
        };
        let wrong = self
            .end(name)
            .filter(|how| *how != expected && !killed(how));
        if let Some(how) = wrong {
            let text = format!("end {how}, expected {expected}");
            self.disagree(name, &text);
        }
    }

    /// A call of ours that went well: what the program was told must be what was predicted.
    fn runs(&mut self, name: &str, running: &Started, loaded: &Loaded) {
        let trail = self.witness.trail;
        let by_child = self.witness.call.is_some_and(|call| call.by != By::Itself);
        // The program was killed; its parent reports that as EINTR.
        let killed = |how: &How| by_child && *how == How::Errno("EINTR".to_owned());
        if let Some(how @ (How::Errno(_) | How::SignalInExec(_))) = self.end(name)
            && !self.witness.cut
            && !killed(how)
        {
            let text = format!("{how}, expected a program that runs");
            self.disagree(name, &text);
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

    /// Nothing that comes after a step that is wrong can be explained.
    fn gives_up(&mut self, name: &str, wrong: &str, rest: &mut Rest<'_>) {
        self.disagree(name, wrong);
        rest.steps.clear();
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

impl<'r, 'a> Matching<'r, 'a> {
    fn new(
        witness: &Witness<'_>,
        rest: &'r mut Rest<'a>,
        caller: Option<Option<String>>,
    ) -> Matching<'r, 'a> {
        Matching {
            rest,
            caller,
            cut: witness.is_cut(),
            matched: 0,
            aside: 0,
            renamed: Vec::new(),
            wrong: None,
        }
    }

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

/// Exe and comm of who makes a call.
fn identity(caller: &Caller) -> (String, String) {
    (caller.exe.clone(), caller.comm.clone())
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
mod tests;
