//! Lines of the kernel's trace as events: what the tracepoints of an exec print.

use super::{Child, Field, Fields, Kind, Raw};
use crate::stages::{Line, Said, errno, result};

/// `CLONE_THREAD` of include/uapi/linux/sched.h.
const CLONE_THREAD: u64 = 0x0001_0000;

/// The events of a trace, each with the number of steps before it; a marker is laid at each step.
///
/// # Errors
///
/// A line of an event that prints something else than is known here.
pub fn events(lines: &[Line]) -> Result<Vec<Raw>, String> {
    let mut events = Vec::new();
    let mut after = 0;
    for line in lines {
        match &line.said {
            Said::Marker(_) => after += 1,
            Said::Event(name, text) => {
                let raw =
                    raw(name, text).ok_or_else(|| format!("not understood: {name}: {text}"))?;
                events.push(Raw {
                    tid: line.tid,
                    after: Some(after),
                    ..raw
                });
            }
            Said::Function(_) => {}
        }
    }
    Ok(events)
}

/// What an event says; its thread and place are the line's.
fn raw(name: &str, text: &str) -> Option<Raw> {
    let mut fields = Fields::new();
    let mut child = None;
    let (kind, source) = if let Some(call) = name.strip_prefix("enter:sys_") {
        fields.extend(given(text).map(|path| (Field::Path, path)));
        (Kind::Call, format!("sys_enter_{call}"))
    } else if let Some(call) = name.strip_prefix("exit:sys_") {
        fields.insert(Field::Result, errno(result(text)?));
        (Kind::Return, format!("sys_exit_{call}"))
    } else {
        let kind = match name {
            "sched_process_exec" => {
                let (rest, old) = text.rsplit_once(" old_pid=")?;
                let (path, new) = rest.strip_prefix("filename=")?.rsplit_once(" pid=")?;
                fields.insert(Field::Path, path.to_owned());
                if old != new {
                    fields.insert(Field::Was, "thread".to_owned());
                }
                Kind::Exec
            }
            "sched_prepare_exec" => {
                let (rest, comm) = text.rsplit_once(" comm=")?;
                let (rest, _pid) = rest.rsplit_once(" pid=")?;
                let (interp, path) = rest.strip_prefix("interp=")?.split_once(" filename=")?;
                fields.insert(Field::Interp, interp.to_owned());
                fields.insert(Field::Path, path.to_owned());
                fields.insert(Field::Comm, comm.to_owned());
                Kind::Inside
            }
            "task_newtask" => {
                child = Some(started(text)?);
                Kind::Fork
            }
            "sched_process_exit" => {
                let comm = text.strip_prefix("comm=")?;
                let (comm, _) = comm.rsplit_once(" pid=")?;
                fields.insert(Field::Comm, comm.to_owned());
                Kind::Exit
            }
            _ if name.starts_with("security_bprm_") => {
                fields = probed(text)?;
                Kind::Inside
            }
            _ => return None,
        };
        (kind, name.to_owned())
    };
    Some(Raw {
        kind,
        source,
        tid: 0,
        pid: None,
        child,
        after: None,
        fields,
    })
}

/// The path that a call is given: a kernel of 6.19 or later prints the string behind the pointer, and
/// an older one the pointer alone.
fn given(arguments: &str) -> Option<String> {
    let (_, rest) = arguments.split_once("filename: ")?;
    let rest = rest.split_once(' ').map_or(rest, |(_, rest)| rest);
    let quoted = rest.strip_prefix('"')?;
    let end = quoted.rfind("\", argv: ")?;
    Some(quoted[..end].to_owned())
}

/// How many components of a file's path a probe fetches: 7.3 lets an argument have eight nested reads
/// (`TRACEPROBE_MAX_NESTED_LEVEL` in kernel/trace/trace_probe.h).
pub const DEPTH: usize = 5;

/// `(FUNCTION+0x0/0x60) own=0x1 parent=0x2 path="/a" interp="/a" n0="a" n1="/" ...`: where the file's dentry and
/// the one above it lie, and names; what could not be read is `(fault)`, without quotes.
fn probed(text: &str) -> Option<Fields> {
    let (places, _) = text.split_once(" path=")?;
    let (_, places) = places.split_once(" own=")?;
    let (own, parent) = places.split_once(" parent=")?;
    let mut rest = text;
    let mut value = |key: &str| {
        let (_, after) = rest.split_once(&format!(" {key}="))?;
        rest = after;
        let quoted = after.strip_prefix('"');
        quoted.map(|quoted| quoted.find('"').map_or(quoted, |end| &quoted[..end]))
    };
    let mut fields = Fields::new();
    for (key, field) in [("path", Field::Path), ("interp", Field::Interp)] {
        fields.insert(field, value(key).unwrap_or("(fault)").to_owned());
    }
    let names: Vec<_> = (0..DEPTH)
        .map(|level| value(&format!("n{level}")))
        .collect();
    // Its own parent is what lies in no directory, and the root; not what is called like its directory.
    let file = match own == parent {
        true => names[0].map(str::to_owned),
        false => joined(&names),
    };
    fields.extend(file.map(|file| (Field::File, file)));
    Some(fields)
}

