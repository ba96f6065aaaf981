//! One line of the kernel's trace, read as what it says.

use crate::trail::printable;

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A function was entered; its name without what the compiler hung on it.
    Function(String),
    /// A tracepoint or probe, with what it printed.
    Event(String, String),
    /// Our own word to ourselves, from the monitor.
    Marker(String),
}

/// One line of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The thread, by its number in the first pid namespace.
    pub tid: i32,
    /// The counter that orders everything.
    pub at: u64,
    /// What it tells.
    pub said: Said,
}

/// The word that a marker begins with.
pub const MARKER: &str = "exetrail ";

/// How the name of a probe of a first instruction begins that lives as long as one start; the
/// identity of its file follows.
pub const BRIEF: &str = "e_";
/// The same for one that lives as long as the machine.
pub const LASTING: &str = "f_";

/// In how many bytes a comm stands, behind blanks: it has fewer (`TASK_COMM_LEN`), whatever they are.
const COMM: usize = 16;

/// Reads the text of `trace`; none of its header.
///
/// # Errors
///
/// The first line that cannot be understood: an order with a hole would be no order.
pub fn lines(text: &[u8]) -> Result<Vec<Line>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while rest.starts_with(b"#") {
        rest = cut(rest).1;
    }
    while !rest.is_empty() {
        // By its length: a comm that looks like what follows it would otherwise tell another thread, and one
        // with a newline would be two lines.
        let line = rest.split_at_checked(COMM).and_then(|(_, line)| {
            let (line, rest) = cut(line);
            Some((parse(&printable(line))?, rest))
        });
        let (line, after) =
            line.ok_or_else(|| format!("not understood: {:?}", printable(cut(rest).0)))?;
        found.push(line);
        rest = after;
    }
    // Unique numbers from one counter for all CPUs, whatever order the buffers were merged in.
    found.sort_by_key(|line| line.at);
    Ok(found)
}

/// The first line without its end, and what comes after it.
fn cut(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n');
    let (line, rest) = text.split_at(end.unwrap_or(text.len()));
    (line, rest.get(1..).unwrap_or_default())
}

/// `-PID [CPU] FLAGS COUNTER: WHAT`, behind the comm.
///
/// Source: `trace_print_context` in kernel/trace/trace_output.c.
fn parse(line: &str) -> Option<Line> {
    let (pid, rest) = line.strip_prefix('-')?.split_once(" [")?;
    let (_cpu, rest) = rest.split_once("] ")?;
    // The flags hold no space; then the counter, up to the first colon.
    let (_flags, rest) = rest.trim_start().split_once(' ')?;
    let (at, what) = rest.split_once(": ")?;
    Some(Line {
        tid: pid.trim_end().parse().ok()?,
        at: at.trim().parse().ok()?,
        said: said(what)?,
    })
}

fn said(what: &str) -> Option<Said> {
    if let Some(marker) = what.strip_prefix("tracing_mark_write: ") {
        return Some(match marker.strip_prefix(MARKER) {
            Some(own) => Said::Marker(own.to_owned()),
            None => Said::Event("tracing_mark_write".to_owned(), marker.to_owned()),
        });
    }
    // The return of a function is told with an arrow as well, after the probe's name.
    if let Some((function, _caller)) = what.split_once(" <-")
        && !function.contains(' ')
    {
        return Some(Said::Function(plain(function).to_owned()));
    }
    // `sys_execve -> 0x0` and `sys_execve(filename: ...)` are the syscall tracepoints.
    if let Some((name, value)) = what.split_once(" -> ")
        && name.starts_with("sys_")
        && !name.contains(['(', ' '])
    {
        return Some(Said::Event(format!("exit:{name}"), value.to_owned()));
    }
    if let Some((name, arguments)) = what.split_once('(')
        && name.starts_with("sys_")
        && !name.contains([':', ' '])
    {
        return Some(Said::Event(format!("enter:{name}"), arguments.to_owned()));
    }
    let (name, rest) = what.split_once(": ")?;
    Some(Said::Event(name.to_owned(), rest.to_owned()))
}

/// The name of a function without the compiler's suffix (`.isra.0`, `.part.0`, `.constprop.0`).
#[must_use]
pub fn plain(symbol: &str) -> &str {
    symbol.split_once('.').map_or(symbol, |(name, _)| name)
}

