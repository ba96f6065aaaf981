//! From a run to a trail: what differs from boot to boot gets a name, nothing else is touched.
//!
//! `docs/trail-format.md` lists every placeholder that this file writes.

use super::comm::{GONE, WORKER, own_comm};
use super::step::NO_EXE;
use super::text::COMM;
use super::{By, Ended, Found, Run, Sighting, Started, Step, Told, ToldTo, Trail, field};

/// Names the processes of a run in the order of their creation and groups its steps by process.
///
/// The kernel hands out process ids in rising order and starts again after `pid_max`
/// (`alloc_pid` with `idr_alloc_cyclic`), so that the distance from the launcher's id is the order
/// of creation, whichever process was first seen in an event.
#[must_use]
pub fn normalise(run: &Run) -> Trail {
    let names = Names::of(run);
    let mut trail = Trail::default();
    for pid in names.others(run) {
        trail.steps.extend(steps(run, pid, &names));
    }
    for (pid, name) in &names.own {
        let call = run.calls.iter().find(|call| call.pid == *pid);
        let parent = run
            .parents
            .iter()
            .find(|(child, _)| child == pid)
            .map(|(_, parent)| *parent);
        let by = call.map(|_| run.launcher).or(parent);
        trail.started.push(Started {
            process: name.clone(),
            by: by.map_or_else(|| "unknown".to_owned(), |pid| names.of_pid(pid)),
            call: call.map(|call| call.call.clone()),
            path: call.map(|call| names.path(&call.path)),
        });
        trail.steps.extend(steps(run, *pid, &names));
        for word in run.words.iter().filter(|word| word.pid == *pid) {
            trail.told.extend(word.told.iter().map(|told| ToldTo {
                process: name.clone(),
                told: Told {
                    comm: own_comm(&told.comm),
                    ..told.clone()
                },
            }));
            trail.found.extend(word.found.iter().map(|fact| Found {
                process: name.clone(),
                fact: fact.clone(),
            }));
        }
        let exit = run.exits.iter().find(|exit| exit.pid == *pid);
        trail.ended.extend(exit.map(|exit| Ended {
            process: name.clone(),
            how: exit.how.clone(),
        }));
    }
    trail
}

fn steps<'a>(run: &'a Run, pid: i32, names: &'a Names) -> impl Iterator<Item = Step> + 'a {
    let own = run.sightings.iter().enumerate();
    let own = own.filter(move |(_, sighting)| sighting.pid == pid);
    own.filter_map(move |(place, _)| step_at(run, place, names))
}

/// The step of the sighting at this place.
pub(crate) fn step_at(run: &Run, place: usize, names: &Names) -> Option<Step> {
    let sighting = run.sightings.get(place)?;
    Some(Step {
        before: run.is_before_call(place),
        ..step(sighting, names)
    })
}

/// Names what one sighting holds.
fn step(sighting: &Sighting, names: &Names) -> Step {
    Step {
        process: names.of_pid(sighting.pid),
        parent: names.of_pid(sighting.ppid),
        step: sighting.mask.name().into_owned(),
        mask: sighting.mask,
        exe: sighting
            .exe
            .as_deref()
            .map_or_else(|| NO_EXE.to_owned(), |exe| names.path(exe)),
        exe_link: sighting.exe.is_some(),
        comm: comm(sighting.comm.as_deref(), sighting.by),
        path: names.path(&sighting.path),
        before: false,
        denied: sighting.denied.clone(),
        thread: sighting.thread.as_deref().map(own_comm),
        later: sighting.later.as_ref().map(|later| {
            let own = identity(&later.exe, &later.comm, names);
            let thread = later.thread.as_ref();
            let thread = thread.map(|thread| identity(&thread.exe, &thread.comm, names));
            format!(
                "process {own}, thread {}",
                thread.as_deref().unwrap_or("gone")
            )
        }),
    }
}

