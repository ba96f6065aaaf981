//! Reads a trail's text back, strictly: a snapshot that was damaged must not look like a claim.

use thiserror::Error;

use super::escape::is_visible;
use super::step::NO_EXE;
use super::text::{BEFORE, COMM, PATH, THREAD};
use super::{Ended, Fact, Found, How, Mask, Section, Started, Step, ToldTo, Trail, Verdict, field};

/// A line that no trail has.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what}: {text:?}")]
pub struct ParseError {
    /// Line in the text, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
    /// The line itself.
    pub text: String,
}

/// Reads what [`Trail`]'s `Display` wrote.
///
/// # Errors
///
/// The first line that is not of a trail's form, or that stands in the wrong place.
pub fn parse(text: &str) -> Result<Trail, ParseError> {
    let mut reader = Reader::default();
    // Not `lines`, which would take a carriage return at a line's end for a part of its end.
    for (number, line) in text.split('\n').enumerate() {
        reader.line(line).map_err(|what| ParseError {
            line: number + 1,
            what,
            text: line.to_owned(),
        })?;
    }
    let whole = reader.end();
    if whole == Trail::default() {
        return Err(ParseError {
            line: 1,
            what: "the trail is empty",
            text: String::new(),
        });
    }
    Ok(whole)
}

/// What a line has that it must not have.
type Wrong = &'static str;

/// The lines so far.
#[derive(Default)]
struct Reader {
    /// What is said of the whole, and the cases; the last one's trail is still empty.
    whole: Trail,
    /// The last case, or all where there are no cases.
    trail: Trail,
    /// Whose section it is; none before the first start: steps of the launcher, and of others outside of the scenario.
    current: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        if line.is_empty() {
            return Ok(());
        }
        if !line.chars().all(is_visible) {
            return Err("a character that nobody sees");
        }
        if is_step(line) {
            return self.step(step(line).ok_or("no step")?);
        }
        let (kind, rest) = line.split_once(' ').unwrap_or_default();
        match kind {
            "verdict" => {
                let verdict = Verdict::parse(rest).ok_or("no verdict")?;
                self.before_the_parts()?.verdicts.push(verdict);
            }
            "fact" => {
                let fact = Fact::parse(rest).ok_or("no fact")?;
                self.before_the_parts()?.facts.push(fact);
            }
            "case" => self.case(rest)?,
            "hang:" => self.trail.hang = Some(rest.to_owned()),
            "start" => self.start(started(rest).ok_or("no start of a process")?)?,
            "later" => self.later(rest)?,
            "told" => {
                let told = ToldTo::parse(rest).ok_or("nothing that was told")?;
                self.of_this_section(
                    &told.process,
                    "what another process than its section's was told",
                )?;
                self.trail.told.push(told);
            }
            "found" => {
                let found = Found::parse(rest).ok_or("nothing that was found")?;
                self.of_this_section(
                    &found.process,
                    "what another process than its section's found",
                )?;
                self.trail.found.push(found);
            }
            "end" => {
                let ended = ended(rest).ok_or("no end of a process")?;
                self.of_this_section(
                    &ended.process,
                    "the end of another process than its section's",
                )?;
                self.trail.ended.push(ended);
            }
            _ => return Err("neither a case nor a start nor a step nor an end"),
        }
        Ok(())
    }

    /// The whole, of which something is said before any part of it.
    fn before_the_parts(&mut self) -> Result<&mut Trail, Wrong> {
        if self.trail != Trail::default() || !self.whole.cases.is_empty() {
            return Err("what is said of the whole after a part of it");
        }
        Ok(&mut self.whole)
    }

    fn of_this_section(&self, process: &str, wrong: Wrong) -> Result<(), Wrong> {
        match &self.current {
            Some(current) if current == process => Ok(()),
            _ => Err(wrong),
        }
    }

    fn case(&mut self, heading: &str) -> Result<(), Wrong> {
        let finished = std::mem::take(&mut self.trail);
        match self.whole.cases.last_mut() {
            Some(case) => case.trail = finished,
            None if finished == Trail::default() => {}
            None => return Err("a case after what belongs to none"),
        }
        self.whole.cases.push(Section {
            heading: heading.to_owned(),
            trail: Trail::default(),
        });
        self.current = None;
        Ok(())
    }

    fn start(&mut self, started: Started) -> Result<(), Wrong> {
        let process = &started.process;
        let known = self
            .trail
            .started
            .iter()
            .any(|known| known.process == *process);
        if known || self.has_steps_of(process) {
            return Err("a start of a process that is there already");
        }
        self.current = Some(process.clone());
        self.trail.started.push(started);
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), Wrong> {
        let last = self.trail.steps.last().map(|last| &last.process);
        match &self.current {
            Some(current) if *current != step.process => {
                return Err("a step of another process than its section's");
            }
            None if last != Some(&step.process) && self.has_steps_of(&step.process) => {
                return Err("a step after those of another process");
            }
            _ => self.trail.steps.push(step),
        }
        Ok(())
    }

    fn has_steps_of(&self, process: &str) -> bool {
        self.trail.steps.iter().any(|step| step.process == process)
    }

    fn later(&mut self, rest: &str) -> Result<(), Wrong> {
        let later = rest.split_once(": ");
        let (Some((process, later)), Some(step)) = (later, self.trail.steps.last_mut()) else {
            return Err("a second look at nothing");
        };
        if step.process != process || step.later.is_some() {
            return Err("a second look at another step");
        }
        step.later = Some(later.to_owned());
        Ok(())
    }

    fn end(self) -> Trail {
        let Reader {
            mut whole,
            mut trail,
            ..
        } = self;
        if let Some(case) = whole.cases.last_mut() {
            case.trail = trail;
            return whole;
        }
        trail.verdicts = whole.verdicts;
        trail.facts = whole.facts;
        trail
    }
}

