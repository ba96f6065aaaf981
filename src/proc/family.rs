//! A process and who is below it: `/proc/PID/task/TID/children`.

use super::text;

/// Every process there is, by its id.
///
/// Whoever is started or ends meanwhile may be there or not.
pub fn everybody() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The process, its children, theirs, and so on; none where the kernel does not tell (it is built without
/// `CONFIG_PROC_CHILDREN`, or the process is gone).
///
/// Whoever is started or ends meanwhile may be there or not (proc_tid_children(5)).
#[must_use]
pub fn family(pid: i32) -> Option<Vec<i32>> {
    let mut found = vec![pid];
    found.extend(children(pid)?);
    let mut next = 1;
    while let Some(pid) = found.get(next) {
        // One that has ended has none.
        let below = children(*pid).unwrap_or_default();
        found.extend(below);
        next += 1;
    }
    Some(found)
}

/// The children of all threads of a process.
fn children(pid: i32) -> Option<Vec<i32>> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut found = Vec::new();
    for task in tasks.flatten() {
        let file = task.path().join("children");
        let children = match text(&file) {
            Ok(children) => children,
            // A thread that has ended has none; one that is there and has no such file does not tell.
            Err(_) if !task.path().exists() => continue,
            Err(_) => return None,
        };
        let words = children.split_ascii_whitespace();
        found.extend(words.filter_map(|word| word.parse::<i32>().ok()));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::family;

    #[test]
    fn a_grandchild_is_below() {
        // The shell waits for what it started, and says who that is.
        let script = "sleep 1000 & echo $!; wait";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = shell.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        let below: i32 = line.trim().parse().unwrap();
        let found = family(i32::try_from(std::process::id()).unwrap());
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(below), nix::sys::signal::SIGKILL)
            .unwrap();
        shell.wait().unwrap();
        assert!(found.unwrap().contains(&below));
    }

    #[test]
    fn of_nobody_nothing_is_told() {
        assert_eq!(family(i32::MAX), None);
    }
}
