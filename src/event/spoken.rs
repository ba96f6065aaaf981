//! What an agent of a user's says on its standard output: one JSON object a line.
//!
//! `docs/observer-protocol.md` is the page for who writes one; its schema is made from [`Line`].

use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::Deserialize;

use super::{Child, Field, Fields, Kind, Raw, listed};
use crate::trail::printable;

/// The version of the protocol, which the first line names.
pub const PROTOCOL: u64 = 1;

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentSaid {
    /// It watches from now on.
    Ready,
    /// Something happened.
    Happened(Box<Raw>),
    /// So many events are known to be lost.
    Lost(u64),
}

/// One line of an agent: ready, an event, or what was lost.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Line {
    Ready(ReadyLine),
    Lost(LostLine),
    Event(Box<EventLine>),
}

/// The first line: the agent watches from now on.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ReadyLine {
    /// The version of the protocol: 1.
    ready: u64,
}

/// So many events were lost, at any time: what is lost makes the report of the scenario broken.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct LostLine {
    /// How many.
    lost: u64,
}

/// What happened: an exec, where nothing else is said.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct EventLine {
    /// What happened.
    #[serde(default)]
    event: What,
    /// The process, by its number in the first pid namespace.
    pid: i32,
    /// The thread, where it is not the first one.
    tid: Option<i32>,
    /// The parent.
    parent: Option<i32>,
    /// The process that was started, for a fork.
    child: Option<i32>,
    /// A user id.
    uid: Option<Id>,
    /// A group id.
    gid: Option<Id>,
    /// The login user.
    auid: Option<Id>,
    /// The path of the program, in whatever form the agent has it.
    path: Option<String>,
    /// The path of the interpreter of a script.
    interp: Option<String>,
    /// The file that was opened, as the kernel resolved it.
    file: Option<String>,
    /// Target of the exe link.
    exe: Option<String>,
    /// The comm.
    comm: Option<String>,
    /// The arguments.
    argv: Option<Vec<String>>,
    /// The working directory.
    cwd: Option<String>,
    /// The cgroup, or what else names the container.
    cgroup: Option<String>,
    /// What came of it: 0 or absent for an exec that came about, `?` where the agent cannot know, else the errno,
    /// by name or number; of an exit the status, or the signal by its name.
    result: Option<Id>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum What {
    /// A program was executed, or a call that asked for it failed.
    #[default]
    Exec,
    /// A process was started.
    Fork,
    /// A process ended.
    Exit,
}

/// A number, or a word.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Id {
    Number(i64),
    Word(String),
}

impl Id {
    fn text(&self) -> String {
        match self {
            Id::Number(number) => number.to_string(),
            Id::Word(word) => printable(word.as_bytes()),
        }
    }

    /// A login user; the kernel's number for none is a word.
    fn login(&self) -> String {
        match self {
            Id::Number(-1 | 0xffff_ffff) => "unset".to_owned(),
            _ => self.text(),
        }
    }

    /// What came of an exec: 0, an errno by its name, whichever way it was told, or `?`.
    fn errno(&self) -> Option<String> {
        match self {
            Id::Number(0) => Some("0".to_owned()),
            Id::Number(number) => {
                let number = i32::try_from(number.unsigned_abs()).ok()?;
                let errno = Some(Errno::from_raw(number));
                let known = errno.filter(|errno| *errno != Errno::UnknownErrno);
                known.map(|errno| format!("{errno:?}"))
            }
            Id::Word(word) if word == "?" => Some(word.clone()),
            Id::Word(word) => {
                let alias = ALIASES.iter().find(|(alias, _)| alias == word);
                let name = alias.map_or(word.as_str(), |(_, name)| *name);
                let mut known = (1..ERRNOS).map(|number| format!("{:?}", Errno::from_raw(number)));
                known.find(|known| known == name && known != "UnknownErrno")
            }
        }
    }

    /// What came of a process: its status, or the signal that ended it.
    fn status(&self) -> Option<String> {
        match self {
            Id::Number(0..=255) => Some(self.text()),
            Id::Number(_) => None,
            Id::Word(word) => word.parse::<Signal>().ok().map(|signal| signal.to_string()),
        }
    }
}

