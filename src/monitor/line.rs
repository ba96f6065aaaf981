//! From what was seen to a line that stays a line.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::look::{Look, OpenName, Who};
use super::{LineFormat, Summary};
use crate::trail::{Mask, PATH, before, printable};

/// One event; `docs/monitor.md` says more of its fields.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Json {
    /// Seconds since 1970, when the event was read.
    time: f64,
    /// What the mask means: `execute` or `open`.
    perm: String,
    /// The event mask as the kernel gave it.
    mask: Mask,
    /// The process.
    pid: i32,
    /// Its parent.
    ppid: i32,
    /// The thread that waits, with `--tid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<i32>,
    /// Target of `/proc/PID/exe`; none where `kind` is not `program`.
    exe: Option<String>,
    /// What the process is: `program`, `kernel-thread`, `dead`, `outside`, `too-long` or `unreadable`.
    kind: &'static str,
    /// Comm of the leader.
    comm: String,
    /// The file; none where it has no name that can be read.
    path: Option<String>,
}

/// An object that stands where lines are missing.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Lost {
    /// Seconds since 1970.
    time: f64,
    /// Lines that are missing here.
    lost: u64,
    /// Lines that are missing so far.
    lost_total: u64,
}

/// The last object.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct End<'a> {
    /// The numbers of the whole watch.
    summary: &'a Summary,
}

impl LineFormat {
    /// Appends one line.
    pub fn line(self, look: &Look, out: &mut Vec<u8>) {
        match self {
            LineFormat::Fapolicyd => {
                // Writing to memory cannot fail.
                let _ = write!(out, "perm={} pid={} ", look.mask.name(), look.pid);
                if let Some(tid) = look.tid {
                    let _ = write!(out, "tid={tid} ");
                }
                let exe = printable(look.who.name());
                let exe = before(&exe, &[PATH]);
                let path = printable(look.path.name());
                let _ = writeln!(out, "ppid={} exe={exe}{PATH}{path}", look.ppid);
            }
            LineFormat::Json => json(&Json::of(look), out),
        }
    }

    /// Appends what is said at once when lines were lost: only JSON has a place for it.
    #[expect(clippy::disallowed_methods, reason = "a line tells the time of day")]
    pub fn lost(self, lost: u64, lost_total: u64, out: &mut Vec<u8>) {
        if self == LineFormat::Json {
            let time = seconds(SystemTime::now());
            json(
                &Lost {
                    time,
                    lost,
                    lost_total,
                },
                out,
            );
        }
    }

    /// Appends what is said last.
    pub fn end(self, summary: &Summary, out: &mut Vec<u8>) {
        if self == LineFormat::Json {
            json(&End { summary }, out);
        }
    }
}

impl Json {
    fn of(look: &Look) -> Json {
        let (exe, kind) = match &look.who {
            Who::Program(exe) => (Some(printable(exe)), "program"),
            Who::KernelThread => (None, "kernel-thread"),
            Who::Dead => (None, "dead"),
            Who::Outside => (None, "outside"),
            Who::TooLong => (None, "too-long"),
            Who::Unreadable => (None, "unreadable"),
        };
        Json {
            time: seconds(look.time),
            perm: look.mask.name().into_owned(),
            mask: look.mask,
            pid: look.pid,
            ppid: look.ppid,
            tid: look.tid,
            exe,
            kind,
            comm: printable(&look.comm),
            path: match &look.path {
                OpenName::Path(path) => Some(printable(path)),
                OpenName::TooLong | OpenName::Unreadable => None,
            },
        }
    }
}

fn json(object: &impl Serialize, out: &mut Vec<u8>) {
    // Memory takes everything, and these types have no keys that are no strings.
    let _ = serde_json::to_writer(&mut *out, object);
    out.push(b'\n');
}

/// Seconds since 1970, to the microsecond.
fn seconds(time: SystemTime) -> f64 {
    let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (time.as_micros() as f64) / 1e6
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A line of `exetrail monitor --format json`.
    #[derive(schemars::JsonSchema)]
    #[schemars(title = "exetrail monitor", untagged)]
    #[expect(dead_code, reason = "a schema is made of it, and no value")]
    enum Line {
        Event(Json),
        Lost(Lost),
        End(End<'static>),
    }

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("monitor", &schemars::schema_for!(Line));
    }

    fn look(who: Who, path: &[u8]) -> Look {
        Look {
            time: UNIX_EPOCH + Duration::from_micros(1_500_000),
            mask: Mask::EXECUTE,
            pid: 20737,
            tid: None,
            ppid: 19425,
            start: 0,
            who,
            comm: b"bash".to_vec(),
            path: OpenName::Path(path.to_vec()),
        }
    }

    fn text(format: LineFormat, look: &Look) -> String {
        let mut out = Vec::new();
        format.line(look, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_line_is_the_one_that_people_know() {
        let look = look(Who::Program(b"/usr/bin/bash".to_vec()), b"/usr/bin/ls");
        let line = "perm=execute pid=20737 ppid=19425 exe=/usr/bin/bash : path=/usr/bin/ls\n";
        assert_eq!(text(LineFormat::Fapolicyd, &look), line);
    }

    #[test]
    fn a_newline_in_a_path_does_not_end_the_line() {
        let line = text(LineFormat::Fapolicyd, &look(Who::Dead, b"/a\nperm=open"));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(
            line.ends_with("exe=dead : path=/a\\x0aperm=open\n"),
            "{line}"
        );
    }

    #[test]
    fn a_program_that_looks_like_a_path_is_a_program() {
        let look = look(Who::Program(b"/x : path=/etc/shadow".to_vec()), b"/a");
        let line = text(LineFormat::Fapolicyd, &look);
        assert!(
            line.ends_with("exe=/x\\x20: path=/etc/shadow : path=/a\n"),
            "{line}"
        );
    }

    #[test]
    fn the_json_has_the_documented_fields() {
        let look = look(Who::Program(b"/b\xff".to_vec()), b"/a");
        let json = concat!(
            r#"{"time":1.5,"perm":"execute","mask":"0x40000","pid":20737,"ppid":19425,"#,
            r#""exe":"/b\\xff","kind":"program","comm":"bash","path":"/a"}"#,
            "\n"
        );
        assert_eq!(text(LineFormat::Json, &look), json);
    }

    #[test]
    fn a_thread_is_shown_where_it_was_asked_for() {
        let mut look = look(Who::KernelThread, b"/a");
        look.tid = Some(7);
        assert!(text(LineFormat::Fapolicyd, &look).contains("pid=20737 tid=7 ppid="));
        assert!(text(LineFormat::Json, &look).contains(r#""tid":7,"exe":null,"kind":"kernel-"#));
    }

    #[test]
    fn only_json_tells_of_lost_lines_at_once() {
        let mut out = Vec::new();
        LineFormat::Fapolicyd.lost(1, 2, &mut out);
        assert!(out.is_empty());
        LineFormat::Json.lost(1, 2, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("\"lost\":1,\"lost_total\":2}\n"), "{text}");
    }
}