/// The value after `ret=`, as our probes print it.
#[must_use]
pub fn returned(text: &str) -> Option<i64> {
    text.rsplit_once("ret=")?.1.trim().parse().ok()
}

/// The result after the arrow of a syscall's exit: a 64-bit number in hexadecimal.
#[must_use]
pub fn result(text: &str) -> Option<i64> {
    let digits = text.trim().strip_prefix("0x")?;
    let value = u64::from_str_radix(digits, 16).ok()?;
    Some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line by what stands behind the comm.
    fn one(line: &str) -> Line {
        let line = format!("{:>COMM$}{line}", "ls");
        lines(line.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_function_is_known_without_the_compilers_suffix() {
        let line = one("-95   [000] .....     5: do_execveat_common.isra.0 <-__x64_sys_execve");
        assert_eq!((line.tid, line.at), (95, 5));
        assert_eq!(line.said, Said::Function("do_execveat_common".into()));
    }

    #[test]
    fn a_comm_may_look_like_anything() {
        let comms = ["a-1 [0] d 9: b:", "a [1] b-c", "a\n#", "größe"];
        for comm in comms
            .map(str::as_bytes)
            .into_iter()
            .chain([&b"\xff-1 [0] d"[..]])
        {
            let blanks = b" ".repeat(COMM - comm.len());
            let line = [
                &blanks,
                comm,
                b"-95     [001] d..1.  7: commit_creds <-begin_new_exec\n",
            ];
            let found = lines(&line.concat()).unwrap();
            let said = Said::Function("commit_creds".into());
            assert_eq!(
                found,
                [Line {
                    tid: 95,
                    at: 7,
                    said
                }]
            );
        }
    }

    #[test]
    fn an_older_kernel_has_fewer_flags() {
        assert_eq!(one("-75    [000] ....   8: alloc_bprm <-x").at, 8);
    }

    #[test]
    fn a_tracepoint_keeps_what_it_printed() {
        let line = one("-9 [000] ..... 3: task_rename: pid=9 oldcomm=a newcomm=b");
        let text = "pid=9 oldcomm=a newcomm=b".to_owned();
        assert_eq!(line.said, Said::Event("task_rename".into(), text));
    }

    #[test]
    fn a_call_and_its_result_are_told_apart() {
        let call = one("-9 [000] ..... 3: sys_execve(filename: 0x5 \"/a\", argv: 1, envp: 2)");
        let end = one("-9 [000] ..... 3: sys_execve -> 0xfffffffffffffffe");
        assert!(matches!(call.said, Said::Event(name, _) if name == "enter:sys_execve"));
        let Said::Event(name, value) = end.said else {
            panic!("an event")
        };
        assert_eq!(
            (name.as_str(), result(&value)),
            ("exit:sys_execve", Some(-2))
        );
    }

    #[test]
    fn a_return_is_no_entry() {
        let line = one("-9 [000] ..... 3: r_load_script: (a+0x2/0x3 <- load_script) ret=-8");
        let Said::Event(name, text) = line.said else {
            panic!("an event")
        };
        assert_eq!(
            (name.as_str(), returned(&text)),
            ("r_load_script", Some(-8))
        );
    }

    #[test]
    fn a_marker_is_our_own() {
        let line = one("-9 [000] ..... 3: tracing_mark_write: exetrail step 1");
        assert_eq!(line.said, Said::Marker("step 1".into()));
    }

    #[test]
    fn lines_stand_in_the_order_of_the_counter() {
        let text = format!(
            "# header\n{0}-1 [001] .... 9: x <-y\n{0}-1 [000] .... 4: z <-y\n",
            " ".repeat(COMM)
        );
        let lines = lines(text.as_bytes()).unwrap();
        let at: Vec<_> = lines.iter().map(|line| line.at).collect();
        assert_eq!(at, [4, 9]);
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        let line = "              ls-9 [000] ..... 3: do_exit <-x\n";
        for other in [
            "CPU:0 [LOST 12 EVENTS]\n",
            "#### CPU 1 buffer started ####\n",
            "\n",
        ] {
            assert!(lines(format!("{line}{other}").as_bytes()).is_err());
        }
    }
}