/// The path from the names of a dentry and of those above it; the root is called `/`.
fn joined(names: &[Option<&str>]) -> Option<String> {
    names.first().copied().flatten()?;
    let mut path = String::new();
    for name in names {
        match name {
            Some("/") => return Some(path),
            Some(name) => path = format!("/{name}{path}"),
            None => break,
        }
    }
    // It does not come to a root: a path of more components.
    Some(format!("...{path}"))
}

/// `pid=9 comm=a clone_flags=1200000 oom_score_adj=0`; a comm may hold anything.
fn started(text: &str) -> Option<Child> {
    let pid = text.strip_prefix("pid=")?.split(' ').next()?.parse().ok()?;
    let (_, flags) = text.rsplit_once("clone_flags=")?;
    let flags = u64::from_str_radix(flags.split(' ').next()?, 16).ok()?;
    Some(match flags & CLONE_THREAD {
        0 => Child::Process(pid),
        _ => Child::Thread(pid),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::lines;

    fn one(what: &str) -> Raw {
        let line = format!("{:>16}-9 [000] .... 3: {what}\n", "a");
        let lines = lines(line.as_bytes()).unwrap();
        events(&lines).unwrap().remove(0)
    }

    #[test]
    fn an_exec_has_its_path_up_to_the_last_pid() {
        let raw = one("sched_process_exec: filename=/a pid=1 b pid=9 old_pid=9");
        assert_eq!(raw.fields[&Field::Path], "/a pid=1 b");
        assert!(!raw.fields.contains_key(&Field::Was));
    }

    #[test]
    fn an_exec_by_a_thread_has_another_old_pid() {
        let raw = one("sched_process_exec: filename=/a pid=9 old_pid=10");
        assert_eq!(raw.fields[&Field::Was], "thread");
    }

    #[test]
    fn a_prepared_exec_has_the_interpreter_and_the_comm() {
        let raw = one("sched_prepare_exec: interp=/i filename=/f pid=9 comm=c d");
        let found =
            [Field::Interp, Field::Path, Field::Comm].map(|field| raw.fields[&field].clone());
        assert_eq!(found, ["/i", "/f", "c d"]);
    }

    #[test]
    fn a_pointer_is_no_path() {
        let raw = one("sys_execve(filename: 7f00, argv: 7f01, envp: 7f02)");
        assert!(raw.kind == Kind::Call && raw.fields.is_empty());
    }

    #[test]
    fn a_string_behind_the_pointer_is_the_path() {
        let raw =
            one("sys_execveat(fd: 3, filename: 0x7f00 \"a b\", argv: 0x1, envp: 2, flags: 0)");
        assert_eq!(raw.fields[&Field::Path], "a b");
        assert_eq!(raw.source, "sys_enter_execveat");
    }

    #[test]
    fn a_probe_tells_a_file_by_its_components() {
        let names = r#"n0="ls" n1="bin" n2="/" n3="/" n4="/" n5="/" n6="/" n7="/""#;
        let text = format!("(f+0x0/0x60) own=0x1 parent=0x2 path=\"l\" interp=(fault) {names}");
        let raw = one(&format!("security_bprm_check: {text}"));
        let found =
            [Field::Path, Field::Interp, Field::File].map(|field| raw.fields[&field].clone());
        assert_eq!(found, ["l", "(fault)", "/bin/ls"]);
    }

    #[test]
    fn components_that_come_to_no_root_are_said_to_be_cut() {
        assert_eq!(
            joined(&[Some("a"), Some("b"), Some("c")]).unwrap(),
            ".../c/b/a"
        );
        assert_eq!(joined(&[None]), None);
    }

    /// What a probe tells of a file whose dentry, and all above it, are called `a`.
    fn called_like_all_above(parent: &str) -> String {
        let names = r#"n0="a" n1="a" n2="a" n3="a" n4="a""#;
        let text = format!("(f+0x0/0x60) own=0x1 parent={parent} path=\"a\" interp=\"a\" {names}");
        one(&format!("security_bprm_check: {text}")).fields[&Field::File].clone()
    }

    #[test]
    fn what_is_called_like_its_directory_lies_in_it() {
        assert_eq!(called_like_all_above("0x2"), ".../a/a/a/a/a");
    }

    #[test]
    fn what_is_its_own_parent_lies_in_no_directory() {
        assert_eq!(called_like_all_above("0x1"), "a");
    }

    #[test]
    fn a_failure_has_its_errno() {
        let raw = one("sys_execve -> 0xfffffffffffffffe");
        assert_eq!(raw.fields[&Field::Result], "ENOENT");
    }

    #[test]
    fn a_thread_is_told_from_a_process() {
        let thread = one("task_newtask: pid=10 comm=a clone_flags=10000 oom_score_adj=0");
        assert_eq!(thread.child, Some(Child::Thread(10)));
        let process = one("task_newtask: pid=10 comm=a clone_flags=1200000 oom_score_adj=0");
        assert_eq!(process.child, Some(Child::Process(10)));
    }

    #[test]
    fn the_steps_before_an_event_are_counted() {
        let text = "               a-9 [000] .... 1: tracing_mark_write: exetrail step 1\n\
                    \x20              a-9 [000] .... 2: sys_execve -> 0x0\n";
        let events = events(&lines(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(events[0].after, Some(1));
    }

    #[test]
    fn an_event_that_is_not_known_is_an_error() {
        let lines = lines(b"               a-9 [000] .... 3: x: y\n").unwrap();
        assert!(events(&lines).is_err());
    }
}
