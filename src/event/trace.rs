//! Lines of the kernel's trace as events: what the tracepoints of an exec print.

use super::{Child, Field, Fields, Kind, Raw, told};
use crate::stages::errno;
use crate::trace::{Line, Said, Value, Values};

/// `CLONE_THREAD` of include/uapi/linux/sched.h.
const CLONE_THREAD: u64 = 0x0001_0000;
/// What a kernel of 6.19 or later copies of the path that a call is given.
const GIVEN: &str = "__filename_val";

/// The events of a trace, each with the number of steps before it; a marker is laid at each step.
///
/// # Errors
///
/// An event that tells something else than is known here.
pub fn events(lines: &[Line]) -> Result<Vec<Raw>, String> {
    let mut events = Vec::new();
    let mut after = 0;
    for line in lines {
        match &line.said {
            Said::Marker(_) => after += 1,
            Said::Event(name, values) => {
                let raw = raw(name, values)
                    .ok_or_else(|| format!("not understood: {name}: {values:?}"))?;
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
fn raw(name: &str, values: &Values) -> Option<Raw> {
    let mut fields = Fields::new();
    let mut child = None;
    let mut text = |field, key| Some(fields.insert(field, values.get(key)?.text()?.to_owned()));
    let kind = match name {
        "sched_process_exec" => {
            text(Field::Path, "filename")?;
            if number(values, "pid")? != number(values, "old_pid")? {
                fields.insert(Field::Was, "thread".to_owned());
            }
            Kind::Exec
        }
        "sched_prepare_exec" => {
            for (field, key) in [
                (Field::Interp, "interp"),
                (Field::Path, "filename"),
                (Field::Comm, "comm"),
            ] {
                text(field, key)?;
            }
            Kind::Inside
        }
        "task_newtask" => {
            child = Some(started(values)?);
            Kind::Fork
        }
        "sched_process_exit" => {
            text(Field::Comm, "comm")?;
            Kind::Exit
        }
        _ if name.starts_with("sys_enter_") => {
            fields.extend(values.get(GIVEN).map(|path| (Field::Path, given(path))));
            Kind::Call
        }
        _ if name.starts_with("sys_exit_") => {
            fields.insert(Field::Result, errno(number(values, "ret")?));
            Kind::Return
        }
        _ if name.starts_with("security_bprm_") => {
            fields = probed(values)?;
            Kind::Inside
        }
        _ => return None,
    };
    Some(Raw {
        kind,
        source: name.to_owned(),
        tid: 0,
        pid: None,
        child,
        after: None,
        fields,
    })
}

fn number(values: &Values, key: &str) -> Option<i64> {
    values.get(key)?.number()
}

/// The path that a call is given, as the kernel copied it: what it could not read is empty.
fn given(path: &Value) -> String {
    path.text().unwrap_or_default().to_owned()
}

/// How many components of a file's path a probe fetches: 7.3 lets an argument have eight nested reads
/// (`TRACEPROBE_MAX_NESTED_LEVEL` in kernel/trace/trace_probe.h).
pub const DEPTH: usize = 5;

/// Where the file's dentry and the one above it lie, the path as passed, the interpreter, and the names of dentries.
fn probed(values: &Values) -> Option<Fields> {
    let text = |key: &str| values.get(key).and_then(Value::text);
    let mut fields = Fields::new();
    for (key, field) in [("path", Field::Path), ("interp", Field::Interp)] {
        fields.insert(field, told(text(key)));
    }
    let names: Vec<_> = (0..DEPTH).map(|level| text(&format!("n{level}"))).collect();
    // Its own parent is what lies in no directory, and the root; not what is called like its directory.
    let file = match number(values, "own")? == number(values, "parent")? {
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

/// Who was started: a process, or a thread of the same one.
fn started(values: &Values) -> Option<Child> {
    let pid = i32::try_from(number(values, "pid")?).ok()?;
    let flags = number(values, "clone_flags")?.cast_unsigned();
    Some(match flags & CLONE_THREAD {
        0 => Child::Process(pid),
        _ => Child::Thread(pid),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn line(name: &str, values: &[(&str, Value)]) -> Line {
        let values = values.iter();
        let values = values.map(|(key, value)| ((*key).to_owned(), value.clone()));
        let said = Said::Event(name.to_owned(), values.collect());
        Line {
            tid: 9,
            at: 3,
            said,
        }
    }

    fn one(name: &str, values: &[(&str, Value)]) -> Raw {
        events(&[line(name, values)]).unwrap().remove(0)
    }

    fn exec(path: &str, old: i64) -> Raw {
        let ids = [("pid", Value::Number(9)), ("old_pid", Value::Number(old))];
        let path = [("filename", text(path))];
        one("sched_process_exec", &[&path[..], &ids].concat())
    }

    #[test]
    fn an_exec_has_its_path_whatever_it_looks_like() {
        let raw = exec("/a pid=1 old_pid=2", 9);
        assert_eq!(raw.fields[&Field::Path], "/a pid=1 old_pid=2");
        assert!(!raw.fields.contains_key(&Field::Was));
    }

    #[test]
    fn an_exec_by_a_thread_has_another_old_pid() {
        assert_eq!(exec("/a", 10).fields[&Field::Was], "thread");
    }

    #[test]
    fn a_prepared_exec_has_the_interpreter_and_the_comm() {
        let told = [
            ("interp", text("/i filename=/x")),
            ("filename", text("/f")),
            ("comm", text("c d")),
        ];
        let raw = one("sched_prepare_exec", &told);
        let found =
            [Field::Interp, Field::Path, Field::Comm].map(|field| raw.fields[&field].clone());
        assert_eq!(found, ["/i filename=/x", "/f", "c d"]);
    }

    #[test]
    fn a_pointer_is_no_path() {
        let raw = one("sys_enter_execve", &[("filename", Value::Number(5))]);
        assert!(raw.kind == Kind::Call && raw.fields.is_empty());
    }

    #[test]
    fn what_the_kernel_copied_of_a_call_is_the_path() {
        let call = |value| one("sys_enter_execveat", &[(GIVEN, value)]);
        assert_eq!(call(text("a b")).fields[&Field::Path], "a b");
        assert_eq!(call(Value::Unread).fields[&Field::Path], "");
    }

    /// What a probe tells of the file with these dentries, the parent of the first at this place.
    fn file(names: [&str; DEPTH], parent: i64) -> Fields {
        let mut values = vec![
            ("own", Value::Number(1)),
            ("parent", Value::Number(parent)),
            ("path", text("l\" n0=x")),
            ("interp", Value::Unread),
        ];
        let keys = ["n0", "n1", "n2", "n3", "n4"];
        values.extend(keys.into_iter().zip(names.map(text)));
        one("security_bprm_check", &values).fields
    }

    #[test]
    fn a_probe_tells_a_file_by_its_components() {
        let fields = file(["ls", "bin", "/", "/", "/"], 2);
        let found = [Field::Path, Field::Interp, Field::File].map(|field| fields[&field].clone());
        assert_eq!(found, ["l\" n0=x", "(fault)", "/bin/ls"]);
    }

    #[test]
    fn components_that_come_to_no_root_are_said_to_be_cut() {
        assert_eq!(
            joined(&[Some("a"), Some("b"), Some("c")]).unwrap(),
            ".../c/b/a"
        );
        assert_eq!(joined(&[None]), None);
    }

    #[test]
    fn what_is_called_like_its_directory_lies_in_it() {
        assert_eq!(file(["a"; DEPTH], 2)[&Field::File], ".../a/a/a/a/a");
    }

    #[test]
    fn what_is_its_own_parent_lies_in_no_directory() {
        assert_eq!(file(["a"; DEPTH], 1)[&Field::File], "a");
    }

    #[test]
    fn a_failure_has_its_errno() {
        let raw = one("sys_exit_execve", &[("ret", Value::Number(-2))]);
        assert_eq!(raw.fields[&Field::Result], "ENOENT");
    }

    #[test]
    fn a_thread_is_told_from_a_process() {
        let child = |flags| {
            let told = [
                ("pid", Value::Number(10)),
                ("clone_flags", Value::Number(flags)),
            ];
            one("task_newtask", &told).child
        };
        assert_eq!(child(0x1_0000), Some(Child::Thread(10)));
        assert_eq!(child(0x120_0000), Some(Child::Process(10)));
    }

    #[test]
    fn the_steps_before_an_event_are_counted() {
        let step = Line {
            said: Said::Marker("step 1".to_owned()),
            ..line("", &[])
        };
        let exit = line("sched_process_exit", &[("comm", text("a"))]);
        assert_eq!(events(&[step, exit]).unwrap()[0].after, Some(1));
    }

    #[test]
    fn an_event_that_is_not_known_or_lacks_a_field_is_an_error() {
        assert!(events(&[line("x", &[])]).is_err());
        assert!(events(&[line("sched_process_exec", &[])]).is_err());
    }
}
