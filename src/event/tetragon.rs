//! What the observer `tetragon-hook` reports, in the form in which Tetragon would print it.
//!
//! Source: `process_kprobe` of api/v1/tetragon/tetragon.proto. An `exec_id` there is made of node, start time and
//! pid; here it is the process and how often it had executed something. `process` is what was known when the
//! hook was reached: the program that executes, not the one that is executed.

use serde_json::{Value, json};

use super::value::{BAR, meant};
use super::{Event, Field};

/// The view of that observer.
pub const VIEW: &str = "tetragon-hook";

/// An event of the hook as a line of Tetragon's; `execs` is how many the process had made before.
#[must_use]
pub fn process_kprobe(event: &Event, execs: usize) -> Value {
    let get = |field: Field| event.get(field).unwrap_or_default();
    let number = |field: Field| get(field).parse::<u32>().unwrap_or(u32::MAX);
    let exec_id = format!("{}:{execs}", event.process);
    let parent = get(Field::Parent);
    json!({
        "process_kprobe": {
            "process": {
                "exec_id": exec_id,
                "pid": event.process,
                "uid": number(Field::Uid),
                "cwd": get(Field::Cwd),
                "binary": get(Field::Exe),
                "arguments": arguments(get(Field::Argv)),
                "auid": number(Field::Auid),
                "parent_exec_id": parent,
            },
            "parent": { "exec_id": parent, "pid": parent },
            "function_name": event.source,
            "args": [{ "file_arg": { "path": get(Field::File) } }],
            "action": "KPROBE_ACTION_POST",
        }
    })
}

/// All but the first, with a space between them.
fn arguments(argv: &str) -> String {
    let arguments: Vec<_> = argv.split(BAR).skip(1).collect();
    meant(&arguments.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse;

    #[test]
    fn the_file_is_the_argument_and_the_process_is_the_one_before() {
        let text = "event=inside  pid=p1 after=2 : security_bprm_creds_from_file parent=launcher uid=0 \
                    auid=unset file=/bin/ls exe=/bin/sh argv=\"sh | -c | ls\" cwd=/tmp\n";
        let report = parse(text).unwrap();
        let value = process_kprobe(&report.events[0], 1);
        let hook = &value["process_kprobe"];
        assert_eq!(hook["args"][0]["file_arg"]["path"], "/bin/ls");
        assert_eq!(hook["process"]["binary"], "/bin/sh");
        assert_eq!(hook["process"]["arguments"], "-c ls");
        assert_eq!(hook["process"]["exec_id"], "p1:1");
        assert_eq!(hook["process"]["auid"], u32::MAX);
    }
}
