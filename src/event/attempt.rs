//! What is known of every exec of a scenario, from trail and stages: what a report is held against.

use super::listed;
use crate::stages::{CALL, LOADER_RUNS, PROGRAM_RUNS, Point, RETURN, StageMark, Story};
use crate::trail::{Mask, Step, ToldTo};

/// One call that asked for an exec, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Name of the process.
    pub process: String,
    /// What the launcher's child passed as path; none for a call of anybody else.
    pub passed: Option<String>,
    /// The files that the kernel opened to execute them: the program first, then each interpreter of
    /// a chain of scripts; the ELF interpreter is not among them. None where they are not watched.
    pub files: Vec<String>,
    /// Exe and comm before it.
    pub old: Option<(String, String)>,
    /// The new exe, as the first step of the new program has it; none where it makes none.
    pub exe: Option<String>,
    /// The root of the process as it is called from the initial one, where it has another.
    pub root: Option<String>,
    /// The new comm, where it went past the point of no return.
    pub comm: Option<String>,
    /// The arguments that the program found, with a bar between them, where it has told of them.
    pub arguments: Option<String>,
    /// What became of it.
    pub end: End,
    /// How many steps the process had made before the call.
    pub from: usize,
    /// How many steps it had made when the call came back.
    pub to: usize,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The program was executed.
    Executed,
    /// The call failed with this errno, by name.
    Failed(String),
    /// The process did not survive it.
    Killed,
}

impl Attempt {
    /// The file that was asked for, as the kernel resolved it.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        self.files.first().map(String::as_str)
    }

    /// The file that is mapped in the end: an interpreter, or the program itself.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.files.last().map(String::as_str)
    }

    /// The target of the exe link after it: what the trail says, else the file that is mapped.
    #[must_use]
    pub fn exe(&self) -> Option<&str> {
        self.exe.as_deref().or_else(|| self.image())
    }

    /// Whether this names a file by its path from the initial root, where the process has another root.
    #[must_use]
    pub fn is_from_outside(&self, told: &str, file: &str) -> bool {
        let root = self.root.as_deref();
        root.is_some_and(|root| told.strip_prefix(root) == Some(file))
    }

    /// Whether the program is a script or another file that an interpreter runs.
    #[must_use]
    pub fn is_interpreted(&self) -> bool {
        self.files.len() > 1
    }
}

/// Every exec of a story, process by process, in order.
#[must_use]
pub fn attempts(story: &Story) -> Vec<Attempt> {
    let mut all = Vec::new();
    let mut processes: Vec<&str> = Vec::new();
    for point in &story.inside.stages {
        if !processes.contains(&point.process()) {
            processes.push(point.process());
        }
    }
    for process in processes {
        let start = story
            .trail
            .started
            .iter()
            .find(|start| start.process == process);
        let mut reader = Reader {
            process,
            passed: start
                .filter(|start| start.call.is_some())
                .and_then(|start| start.path.clone()),
            steps: 0,
            last: None,
            open: None,
            elf: false,
            loader: false,
            file: false,
            misc: false,
            done: Vec::new(),
        };
        let own = story.inside.stages.iter();
        for point in own.filter(|point| point.process() == process) {
            match point {
                Point::Stage(mark) => reader.stage(mark),
                Point::Step(step) => reader.step(step),
            }
        }
        reader.close();
        all.extend(reader.done);
    }
    all
}

/// Notes the arguments that programs have found: a story does not tell them, its trail does.
#[must_use]
pub fn with_arguments(mut attempts: Vec<Attempt>, told: &[ToldTo]) -> Vec<Attempt> {
    for told in told {
        let mut execs = attempts.iter_mut().rev();
        let last =
            execs.find(|attempt| attempt.process == told.process && attempt.end == End::Executed);
        if let Some(last) = last {
            last.arguments = Some(listed(told.told.argv.clone()));
        }
    }
    attempts
}

/// Notes the root that processes of a scenario have moved to.
#[must_use]
pub fn with_root(mut attempts: Vec<Attempt>, root: Option<&str>) -> Vec<Attempt> {
    for attempt in &mut attempts {
        attempt.root = root.map(ToOwned::to_owned);
    }
    attempts
}

/// The state while the points of one process are read.
struct Reader<'a> {
    process: &'a str,
    passed: Option<String>,
    steps: usize,
    last: Option<&'a Step>,
    open: Option<Open>,
    /// The handler that was tried last is that of ELF programs.
    elf: bool,
    /// What is opened next is the ELF interpreter.
    loader: bool,
    /// The next file that is opened is the program or an interpreter; others are layers of an overlay.
    file: bool,
    /// `load_misc_binary` has opened a file, and has not said yet that it is the program's interpreter.
    misc: bool,
    done: Vec<Attempt>,
}

