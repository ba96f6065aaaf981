//! The trail: the steps of one scenario, with names where the kernel has numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Fact, Found, Mask, ToldTo, Verdict};

/// What stands for an exe link that is not there: a path begins with a slash.
pub(super) const NO_EXE: &str = "none";

/// One permission event, with the identity that the process had while the kernel held it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Name of the process: `launcher`, `p1`, `p2`, ...
    pub process: String,
    /// Name of its parent at that moment.
    pub parent: String,
    /// What the mask means, such as `execute` or `open`.
    pub step: String,
    /// The event mask as the kernel gave it.
    pub mask: Mask,
    /// Target of the exe link of the thread that waits; `none` where there is no such link.
    pub exe: String,
    /// Whether that link led anywhere (a kernel thread has none).
    pub exe_link: bool,
    /// The leader's comm (proc_pid_stat(5), field 2).
    pub comm: String,
    /// Comm of the thread that waits, where it is not the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The file that is being opened.
    pub path: String,
    /// It was made before the call that its section names: by us, who prepare it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before: bool,
    /// The errno that the monitor gave instead of the file, by name; none when it allowed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// What a second look found, just before an answer that was put off, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<String>,
}

/// How a process came into the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// Name of the process.
    pub process: String,
    /// Who started it: the launcher, another process of the trail, or `kthreadd` or `kworker` for the kernel.
    pub by: String,
    /// What the launcher's child was started for, mostly a system call; none for a process that it did not start.
    pub call: Option<String>,
    /// What that call was given, as a path or in the words of the scenario.
    pub path: Option<String>,
}

/// How a process ended; known for the processes that the launcher reaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ended {
    /// Name of the process.
    pub process: String,
    /// Its end.
    #[serde(flatten)]
    pub how: How,
}

/// The end of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It exited with this status.
    Exit(i32),
    /// This signal ended it; by name (`SIGSEGV`).
    Signal(String),
    /// This signal ended it inside its call: the kernel gave up after the point of no return, or it
    /// was killed while it waited, and no program of the call ever ran.
    #[serde(rename = "signal_in_exec")]
    SignalInExec(String),
    /// The call that should have started a program failed with this errno, by name (`ENOENT`).
    Errno(String),
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Exit(status) => write!(f, "exit {status}"),
            How::Signal(name) => write!(f, "signal {name}"),
            How::SignalInExec(name) => write!(f, "signal {name} in execve"),
            How::Errno(name) => write!(f, "errno {name}"),
        }
    }
}

/// The steps of one scenario in the order of the kernel, with the starts and ends around them.
///
/// Steps of one process are in their true order; between processes the order means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trail {
    /// Processes in the order in which they were created.
    pub started: Vec<Started>,
    /// Steps, grouped by process in the order of `started`.
    #[serde(rename = "trail")]
    pub steps: Vec<Step>,
    /// Ends, in the order of `started`.
    pub ended: Vec<Ended>,
    /// What programs of ours were told, in the order of `started`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ToldTo>,
    /// What processes found of their own state, or the scenario's code in them in another way, in the order of
    /// `started`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
    /// The listener that hung inside the kernel, so that nothing is known of the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang: Option<String>,
    /// For a scenario that observes several starts: each with its heading. All else but
    /// `verdicts` and `facts` is empty then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Section>,
    /// What a scenario of family `contract/` says of its claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// What the scenario as a whole found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
}

/// How many lines a trail may have: what scenarios give has less than 200.
pub const LONGEST: usize = 10_000;

impl Trail {
    /// About how many lines its text has.
    #[must_use]
    pub fn length(&self) -> usize {
        let own = [
            self.started.len(),
            self.steps.len(),
            self.ended.len(),
            self.told.len(),
            self.found.len(),
            self.verdicts.len(),
            self.facts.len(),
            self.cases.len(),
        ];
        let cases = self.cases.iter().map(|case| case.trail.length());
        own.into_iter().chain(cases).sum()
    }

    /// Writes what stands for a missing exe link where there is none.
    pub fn name_missing_links(&mut self) {
        let cases = self.cases.iter_mut().flat_map(|case| &mut case.trail.steps);
        for step in self.steps.iter_mut().chain(cases) {
            if !step.exe_link {
                NO_EXE.clone_into(&mut step.exe);
            }
        }
    }

    /// Parts call and path, and a fact's name and value, as another trail does, where both together are the
    /// same words: calls have blanks, names have colons.
    pub fn part_words_as(&mut self, other: &Trail) {
        let words = |one: &Started| Some(format!("{} {}", one.call.as_ref()?, one.path.as_ref()?));
        for (own, other) in self.started.iter_mut().zip(&other.started) {
            if words(own).is_some() && words(own) == words(other) {
                own.call.clone_from(&other.call);
                own.path.clone_from(&other.path);
            }
        }
        for (own, other) in self.facts.iter_mut().zip(&other.facts) {
            if own.to_string() == other.to_string() {
                own.clone_from(other);
            }
        }
        for (own, other) in self.cases.iter_mut().zip(&other.cases) {
            own.trail.part_words_as(&other.trail);
        }
    }

    /// The steps, also those of the cases.
    pub fn every_step(&self) -> impl Iterator<Item = &Step> {
        let cases = self.cases.iter().flat_map(|case| &case.trail.steps);
        self.steps.iter().chain(cases)
    }
}

/// One of several starts that a scenario observes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Section {
    /// What is special about it.
    pub heading: String,
    /// What was seen.
    #[serde(flatten)]
    pub trail: Trail,
}

#[cfg(test)]
mod tests {
    use crate::trail::parse;

    #[test]
    fn steps_of_the_cases_follow_those_of_the_whole() {
        let step =
            |path: &str| format!("perm=open    pid=p1 ppid=launcher exe=/x comm=x : path={path}\n");
        let mut trail = parse(&step("/a")).unwrap();
        let cases = parse(&format!("case x\n\n{}", step("/b"))).unwrap().cases;
        trail.cases = cases;
        let paths: Vec<_> = trail.every_step().map(|step| step.path.as_str()).collect();
        assert_eq!(paths, ["/a", "/b"]);
    }

    #[test]
    fn a_trail_is_as_long_as_its_text_without_the_empty_lines() {
        let text = "fact a: b\n\ncase x\n\nstart p1 by launcher: execve /a\n\
                    perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
                    told p1: execfn=/a execfd=none comm=a exe=/a argv=/a\nend p1: exit 0\n\n\
                    case y\n\nstart p1 by launcher: execve /b\nend p1: exit 0\n";
        let lines = text.lines().filter(|line| !line.is_empty());
        assert_eq!(parse(text).unwrap().length(), lines.count());
    }
}
