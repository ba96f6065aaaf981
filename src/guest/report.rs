//! What still lives when a scenario should be over, in words.

use std::fs;

use crate::proc::Stat;

/// State of a process as one letter (proc_pid_stat(5)); `?` when it is gone.
pub fn state(pid: i32) -> String {
    Stat::read(pid).map_or('?', |stat| stat.state()).to_string()
}

/// The processes below this one that are no kernel threads, with state and name.
pub fn living() -> String {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let living = pids.filter(|pid| *pid > 1).filter_map(|pid| {
        let stat = Stat::read(pid)?;
        let no_program = || fs::read_link(format!("/proc/{pid}/exe")).is_err();
        let thread = pid == 2 || (stat.ppid == 2 && no_program());
        let comm = String::from_utf8_lossy(&stat.comm).into_owned();
        (!thread).then(|| format!("{comm} ({})", stat.state()))
    });
    living.collect::<Vec<_>>().join(", ")
}