/// Beyond the last errno of the kernel (`EHWPOISON`, include/uapi/asm-generic/errno.h).
const ERRNOS: i32 = 134;
/// Second names of errnos.
const ALIASES: [(&str, &str); 3] = [
    ("EWOULDBLOCK", "EAGAIN"),
    ("EDEADLOCK", "EDEADLK"),
    ("ENOTSUP", "EOPNOTSUPP"),
];

/// Reads one line.
///
/// # Errors
///
/// What is wrong with it, in words for who wrote the agent.
pub fn said(line: &str) -> Result<AgentSaid, String> {
    let value: serde_json::Value =
        serde_json::from_str(line).map_err(|error| format!("it is no JSON: {error}"))?;
    let Some(object) = value.as_object() else {
        return Err("it is no JSON object".to_owned());
    };
    let wrong = |error: serde_json::Error| error.to_string();
    // By its first word, so that an error is about what was meant.
    let line = match (object.contains_key("ready"), object.contains_key("lost")) {
        (true, _) => Line::Ready(serde_json::from_value(value).map_err(wrong)?),
        (_, true) => Line::Lost(serde_json::from_value(value).map_err(wrong)?),
        _ => Line::Event(serde_json::from_value(value).map_err(wrong)?),
    };
    match line {
        Line::Ready(ReadyLine { ready: PROTOCOL }) => Ok(AgentSaid::Ready),
        Line::Ready(ReadyLine { ready }) => Err(format!(
            "it speaks version {ready} of the protocol, and this exetrail version {PROTOCOL}"
        )),
        Line::Lost(LostLine { lost }) => Ok(AgentSaid::Lost(lost)),
        Line::Event(event) => Ok(AgentSaid::Happened(Box::new(raw(&event)?))),
    }
}