/// Exe and comm at a second look.
fn identity(exe: &Option<String>, own: &Option<String>, names: &Names) -> String {
    let exe = exe
        .as_ref()
        .map_or(NO_EXE.to_owned(), |exe| names.path(exe));
    let comm = comm(own.as_deref(), By::Program);
    let exe = field::before(&exe, &[COMM]);
    format!("exe={exe} comm={}", field::before(&comm, &[" thread "]))
}

/// The comm of a process, or the word for one that cannot be read.
///
/// A kernel worker's carries its pool, number and work (`kworker/u4:2-events`, `wq_worker_comm` in kernel/workqueue.c):
/// it keeps the name.
pub(crate) fn comm(own: Option<&str>, by: By) -> String {
    match (own, by) {
        (None, _) => GONE.to_owned(),
        (Some(own), By::Kernel) if own.starts_with("kworker/") => WORKER.to_owned(),
        (Some(own), _) => own_comm(own),
    }
}

/// The scenario's own processes, oldest first.
pub(crate) fn own(run: &Run) -> Vec<i32> {
    Names::of(run).own().collect()
}

/// Process ids and the names they get.
pub(crate) struct Names {
    launcher: i32,
    /// The scenario's own processes, oldest first.
    own: Vec<(i32, String)>,
    /// Threads of the kernel that started some of them.
    workers: Vec<i32>,
}

impl Names {
    /// Finds everybody that a run tells of.
    pub(crate) fn of(run: &Run) -> Names {
        let seen = run
            .sightings
            .iter()
            .flat_map(|sighting| [sighting.pid, sighting.ppid]);
        let related = run
            .parents
            .iter()
            .flat_map(|(child, parent)| [*child, *parent]);
        let started = run.calls.iter().map(|call| call.pid);
        let workers = workers(run);
        let own =
            |pid: &i32| special(*pid).is_none() && *pid != run.launcher && !workers.contains(pid);
        let mut order: Vec<i32> = seen.chain(related).chain(started).filter(own).collect();
        // Wider than a process id, so that no number overflows.
        let (launcher, max) = (i64::from(run.launcher), i64::from(run.pid_max.max(1)));
        let age = |pid: i32| (i64::from(pid) - launcher).rem_euclid(max);
        order.sort_by_key(|pid| (age(*pid), *pid));
        order.dedup();
        let own = order
            .into_iter()
            .zip(1..)
            .map(|(pid, number)| (pid, format!("p{number}")));
        Names {
            launcher: run.launcher,
            own: own.collect(),
            workers,
        }
    }

    /// The name of a process; `PID` for one that the run does not tell of.
    pub(crate) fn of_pid(&self, pid: i32) -> String {
        self.known(pid).unwrap_or_else(|| "PID".to_owned())
    }

    /// The name of a process; none for one that the run does not tell of.
    pub(crate) fn known(&self, pid: i32) -> Option<String> {
        if let Some(name) = special(pid) {
            return Some(name.to_owned());
        }
        if pid == self.launcher {
            return Some("launcher".to_owned());
        }
        if self.workers.contains(&pid) {
            return Some("kworker".to_owned());
        }
        let own = self.own.iter().find(|(known, _)| *known == pid);
        own.map(|(_, name)| name.clone())
    }

    /// Whether it is a thread of the kernel that starts helpers.
    pub(crate) fn is_of_kernel(&self, pid: i32) -> bool {
        pid == KTHREADD || self.workers.contains(&pid)
    }