/// An attempt of which not everything is read.
struct Open {
    attempt: Attempt,
    /// It came back, or the new program runs.
    returned: bool,
}

impl<'a> Reader<'a> {
    fn stage(&mut self, mark: &StageMark) {
        match mark.stage.as_str() {
            CALL => self.begin(),
            // Where a call is not traced it begins with its record.
            "bprm" if self.open.as_ref().is_none_or(|open| open.returned) => self.begin(),
            "try-elf" => self.elf = true,
            "try-script" | "try-misc" => (self.elf, self.loader, self.misc) = (false, false, false),
            // One that was registered with its file is not opened by name.
            "interpreter-changed" => self.file = true,
            "open-interpreter" => (self.loader, self.file) = (self.elf, true),
            _ => {}
        }
        let Some(open) = &mut self.open else { return };
        match mark.stage.as_str() {
            // What it has opened was the loader for another handler to use (flag L).
            "refused" if self.misc && mark.symbol == "load_misc_binary" => {
                open.attempt.files.pop();
                self.misc = false;
            }
            "memory-map" => open.attempt.end = End::Executed,
            "comm" if open.attempt.end == End::Executed && !open.returned => {
                open.attempt.comm = mark.detail.clone();
            }
            // What comes back past the point of no return is a program that is killed.
            RETURN => {
                open.returned = true;
                match &mark.detail {
                    Some(errno) if errno != "0" && open.attempt.end != End::Executed => {
                        open.attempt.end = End::Failed(errno.clone());
                    }
                    Some(errno) if errno != "0" => open.attempt.end = End::Killed,
                    _ => {}
                }
            }
            LOADER_RUNS | PROGRAM_RUNS => open.returned = true,
            _ => {}
        }
        if open.returned {
            self.close();
        }
    }

    fn step(&mut self, step: &'a Step) {
        let executed = self.done.last_mut();
        if let Some(last) = executed.filter(|last| last.end == End::Executed && step.exe_link) {
            last.exe.get_or_insert_with(|| step.exe.clone());
        }
        if let Some(open) = &mut self.open {
            // The first step of a new program, where nothing said that the call came back.
            if open.attempt.end == End::Executed {
                open.attempt.exe = step.exe_link.then(|| step.exe.clone());
                self.close();
            } else if step.mask == Mask::EXECUTE && !self.loader && self.file {
                self.misc = !open.attempt.files.is_empty();
                open.attempt.files.push(step.path.clone());
                self.file = false;
            }
        }
        self.steps += 1;
        self.last = Some(step);
        if let Some(open) = &mut self.open {
            let old = (step.exe.clone(), step.comm.clone());
            open.attempt.old.get_or_insert(old);
            open.attempt.to = self.steps;
        }
    }

    fn begin(&mut self) {
        self.close();
        (self.elf, self.loader, self.file, self.misc) = (false, false, true, false);
        let old = self.last.map(|step| (step.exe.clone(), step.comm.clone()));
        self.open = Some(Open {
            attempt: Attempt {
                process: self.process.to_owned(),
                passed: self.passed.take(),
                files: Vec::new(),
                old,
                exe: None,
                root: None,
                comm: None,
                arguments: None,
                end: End::Killed,
                from: self.steps,
                to: self.steps,
            },
            returned: false,
        });
    }