fn raw(event: &EventLine) -> Result<Raw, String> {
    let text = |value: &Option<String>| value.as_ref().map(|text| printable(text.as_bytes()));
    let id = |value: &Option<Id>| value.as_ref().map(Id::text);
    let argv = event.argv.as_ref().map(|words| {
        let words = words.iter().map(|word| printable(word.as_bytes()));
        listed(words)
    });
    let result = event.result.as_ref().map(|result| {
        let (known, what) = match event.event {
            What::Exec => (result.errno(), "0, an errno or \"?\""),
            What::Exit => (
                result.status(),
                "a status (0 to 255) or the name of a signal",
            ),
            What::Fork => (None, "told of a fork"),
        };
        known.ok_or_else(|| format!("its `result` is {:?}, which is not {what}", result.text()))
    });
    let result = result.transpose()?;
    let told = [
        (Field::Parent, event.parent.map(|pid| pid.to_string())),
        (Field::Uid, id(&event.uid)),
        (Field::Gid, id(&event.gid)),
        (Field::Auid, event.auid.as_ref().map(Id::login)),
        (Field::Path, text(&event.path)),
        (Field::Interp, text(&event.interp)),
        (Field::File, text(&event.file)),
        (Field::Exe, text(&event.exe)),
        (Field::Comm, text(&event.comm)),
        (Field::Argv, argv),
        (Field::Cwd, text(&event.cwd)),
        (Field::Cgroup, text(&event.cgroup)),
        (Field::Result, result),
    ];
    let told = told.into_iter();
    let fields: Fields = told
        .filter_map(|(field, value)| Some((field, value?)))
        .collect();
    let (kind, source) = match event.event {
        What::Exec => (Kind::Exec, "exec"),
        What::Fork => (Kind::Fork, "fork"),
        What::Exit => (Kind::Exit, "exit"),
    };
    Ok(Raw {
        kind,
        source: source.to_owned(),
        tid: event.tid.unwrap_or(event.pid),
        pid: Some(event.pid),
        child: event.child.map(Child::Process),
        after: None,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happened(line: &str) -> Raw {
        match said(line).unwrap() {
            AgentSaid::Happened(raw) => *raw,
            other => panic!("{other:?}"),
        }
    }

    fn wrong(line: &str) -> String {
        said(line).unwrap_err()
    }

    #[test]
    fn an_exec_is_what_is_meant_where_nothing_is_said() {
        let raw = happened(r#"{"pid":7,"path":"/bin/ls","argv":["ls",""]}"#);
        assert_eq!((raw.kind, raw.tid, raw.pid), (Kind::Exec, 7, Some(7)));
        assert_eq!(raw.fields[&Field::Argv], "ls | ");
        assert_eq!(raw.after, None);
    }

    #[test]
    fn no_login_user_is_a_word_whichever_way_it_was_told() {
        for auid in ["4294967295", "-1", "\"unset\""] {
            let raw = happened(&format!(r#"{{"pid":7,"auid":{auid}}}"#));
            assert_eq!(raw.fields[&Field::Auid], "unset");
        }
    }

    #[test]
    fn an_errno_is_known_by_its_name_and_by_either_number() {
        for result in ["2", "-2", "\"ENOENT\""] {
            let raw = happened(&format!(r#"{{"pid":7,"result":{result}}}"#));
            assert_eq!(raw.fields[&Field::Result], "ENOENT");
        }
        let raw = happened(r#"{"pid":7,"result":0}"#);
        assert_eq!(raw.fields[&Field::Result], "0");
    }

    #[test]
    fn a_result_that_is_none_is_no_line() {
        for result in [
            "\"ENOSUCH\"",
            "\"0\"",
            "\"\"",
            "\"fine\"",
            "9999",
            "-5000000000",
        ] {
            let error = wrong(&format!(r#"{{"pid":7,"result":{result}}}"#));
            assert!(error.contains("`result`"), "{result}: {error}");
        }
        let open = happened(r#"{"pid":7,"result":"?"}"#);
        assert_eq!(open.fields[&Field::Result], "?");
    }

    #[test]
    fn a_second_name_of_an_errno_is_the_same_errno() {
        let raw = happened(r#"{"pid":7,"result":"EWOULDBLOCK"}"#);
        assert_eq!(raw.fields[&Field::Result], "EAGAIN");
        let raw = happened(r#"{"pid":7,"result":"EHWPOISON"}"#);
        assert_eq!(raw.fields[&Field::Result], "EHWPOISON");
    }

    #[test]
    fn an_exit_is_by_status_or_signal_and_a_fork_has_no_result() {
        let raw = happened(r#"{"event":"exit","pid":7,"result":"SIGKILL"}"#);
        assert_eq!(raw.fields[&Field::Result], "SIGKILL");
        assert!(wrong(r#"{"event":"exit","pid":7,"result":"well"}"#).contains("signal"));
        assert!(wrong(r#"{"event":"exit","pid":7,"result":256}"#).contains("status"));
        assert!(wrong(r#"{"event":"fork","pid":7,"result":0}"#).contains("fork"));
    }

    #[test]
    fn the_status_of_an_exit_is_no_errno() {
        let raw = happened(r#"{"event":"exit","pid":7,"result":2}"#);
        assert_eq!(raw.fields[&Field::Result], "2");
    }

    #[test]
    fn a_fork_has_a_child() {
        let raw = happened(r#"{"event":"fork","pid":7,"child":8}"#);
        assert_eq!(raw.child, Some(Child::Process(8)));
    }

    #[test]
    fn the_version_of_the_protocol_is_held_to() {
        assert_eq!(said(r#"{"ready":1}"#), Ok(AgentSaid::Ready));
        assert!(wrong(r#"{"ready":2}"#).contains("version 2"));
    }

    #[test]
    fn a_misspelt_field_is_named() {
        let error = wrong(r#"{"pid":7,"pth":"/bin/ls"}"#);
        assert!(error.contains("unknown field `pth`"), "{error}");
    }

    #[test]
    fn what_is_no_object_is_no_line() {
        assert!(wrong("hello").contains("no JSON"));
        assert!(wrong("[1]").contains("no JSON object"));
        assert!(wrong("{}").contains("missing field `pid`"));
    }

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("agent", &schemars::schema_for!(Line));
    }
}