/// Whether a line begins as a step does.
pub(crate) fn is_step(line: &str) -> bool {
    let line = line.strip_prefix(BEFORE).unwrap_or(line);
    line.starts_with("perm=") || line.starts_with("deny=")
}

fn started(rest: &str) -> Option<Started> {
    let (process, rest) = rest.split_once(" by ")?;
    let (by, call, path) = match rest.split_once(": ") {
        Some((by, call)) => {
            let (call, path) = call.split_once(' ')?;
            (by, Some(call.to_owned()), Some(path.to_owned()))
        }
        None => (rest, None, None),
    };
    Some(Started {
        process: word(process)?,
        by: word(by)?,
        call,
        path,
    })
}

fn step(line: &str) -> Option<Step> {
    let (before, line) = match line.strip_prefix(BEFORE) {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (denied, line) = match line.strip_prefix("deny=") {
        Some(rest) => {
            let (errno, line) = rest.split_once(' ')?;
            (Some(errno.to_owned()), line)
        }
        None => (None, line),
    };
    let rest = line.strip_prefix("perm=")?;
    let (perm, rest) = rest.split_once(" pid=")?;
    let (process, rest) = rest.split_once(" ppid=")?;
    let (parent, rest) = rest.split_once(" exe=")?;
    let (rest, path) = rest.split_once(PATH)?;
    let (exe, comm) = rest.rsplit_once(COMM)?;
    let (comm, thread) = match comm.split_once(THREAD) {
        Some((comm, thread)) => (comm, Some(field::read(thread))),
        None => (comm, None),
    };
    let mask = Mask::from_name(perm.trim_end())?;
    Some(Step {
        process: word(process)?,
        parent: word(parent)?,
        step: mask.name().into_owned(),
        mask,
        exe: field::read(exe),
        exe_link: exe != NO_EXE,
        comm: field::read(comm),
        path: path.to_owned(),
        before,
        denied,
        thread,
        later: None,
    })
}

fn ended(rest: &str) -> Option<Ended> {
    let (process, how) = rest.split_once(": ")?;
    let (kind, value) = how.split_once(' ')?;
    let how = match kind {
        "exit" => How::Exit(value.parse().ok()?),
        "signal" => match value.strip_suffix(" in execve") {
            Some(name) => How::SignalInExec(word(name)?),
            None => How::Signal(word(value)?),
        },
        "errno" => How::Errno(word(value)?),
        _ => return None,
    };
    Some(Ended {
        process: word(process)?,
        how,
    })
}

fn word(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains(' ')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{NO_EXE, parse};

    const TEXT: &str = "\
start p1 by launcher: execve /usr/bin/a b
perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/usr/bin/a b
perm=open    pid=p1 ppid=launcher exe=/a (deleted) comm=a : path=/l
end p1: signal SIGSEGV

start p2 by kthreadd
perm=execute pid=p2 ppid=kthreadd exe=none comm=kworker : path=/c
";

    #[test]
    fn a_trail_reads_back_as_it_was_written() {
        assert_eq!(parse(TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn an_end_inside_the_call_reads_back() {
        let text = TEXT.replace("SIGSEGV", "SIGSEGV in execve");
        assert_eq!(parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn a_thread_and_a_second_look_read_back() {
        let step = " comm=a : path=/l\n";
        let late = " comm=a thread=b : path=/l\nlater p1: process exe=/c comm=c, thread gone\n";
        let text = TEXT.replace(step, late);
        let trail = parse(&text).unwrap();
        assert_eq!(trail.steps[1].thread.as_deref(), Some("b"));
        assert_eq!(trail.to_string(), text);
    }

    #[test]
    fn a_step_before_the_call_reads_back_also_when_it_was_refused() {
        for mark in ["before ", "before deny=EPERM "] {
            let text = TEXT.replace("perm=open ", &format!("{mark}perm=open "));
            let trail = parse(&text).unwrap();
            let before: Vec<_> = trail.steps.iter().map(|step| step.before).collect();
            assert_eq!(before, [false, true, false]);
            assert_eq!(trail.to_string(), text);
        }
    }

    #[test]
    fn a_second_look_at_another_process_or_a_third_look_is_refused() {
        let step = " comm=a : path=/l\n";
        let look = "later p1: process exe=/c comm=c, thread gone\n";
        let with = |later: &str| TEXT.replace(step, &format!("{step}{later}"));
        assert!(parse(&with(look)).is_ok());
        assert!(parse(&with(&look.replace("p1", "p2"))).is_err());
        assert!(parse(&with(&look.repeat(2))).is_err());
    }

    #[test]
    fn facts_alone_end_without_an_empty_line() {
        let text = "fact edge: 4096\n";
        assert_eq!(parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn a_hang_reads_back() {
        let text = format!("hang: monitor (D)\n\n{TEXT}");
        assert_eq!(parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn cases_denials_and_what_was_told_read_back() {
        let told = "told p1: execfn=/a execfd=none comm=a exe=/a argv=/a\n";
        let denied = TEXT.replace("perm=open ", "deny=EPERM perm=open ");
        let first = TEXT.replace("end p1", &format!("{told}end p1"));
        let text = format!("case one\n\n{first}\ncase deny 2\n\n{denied}");
        let trail = parse(&text).unwrap();
        assert_eq!(trail.cases.len(), 2);
        assert_eq!(trail.to_string(), text);
    }

    #[test]
    fn verdicts_facts_and_what_was_found_read_back() {
        let found = TEXT.replace("end p1", "found p1: ignored: SIGUSR1\nend p1");
        let text = format!("verdict a/b holds: x\nfact edge: 4096\n\ncase one\n\n{found}");
        let trail = parse(&text).unwrap();
        assert_eq!((trail.verdicts.len(), trail.facts.len()), (1, 1));
        assert_eq!(trail.to_string(), text);
        let text = format!("verdict a/b holds: x\n\n{found}");
        assert_eq!(parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn a_verdict_behind_a_step_is_refused() {
        let text = format!("{TEXT}verdict a/b holds: x\n");
        let what = "what is said of the whole after a part of it";
        assert_eq!(parse(&text).unwrap_err().what, what);
    }

    #[test]
    fn a_process_without_an_exe_link_stays_one() {
        let links: Vec<_> = parse(TEXT)
            .unwrap()
            .steps
            .iter()
            .map(|step| step.exe_link)
            .collect();
        assert_eq!(links, [true, true, false]);
    }

    #[test]
    fn a_line_cut_in_the_middle_is_refused_with_its_number() {
        let error = parse(&TEXT[..60]).unwrap_err();
        assert_eq!((error.line, error.what), (2, "no step"));
    }

    #[test]
    fn a_word_with_nothing_behind_it_is_refused() {
        for word in ["case", "hang:", "start", "later"] {
            let error = parse(&format!("{word}\n{TEXT}")).unwrap_err();
            assert_eq!(error.line, 1, "{word}");
        }
    }

    #[test]
    fn a_step_in_a_foreign_section_is_refused() {
        let text = TEXT.replace("start p2", "start p3");
        assert_eq!(parse(&text).unwrap_err().line, 7);
    }

    #[test]
    fn a_process_that_starts_twice_is_refused() {
        let what = "a start of a process that is there already";
        let text = format!("{TEXT}\nstart p1 by p2\n");
        assert_eq!(parse(&text).unwrap_err().what, what);
        let step = "perm=open    pid=p1 ppid=init exe=/a comm=a : path=/l\n";
        let text = format!("{step}\n{TEXT}");
        assert_eq!(parse(&text).unwrap_err().what, what);
    }

    #[test]
    fn steps_of_processes_by_turns_are_refused() {
        let step =
            |process| format!("perm=open    pid={process} ppid=init exe=/a comm=a : path=/l\n");
        let text = ["outside", "launcher", "outside"].map(step).concat();
        let error = parse(&text).unwrap_err();
        assert_eq!(
            (error.line, error.what),
            (3, "a step after those of another process")
        );
    }

    #[test]
    fn an_unknown_word_in_a_mask_is_refused() {
        assert_eq!(
            parse(&TEXT.replace("perm=open", "perm=opne"))
                .unwrap_err()
                .line,
            3
        );
    }

    #[test]
    fn a_character_that_nobody_sees_is_refused() {
        for hidden in ["\r", "\u{1b}", "\u{202e}"] {
            let text = TEXT.replacen('\n', &format!("{hidden}\n"), 1);
            assert_eq!(
                parse(&text).unwrap_err().what,
                "a character that nobody sees"
            );
        }
    }

    /// A step with these read back.
    fn step(exe: Option<&str>, comm: &str, thread: Option<&str>) {
        let mut trail = parse(TEXT).unwrap();
        let step = &mut trail.steps[1];
        step.exe = exe.unwrap_or(NO_EXE).to_owned();
        step.exe_link = exe.is_some();
        step.comm = comm.to_owned();
        step.thread = thread.map(ToOwned::to_owned);
        assert_eq!(parse(&trail.to_string()).unwrap(), trail, "{trail}");
    }

    #[test]
    fn a_comm_that_looks_like_another_field_reads_back() {
        step(Some("/a"), "x : path=/etc", None);
        step(Some("/a"), "x comm=y", None);
        step(Some("/a"), "x thread=y", None);
        step(Some("/a comm=b : path=c"), " ", None);
        step(None, " : path=", None);
    }

    #[test]
    fn a_thread_that_looks_like_another_field_reads_back() {
        for thread in ["x : path=/etc", "x comm=y", " thread=y", ""] {
            step(Some("/a thread=b"), "c", Some(thread));
            step(None, " thread=d", Some(thread));
        }
    }

    #[test]
    fn an_empty_text_is_no_trail() {
        assert_eq!(parse("\n").unwrap_err().what, "the trail is empty");
    }

    #[test]
    fn a_case_after_what_belongs_to_none_is_refused() {
        let error = parse(&format!("{TEXT}case x\n\n{TEXT}")).unwrap_err();
        assert_eq!(error.what, "a case after what belongs to none");
    }
}