    /// Replaces numbers that differ from boot to boot: inode numbers of pipes and sockets, process ids in `/proc`.
    pub(crate) fn path(&self, path: &str) -> String {
        for kind in ["pipe", "socket"] {
            let inode = path
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix(":["));
            if inode.is_some_and(|rest| rest.ends_with(']')) {
                return format!("{kind}:[INODE]");
            }
        }
        let Some((pid, rest)) = path
            .strip_prefix("/proc/")
            .and_then(|rest| rest.split_once('/'))
        else {
            return path.to_owned();
        };
        match pid.parse() {
            Ok(pid) => format!("/proc/{}/{rest}", self.of_pid(pid)),
            Err(_) => path.to_owned(),
        }
    }

    /// The scenario's own processes, oldest first.
    pub(crate) fn own(&self) -> impl Iterator<Item = i32> {
        self.own.iter().map(|(pid, _)| *pid)
    }

    /// Who made steps without being one of the scenario's own: the launcher, or somebody outside.
    fn others(&self, run: &Run) -> Vec<i32> {
        let mut others = Vec::new();
        for pid in run.sightings.iter().map(|sighting| sighting.pid) {
            if !others.contains(&pid) && self.own.iter().all(|(own, _)| *own != pid) {
                others.push(pid);
            }
        }
        others
    }
}

/// Children of kthreadd that did nothing themselves but start others: threads of the kernel.
///
/// A helper that is waited for has such a thread as its parent (`call_usermodehelper_exec_sync` in
/// kernel/umh.c), and which of the workers it is, is chance.
fn workers(run: &Run) -> Vec<i32> {
    let seen = |pid: i32| run.sightings.iter().any(|sighting| sighting.pid == pid);
    let workers = run.parents.iter();
    let workers = workers.filter(|(pid, parent)| *parent == KTHREADD && !seen(*pid));
    workers.map(|(pid, _)| *pid).collect()
}

/// The ancestor of all threads of the kernel.
const KTHREADD: i32 = 2;

