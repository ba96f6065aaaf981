//! What still lives when a scenario should be over, in words.

use std::fs;

/// State of a process as one letter (proc_pid_stat(5)); `?` when it is gone.
pub fn state(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map_or("?", |(_, rest)| rest);
    rest.chars().take(1).collect()
}

/// The processes below this one that are no kernel threads, with state and name.
pub fn living() -> String {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return String::new();
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(stat) = fs::read_to_string(format!("/proc/{name}/stat")) else {
            continue;
        };
        let Ok(pid) = name.parse::<i32>() else {
            continue;
        };
        let Some((comm, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let mut fields = rest.split_ascii_whitespace();
        let (state, ppid) = (fields.next().unwrap_or("?"), fields.next().unwrap_or("?"));
        let thread =
            pid == 2 || (ppid == "2" && fs::read_link(format!("/proc/{name}/exe")).is_err());
        if pid > 1 && !thread {
            let comm = comm.split_once('(').map_or("?", |(_, comm)| comm);
            found.push(format!("{comm} ({state})"));
        }
    }
    found.join(", ")
}
