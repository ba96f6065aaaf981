//! What still lives when a scenario should be over, in words.

use std::fs;

use crate::proc::{Stat, is_below};

/// State of a process as one letter (proc_pid_stat(5)); `?` when it is gone.
pub fn state(pid: i32) -> String {
    Stat::read(pid).map_or('?', |stat| stat.state()).to_string()
}

/// The processes below this one that are no kernel threads, with state and name.
pub fn living() -> String {
    let living = programs().into_iter();
    let named = living.map(|(_, stat)| {
        let comm = String::from_utf8_lossy(&stat.comm).into_owned();
        format!("{comm} ({})", stat.state())
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Everybody but the kernel's own, this process, and those who are at or below another one.
pub fn others(spared: i32) -> Vec<i32> {
    let all = programs().into_iter().map(|(pid, _)| pid);
    all.filter(|pid| !is_below(*pid, spared)).collect()
}

/// The processes below this one that are no kernel threads.
fn programs() -> Vec<(i32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let living = pids.filter(|pid| *pid > 1).filter_map(|pid| {
        let stat = Stat::read(pid)?;
        let no_program = || fs::read_link(format!("/proc/{pid}/exe")).is_err();
        let thread = pid == 2 || (stat.ppid == 2 && no_program());
        (!thread).then_some((pid, stat))
    });
    living.collect()
}
