//! What still lives when a scenario should be over, in words.
//!
//! All is read from `/proc/PID/status`: `stat` and the exe link of who is held inside of an exec may have us wait for that exec's
//! end, and we are who would end it (`exec_update_lock` in `do_task_stat` and `call_proc_get_link`, fs/proc/).

use std::fs;

use crate::proc::{Status, is_below};

/// State of a process as one letter (proc_pid_status(5)); `?` when it is gone.
pub fn state(pid: i32) -> String {
    Status::read(pid).map_or("?".to_owned(), |status| letter(&status).to_owned())
}

/// How many are named of those that still live.
const NAMED: usize = 20;

/// The processes beside this one that are no kernel threads, with state and name.
pub fn living() -> String {
    let living = programs().into_iter();
    let named = living.map(|(_, status)| {
        let name = status.value("Name:").unwrap_or_default();
        format!("{name} ({})", letter(&status))
    });
    listed(named.collect())
}

/// The first of them, and how many there are beside these.
fn listed(mut names: Vec<String>) -> String {
    if let Some(more @ 1..) = names.len().checked_sub(NAMED) {
        names.truncate(NAMED);
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// Everybody but the kernel's own, this process, and those who are at or below another one.
pub fn others(spared: i32) -> Vec<i32> {
    let all = programs().into_iter().map(|(pid, _)| pid);
    all.filter(|pid| !is_below(*pid, spared)).collect()
}

/// The first word of a state, `D (disk sleep)`.
fn letter(status: &Status) -> &str {
    let state = status.value("State:").unwrap_or_default();
    state.split(' ').next().unwrap_or_default()
}

/// The processes beside this one that are no kernel threads.
fn programs() -> Vec<(i32, Status)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let living = pids.filter(|pid| *pid > 1).filter_map(|pid| {
        let status = Status::read(pid)?;
        // Who has memory of its own is a program, or is about to become one.
        let no_program = || status.value("VmSize:").is_none();
        let thread = pid == 2 || (status.number("PPid:", 0) == Some(2) && no_program());
        (!thread).then_some((pid, status))
    });
    living.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_are_named() {
        let names = |count: usize| listed(vec!["a (S)".to_owned(); count]);
        assert_eq!(names(2), "a (S), a (S)");
        assert_eq!(names(NAMED + 3).matches("a (S)").count(), NAMED);
        assert!(names(NAMED + 3).ends_with(", and 3 more"));
    }
}
