//! What an observer saw before anything is named: the kernel's own numbers.

use serde::{Deserialize, Serialize};

use super::{Fact, How, Mask, Told};

/// Who acts in a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A program, which may choose its comm.
    #[default]
    Program,
    /// The kernel: a thread of its own, or a helper of it that has not executed anything yet.
    Kernel,
}

impl By {
    fn is_program(&self) -> bool {
        *self == By::Program
    }
}

/// One permission event as the monitor read it while the process was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The event mask.
    pub mask: Mask,
    /// Process id, 0 when it is not visible in the monitor's pid namespace.
    pub pid: i32,
    /// The thread that waits, where it is not the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<i32>,
    /// Its parent's process id; 0 when the parent is not visible or the process is gone.
    pub ppid: i32,
    /// Target of the exe link of the thread that waits; none where it cannot be read.
    pub exe: Option<String>,
    /// The leader's comm (proc_pid_stat(5), field 2); none when the process was gone.
    pub comm: Option<String>,
    /// Who acts.
    #[serde(default, skip_serializing_if = "By::is_program")]
    pub by: By,
    /// Comm of the thread that waits, where it is not the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The file that is being opened.
    pub path: String,
    /// The errno that the opener gets instead of the file, by name; none when it was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// What a second look found, just before an answer that was put off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<Later>,
}

/// A second look at a process whose event has waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// Target of the exe link of the process; none where there is none.
    pub exe: Option<String>,
    /// Its comm, which is the leader's.
    pub comm: Option<String>,
    /// The thread that the event names; none when it has ended.
    pub thread: Option<LaterThread>,
}

/// A thread at a second look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterThread {
    /// Target of its own exe link.
    pub exe: Option<String>,
    /// Its own comm.
    pub comm: Option<String>,
}

/// A program start that the launcher asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchCall {
    /// The child that made the call.
    pub pid: i32,
    /// Name of the call, such as `execve`.
    pub call: String,
    /// What it was given.
    pub path: String,
    /// How many steps, of whomever, there had been when the call was made.
    #[serde(default)]
    pub after: usize,
}

/// The end of a process that the launcher reaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Who ended.
    pub pid: i32,
    /// And how.
    pub how: How,
}

/// What a program said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfReport {
    /// Who said it.
    pub pid: i32,
    /// What the kernel told it, where it was asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// What it found of its own state, or a scenario's code in it in another way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Fact>,
}

/// Everything that one run of a scenario left, with the kernel's numbers still in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The process that starts the others.
    pub launcher: i32,
    /// Where process ids wrap around: `/proc/sys/kernel/pid_max`.
    pub pid_max: i32,
    /// The starts that it asked for.
    pub calls: Vec<LaunchCall>,
    /// Each process with its parent, as far up as the monitor could follow.
    pub parents: Vec<(i32, i32)>,
    /// What the monitor saw, in order.
    pub sightings: Vec<Sighting>,
    /// The ends that it reaped.
    pub exits: Vec<Exit>,
    /// What programs of ours said of themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<SelfReport>,
}

#[cfg(test)]
impl Sighting {
    /// An open of `/y` by `x`, a child of process 100.
    pub fn sample(pid: i32) -> Sighting {
        Sighting {
            mask: Mask::OPEN,
            pid,
            tid: None,
            ppid: 100,
            exe: Some("/x".into()),
            comm: Some("x".into()),
            by: By::Program,
            path: "/y".into(),
            denied: None,
            thread: None,
            later: None,
        }
    }
}

#[cfg(test)]
impl Run {
    /// A run in which this was seen, and whose launcher is process 100.
    pub fn sample(sightings: Vec<Sighting>) -> Run {
        let parents = sightings.iter();
        let parents = parents.map(|sighting| (sighting.pid, sighting.ppid));
        Run {
            launcher: 100,
            pid_max: 32768,
            parents: parents.collect(),
            sightings,
            ..Run::default()
        }
    }
}

impl Run {
    /// Whether the sighting of this place was made by a child of the launcher before its call.
    pub(super) fn is_before_call(&self, place: usize) -> bool {
        let Some(sighting) = self.sightings.get(place) else {
            return false;
        };
        let mut own = self.calls.iter().filter(|call| call.pid == sighting.pid);
        own.any(|call| place < call.after)
    }
}