    fn close(&mut self) {
        self.done.extend(self.open.take().map(|open| open.attempt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::parse;
    use crate::trail::Told;

    const SCRIPT: &str = "\
start p1 by launcher: execve /s
stage=call                   pid=p1 : syscalls:sys_enter_execve
perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/s
perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/s
stage=try-script             pid=p1 : load_script
stage=open-interpreter       pid=p1 : open_exec
perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/i
perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/i
stage=try-elf                pid=p1 : load_elf_binary
stage=open-interpreter       pid=p1 : open_exec
perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/ld
perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/ld
stage=memory-map             pid=p1 : membarrier_exec_mmap
stage=comm                   pid=p1 : task:task_rename = s
stage=return                 pid=p1 : syscalls:sys_exit_execve = 0
perm=open    pid=p1 ppid=launcher exe=/i comm=s : path=/lib
stage=call                   pid=p1 : syscalls:sys_enter_execve
stage=return                 pid=p1 : syscalls:sys_exit_execve = ENOENT
end p1: exit 0
";

    #[test]
    fn a_script_has_its_interpreter_and_not_the_loader() {
        let found = attempts(&parse(SCRIPT).unwrap());
        assert_eq!(found[0].files, ["/s", "/i"]);
        assert_eq!((found[0].from, found[0].to), (0, 6));
        assert_eq!(found[0].end, End::Executed);
        assert_eq!(found[0].comm.as_deref(), Some("s"));
        assert_eq!(found[0].passed.as_deref(), Some("/s"));
    }

    #[test]
    fn a_call_that_fails_has_its_errno_and_was_nobodys_first() {
        let found = attempts(&parse(SCRIPT).unwrap());
        assert_eq!(found[1].end, End::Failed("ENOENT".into()));
        assert_eq!((found[1].from, found[1].to), (7, 7));
        assert_eq!(found[1].passed, None);
    }

    #[test]
    fn a_call_that_never_comes_back_and_changed_nothing_is_a_death() {
        let text = "start p1 by launcher: execve /s\n\
                    stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
                    end p1: signal SIGKILL\n";
        assert_eq!(attempts(&parse(text).unwrap())[0].end, End::Killed);
    }

    #[test]
    fn a_layer_of_an_overlay_is_no_interpreter() {
        let layer = "perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/layer/s\n";
        let open = "stage=try-script             pid=p1 : load_script\n";
        let text = SCRIPT.replace(open, &format!("{layer}{open}"));
        assert_eq!(attempts(&parse(&text).unwrap())[0].files, ["/s", "/i"]);
    }

    #[test]
    fn a_file_that_was_opened_when_it_was_registered_is_the_interpreter() {
        let open = "stage=open-interpreter       pid=p1 : open_exec\nperm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/i";
        let changed = open.replace(
            "open-interpreter       pid=p1 : open_exec",
            "interpreter-changed    pid=p1 : bprm_change_interp",
        );
        let text = SCRIPT.replacen(open, &changed, 1);
        assert_eq!(attempts(&parse(&text).unwrap())[0].files, ["/s", "/i"]);
    }

    #[test]
    fn a_loader_that_misc_opens_for_the_handler_of_elf_is_no_interpreter() {
        let text = SCRIPT.replace(
            "try-script             pid=p1 : load_script",
            "try-misc               pid=p1 : load_misc_binary",
        );
        let elf = "stage=try-elf ";
        let refused =
            format!("stage=refused                pid=p1 : load_misc_binary = ENOEXEC\n{elf}");
        let found = attempts(&parse(&text.replace(elf, &refused)).unwrap());
        assert_eq!(found[0].files, ["/s"]);
    }

    #[test]
    fn a_refusal_of_who_has_opened_nothing_takes_nothing_away() {
        let elf = "stage=try-elf ";
        let script = "stage=refused                pid=p1 : load_script = ENOEXEC\n";
        let misc = "stage=try-misc               pid=p1 : load_misc_binary\n";
        let refused = "stage=refused                pid=p1 : load_misc_binary = ENOEXEC\n";
        let text = SCRIPT.replace(elf, &format!("{misc}{refused}{script}{elf}"));
        assert_eq!(attempts(&parse(&text).unwrap())[0].files, ["/s", "/i"]);
    }

    #[test]
    fn the_new_exe_is_that_of_the_first_step_after_the_call() {
        let found = attempts(&parse(SCRIPT).unwrap());
        assert_eq!(found[0].exe.as_deref(), Some("/i"));
        let text = SCRIPT.replace("exe=/i comm=s", "exe=/s comm=s");
        assert_eq!(attempts(&parse(&text).unwrap())[0].exe(), Some("/s"));
    }

    #[test]
    fn a_path_from_the_initial_root_ends_in_that_of_the_own_root() {
        let found = with_root(attempts(&parse(SCRIPT).unwrap()), Some("/r"));
        assert!(found[0].is_from_outside("/r/s", "/s"));
        assert!(!found[0].is_from_outside("/s", "/s"));
        assert!(!found[0].is_from_outside("/r/rs", "/s"));
    }

    #[test]
    fn a_call_that_is_not_traced_begins_with_its_record() {
        let text = "start p1 by launcher: execve /s\n\
                    stage=bprm                   pid=p1 : alloc_bprm\n\
                    stage=memory-map             pid=p1 : membarrier_exec_mmap\n\
                    stage=program-runs           pid=p1 : uprobe = /s\n\
                    end p1: exit 0\n";
        let found = attempts(&parse(text).unwrap());
        assert_eq!((found.len(), &found[0].end), (1, &End::Executed));
    }

    #[test]
    fn what_a_program_has_found_belongs_to_its_exec() {
        let told = ToldTo {
            process: "p1".into(),
            told: Told {
                execfn: None,
                execfd: None,
                execfd_path: None,
                comm: "s".into(),
                exe: None,
                argv: vec!["a".into(), "b".into()],
            },
        };
        let found = with_arguments(attempts(&parse(SCRIPT).unwrap()), &[told]);
        assert_eq!(found[0].arguments.as_deref(), Some("a | b"));
    }
}