/// Processes that are not the scenario's.
fn special(pid: i32) -> Option<&'static str> {
    match pid {
        0 => Some("outside"),
        1 => Some("init"),
        KTHREADD => Some("kthreadd"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::{Exit, How, Later, LaterThread, LaunchCall, Mask, SelfReport};

    fn seen(pid: i32, ppid: i32) -> Sighting {
        Sighting {
            ppid,
            exe: Some("/bin/a".into()),
            comm: Some("a".into()),
            path: "/b".into(),
            ..Sighting::sample(pid)
        }
    }

    fn processes(trail: &Trail) -> Vec<&str> {
        trail
            .steps
            .iter()
            .map(|step| step.process.as_str())
            .collect()
    }

    #[test]
    fn a_second_look_tells_of_the_process_and_of_the_thread() {
        let mut sighting = seen(101, 100);
        sighting.later = Some(Later {
            exe: Some("/proc/101/exe".into()),
            comm: None,
            thread: Some(LaterThread {
                exe: None,
                comm: Some("t".into()),
            }),
        });
        let trail = normalise(&Run::sample(vec![sighting]));
        let wanted = "process exe=/proc/p1/exe comm=gone, thread exe=none comm=t";
        assert_eq!(trail.steps[0].later.as_deref(), Some(wanted));
    }

    #[test]
    fn a_scenarios_own_processes_are_told_oldest_first() {
        assert_eq!(
            own(&Run::sample(vec![seen(102, 101), seen(101, 100)])),
            [101, 102]
        );
    }

    #[test]
    fn who_is_not_the_scenarios_own_comes_first_and_once() {
        let all = vec![seen(101, 100), seen(100, 1), seen(1, 0), seen(100, 1)];
        let trail = normalise(&Run::sample(all));
        assert_eq!(processes(&trail), ["launcher", "launcher", "init", "p1"]);
        let parents: Vec<_> = trail.steps.iter().map(|step| &*step.parent).collect();
        assert_eq!(parents, ["init", "init", "outside", "launcher"]);
    }

    #[test]
    fn processes_are_numbered_by_their_creation_not_by_their_first_event() {
        let trail = normalise(&Run::sample(vec![seen(102, 101), seen(101, 100)]));
        assert_eq!(processes(&trail), ["p1", "p2"]);
        assert_eq!(trail.steps[1].parent, "p1");
    }

    #[test]
    fn process_ids_that_wrapped_around_are_the_younger_ones() {
        let trail = normalise(&Run::sample(vec![seen(5, 32767), seen(32767, 100)]));
        assert_eq!(trail.steps[0].parent, "launcher");
        assert_eq!(trail.steps[1].parent, "p1");
    }

    #[test]
    fn an_age_counts_from_the_launcher() {
        // 90 wrapped around before 150 could have been given out.
        let trail = normalise(&Run::sample(vec![seen(90, 150), seen(150, 100)]));
        assert_eq!(processes(&trail), ["p1", "p2"]);
        assert_eq!(trail.steps[0].parent, "launcher");
    }

    #[test]
    fn a_parent_without_events_has_a_number_of_its_own() {
        let mut run = Run::sample(vec![seen(102, 101)]);
        run.parents.push((101, 100));
        let trail = normalise(&run);
        assert_eq!(processes(&trail), ["p2"]);
        assert_eq!(trail.started[0].by, "launcher");
    }

    #[test]
    fn steps_of_one_process_keep_their_order() {
        let mut second = seen(101, 100);
        second.path = "/c".into();
        let trail = normalise(&Run::sample(vec![seen(101, 100), seen(102, 100), second]));
        let paths: Vec<_> = trail.steps.iter().map(|step| step.path.as_str()).collect();
        assert_eq!(paths, ["/b", "/c", "/b"]);
    }

    #[test]
    fn a_started_process_without_events_is_still_in_the_trail() {
        let call = LaunchCall {
            pid: 101,
            call: "execve".into(),
            path: "/none".into(),
            after: 0,
        };
        let exit = Exit {
            pid: 101,
            how: How::Errno("ENOENT".into()),
        };
        let trail = normalise(&Run {
            calls: vec![call],
            exits: vec![exit],
            ..Run::sample(vec![])
        });
        assert_eq!(trail.started[0].by, "launcher");
        assert_eq!(trail.ended[0].process, "p1");
    }

    #[test]
    fn what_the_child_did_before_its_call_is_told_from_what_the_call_did() {
        let call = LaunchCall {
            pid: 101,
            call: "execve".into(),
            path: "/b".into(),
            after: 2,
        };
        let seen = [(101, 100), (102, 101), (101, 100)].map(|(pid, ppid)| seen(pid, ppid));
        let trail = normalise(&Run {
            calls: vec![call],
            ..Run::sample(seen.into())
        });
        let steps = trail.steps.iter();
        let steps = steps.map(|step| (step.process.as_str(), step.before));
        let expected = [("p1", true), ("p1", false), ("p2", false)];
        assert_eq!(steps.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_a_process_says_is_said_of_it() {
        let says = |pid, comm: &str| SelfReport {
            pid,
            told: Some(Told {
                execfn: None,
                execfd: None,
                execfd_path: None,
                comm: comm.into(),
                exe: None,
                argv: vec![],
            }),
            found: vec![],
        };
        let trail = normalise(&Run {
            words: vec![says(101, "a"), says(102, "b")],
            ..Run::sample(vec![seen(101, 100), seen(102, 101)])
        });
        let told = trail.told.iter();
        let told = told.map(|told| (told.process.as_str(), told.told.comm.as_str()));
        assert_eq!(told.collect::<Vec<_>>(), [("p1", "a"), ("p2", "b")]);
    }

    #[test]
    fn a_helper_of_the_kernel_is_started_by_kthreadd_and_named_by_its_comm() {
        let helper = Sighting {
            exe: None,
            comm: Some("kworker/u4:1-events".into()),
            by: By::Kernel,
            ..seen(101, 2)
        };
        let trail = normalise(&Run::sample(vec![helper]));
        assert_eq!(trail.started[0].by, "kthreadd");
        assert_eq!(trail.steps[0].exe, "none");
        assert_eq!(trail.steps[0].comm, "kworker");
        assert!(!trail.steps[0].exe_link);
    }

    #[test]
    fn a_program_that_is_called_like_a_worker_keeps_its_comm() {
        for exe in [None, Some("/bin/a".to_owned())] {
            let program = Sighting {
                exe,
                comm: Some("kworker/x".into()),
                ..seen(101, 100)
            };
            let trail = normalise(&Run::sample(vec![program]));
            assert_eq!(trail.steps[0].comm, "kworker/x");
        }
    }

    #[test]
    fn a_program_that_is_called_like_a_word_of_ours_is_told_from_it() {
        for (own, told) in [("gone", "\\x67one"), ("kworker", "\\x6bworker")] {
            let program = Sighting {
                comm: Some(own.into()),
                thread: Some(own.into()),
                ..seen(101, 100)
            };
            let trail = normalise(&Run::sample(vec![program]));
            assert_eq!(trail.steps[0].comm, told);
            assert_eq!(trail.steps[0].thread.as_deref(), Some(told));
        }
    }

    #[test]
    fn a_second_look_has_one_comm_and_one_thread() {
        let mut sighting = seen(101, 100);
        sighting.later = Some(Later {
            exe: Some("/a comm=b".into()),
            comm: Some("c, thread gone".into()),
            thread: None,
        });
        let trail = normalise(&Run::sample(vec![sighting]));
        let wanted = "process exe=/a\\x20comm=b comm=c,\\x20thread gone, thread gone";
        assert_eq!(trail.steps[0].later.as_deref(), Some(wanted));
    }

    #[test]
    fn a_worker_that_starts_a_helper_is_no_process_of_the_scenario() {
        for worker in [7, 150] {
            let mut run = Run::sample(vec![seen(101, 100), seen(160, worker)]);
            run.parents.push((worker, 2));
            let trail = normalise(&run);
            assert_eq!(processes(&trail), ["p1", "p2"]);
            assert_eq!(trail.started[1].by, "kworker");
        }
    }

    #[test]
    fn a_process_that_was_gone_is_said_to_be_gone() {
        let trail = normalise(&Run::sample(vec![Sighting {
            exe: None,
            comm: None,
            ..seen(101, 0)
        }]));
        assert_eq!(
            (trail.steps[0].comm.as_str(), trail.steps[0].exe_link),
            ("gone", false)
        );
    }

    #[test]
    fn a_process_outside_of_the_namespace_is_shown_and_named_so() {
        assert_eq!(
            processes(&normalise(&Run::sample(vec![seen(0, 0)]))),
            ["outside"]
        );
    }

    #[test]
    fn a_step_of_the_launcher_itself_is_shown() {
        assert_eq!(
            processes(&normalise(&Run::sample(vec![seen(100, 1)]))),
            ["launcher"]
        );
    }

    #[test]
    fn an_inode_number_becomes_a_placeholder() {
        let sighting = Sighting {
            path: "pipe:[4711]".into(),
            ..seen(101, 100)
        };
        assert_eq!(
            normalise(&Run::sample(vec![sighting])).steps[0].path,
            "pipe:[INODE]"
        );
    }

    #[test]
    fn a_process_id_in_proc_becomes_the_name_of_the_process() {
        let sighting = Sighting {
            path: "/proc/101/maps".into(),
            ..seen(101, 100)
        };
        assert_eq!(
            normalise(&Run::sample(vec![sighting])).steps[0].path,
            "/proc/p1/maps"
        );
    }

    #[test]
    fn an_unknown_mask_bit_is_kept() {
        let sighting = Sighting {
            mask: Mask(0x1_0001_0000),
            ..seen(101, 100)
        };
        assert_eq!(
            normalise(&Run::sample(vec![sighting])).steps[0].step,
            "open+0x100000000"
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_normalised_stays_as_it_is(value in super::super::property::value()) {
            let names = Names::of(&Run::sample(vec![seen(101, 100)]));
            for inode in [&*value, "pipe:[7]", &format!("socket:[{value}]"), &format!("/proc/101/{value}")] {
                let once = names.path(inode);
                proptest::prop_assert_eq!(names.path(&once), once);
            }
            let own = comm(Some(&value), By::Program);
            proptest::prop_assert!(own != WORKER && own != GONE);
            proptest::prop_assert_eq!(comm(Some(&own), By::Program), own);
        }
    }
}
