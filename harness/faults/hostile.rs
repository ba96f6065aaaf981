//! Kernels that speak the record channel and lie: what they say is told in words, costs their own
//! scenarios, and is over in seconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use exetrail::suite::{Begin, Options};
use exetrail::trail::Outcome;
use exetrail::wire::{Failure, Lost, Message, Sent, Stream};
use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::kernel::{CONSOLE, RECORDS, Then, saying};
use super::lab::{self, Check, Lab, Seen, no_qemu_is_left, stages_of, trail_of};

/// The scenario that is asked for.
const ASKED: &str = "start/normal";
/// What a terminal would obey, with what would be a line of ours.
const FORGED: &str = "\u{1b}]0;owned\u{7}\u{202e}\nok 1 start/forged";

/// By name, what this kernel is and what becomes of it.
pub const TRIALS: [(&str, Check); 12] = [
    ("hostile_guest_breaks_the_protocol", breaks_the_protocol),
    ("hostile_guest_says_no_message", says_no_message),
    ("hostile_guest_forges_text", forges_text),
    ("hostile_guest_lies_in_a_trail", lies_in_a_trail),
    ("hostile_guest_lies_in_a_view", lies_in_a_view),
    ("hostile_guest_stalls", stalls),
    ("hostile_guest_floods_the_channel", floods_the_channel),
    ("hostile_guest_floods_the_console", floods_the_console),
    ("hostile_guest_talks_for_ever", talks_for_ever),
    ("hostile_guest_is_saved", is_saved),
    ("hostile_guest_ends_before_its_cases", ends_before_its_cases),
    ("hostile_guest_ends_in_each_case", ends_in_each_case),
];

/// How long a session may take with the limits of [`options`], on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

fn options() -> Options {
    Options {
        boot: Duration::from_secs(4),
        deadlines: BTreeMap::from([(ASKED.to_owned(), Duration::from_secs(1))]),
        grace: Duration::from_secs(1),
        begin: Begin::Cold,
        ..lab::traced(lab::options())
    }
}

fn hello() -> Message {
    Message::Hello {
        release: "6.12.1".into(),
        version: String::new(),
    }
}

fn started(scenario: &str) -> Message {
    Message::Started {
        scenario: scenario.into(),
    }
}

fn finished(seen: Vec<Sent>) -> Message {
    Message::Finished {
        scenario: ASKED.into(),
        seen,
        model: None,
        output: Vec::new(),
    }
}

fn sent(view: &str, body: Value) -> Sent {
    Sent {
        view: view.into(),
        result: Ok(body),
        lost: Lost::default(),
    }
}

/// A trail of one step.
fn trail() -> Value {
    json!({
        "started": [{"process": "p1", "by": "launcher", "call": "execve", "path": "/a"}],
        "trail": [{
            "process": "p1", "parent": "launcher", "step": "open", "mask": "0x10000",
            "exe": "/x", "exe_link": true, "comm": "x", "path": "/a",
        }],
        "ended": [{"process": "p1", "exit": 0}],
    })
}

fn line(message: &Message) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("a message is plain data");
    line.push(b'\n');
    line
}

/// Boots a kernel that says this and then does that; the record of the scenario.
fn said(lab: &Lab, words: &[(u16, &[u8])], then: Then) -> Result<Seen, Failed> {
    let begin = Instant::now();
    let kernel = saying(words, then);
    let seen = lab.boot_kernel(&kernel, &[ASKED], options())?;
    if begin.elapsed() > BOUND {
        return Err(format!("it took {:?}", begin.elapsed()).into());
    }
    no_qemu_is_left()?;
    Ok(seen)
}

/// It is broken, and its reason has this in it and nothing that a terminal obeys.
fn is_broken(seen: &Seen, part: &str) -> Result<(), Failed> {
    let record = seen.records.get(ASKED).ok_or("there is no record")?;
    let (outcome, reason) = trail_of(record);
    let hidden = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    if reason.contains(hidden) || reason.len() > 1 << 16 {
        return Err(format!("the reason is not printable: {reason:?}").into());
    }
    match outcome == Outcome::Broken && reason.contains(part) {
        true => Ok(()),
        false => Err(format!("\"{part}\" is not in: {outcome}: {reason}").into()),
    }
}

/// What becomes of a kernel that sends these messages and halts.
fn breaks(lab: &Lab, messages: &[Message], part: &str) -> Result<(), Failed> {
    let words: Vec<u8> = messages.iter().flat_map(line).collect();
    is_broken(&said(lab, &[(RECORDS, &words)], Then::Halt)?, part)
}

fn breaks_the_protocol(lab: &Lab) -> Result<(), Failed> {
    let stream = Stream::Stdout;
    let output = Message::Output {
        stream,
        bytes: b"x".to_vec(),
    };
    let release = "6.12.1\n/../x".to_owned();
    let version = String::new();
    let strange = Message::Hello { release, version };
    breaks(lab, &[started(ASKED)], "begins without a greeting")?;
    breaks(lab, &[hello(), hello()], "greets twice")?;
    breaks(lab, &[strange], "is its kernel's release")?;
    breaks(lab, &[hello(), started("start/forged")], "nobody asks for")?;
    breaks(lab, &[hello(), finished(Vec::new())], "does not run")?;
    breaks(lab, &[hello(), output], "not asked for")?;
    breaks(lab, &[hello(), Message::Done], "nothing was")
}

fn says_no_message(lab: &Lab) -> Result<(), Failed> {
    for text in [
        "\u{1b}[2J\n",
        "{}\n",
        "{\"message\":\"\u{202e}\u{7}\"}\n",
        "\0\n",
    ] {
        let seen = said(lab, &[(RECORDS, text.as_bytes())], Then::Halt)?;
        is_broken(&seen, "what came is no message")?;
    }
    // Deeper than any message: no recursion without end.
    let deep = "[".repeat(1000) + "\n";
    is_broken(
        &said(lab, &[(RECORDS, deep.as_bytes())], Then::Halt)?,
        "recursion limit",
    )
}

fn forges_text(lab: &Lab) -> Result<(), Failed> {
    let reason = FORGED.to_owned();
    breaks(lab, &[Message::Failed { reason }], "\\x1b]0;owned\\x07")?;
    let broken = Sent {
        view: "trail".into(),
        result: Err(Failure::Broken(FORGED.into())),
        lost: Lost::default(),
    };
    let own = [hello(), started(ASKED), finished(vec![broken])];
    breaks(lab, &own, "\\x1b]0;owned\\x07")?;
    // In a path: the scenario is changed, and what is shown of it is printable.
    let mut body = trail();
    body["trail"][0]["path"] = FORGED.into();
    let own = [hello(), started(ASKED), finished(vec![sent("trail", body)])];
    let words: Vec<u8> = own.iter().flat_map(line).collect();
    let seen = said(lab, &[(RECORDS, &words)], Then::Halt)?;
    let record = seen.records.get(ASKED).ok_or("there is no record")?;
    let text = record.trail().ok_or("there is no trail")?.to_string();
    match text.contains("path=\\x1b]0;owned\\x07\\xe2\\x80\\xae\\x0aok 1 start/forged\n") {
        true => Ok(()),
        false => Err(format!("{text:?}").into()),
    }
}

fn lies_in_a_trail(lab: &Lab) -> Result<(), Failed> {
    let with = |change: &dyn Fn(&mut Value), part: &str| {
        let mut body = trail();
        change(&mut body);
        let own = [hello(), started(ASKED), finished(vec![sent("trail", body)])];
        breaks(lab, &own, part)
    };
    with(&|body| *body = json!({}), "missing field")?;
    with(
        &|body| body["trail"][0]["step"] = json!("execute"),
        "another one",
    )?;
    with(
        &|body| body["trail"][0]["process"] = json!("p1 ppid=x"),
        "does not read back",
    )
}

fn lies_in_a_view(lab: &Lab) -> Result<(), Failed> {
    let with = |stages: Vec<Sent>, part: &str| {
        let mut views = vec![sent("trail", trail())];
        views.extend(stages);
        let own = [hello(), started(ASKED), finished(views)];
        let words: Vec<u8> = own.iter().flat_map(line).collect();
        let seen = said(lab, &[(RECORDS, &words)], Then::Halt)?;
        let record = seen.records.get(ASKED).ok_or("there is no record")?;
        let (outcome, reason) = stages_of(record).ok_or("there are no stages")?;
        let reason = reason.unwrap_or_default();
        match outcome == Outcome::Broken && reason.contains(part) {
            true => Ok(()),
            false => Err(Failed::from(format!("{outcome}: {reason}"))),
        }
    };
    let packed = |points: Value| {
        sent(
            "stages",
            json!({"words": ["p1", "open"], "points": points, "untraceable": [], "absent": []}),
        )
    };
    with(Vec::new(), "the guest says nothing of it")?;
    with(vec![packed(json!([[7]]))], "not those of its trail")?;
    with(
        vec![packed(json!([[0], [9, 9, 9]]))],
        "not those of its trail",
    )?;
    with(
        vec![packed(json!([[0, 1, 1, 1, 1]]))],
        "not those of its trail",
    )?;
    with(vec![sent("stages", json!("\u{1b}"))], "invalid type")?;
    // A place that is no number of this machine.
    with(vec![packed(json!([[u64::MAX]]))], "not those of its trail")
}

fn stalls(lab: &Lab) -> Result<(), Failed> {
    let own = [
        hello(),
        started(ASKED),
        finished(vec![sent("trail", trail())]),
    ];
    let whole: Vec<u8> = own.iter().flat_map(line).collect();
    let [greeted, begun] = [1, 2].map(|count| own[..count].iter().flat_map(line).count());
    let states = [
        (0, "nothing came for 4 s, before PID 1 came up"),
        (greeted / 2, "nothing came for 4 s, before PID 1 came up"),
        (greeted, "nothing came for 1 s, in the guest"),
        (begun, "nothing came for 2 s, in the guest"),
        (whole.len() - 1, "nothing came for 2 s, in the guest"),
    ];
    for (length, part) in states {
        let seen = said(lab, &[(RECORDS, &whole[..length])], Then::Halt)?;
        is_broken(&seen, part)?;
    }
    Ok(())
}

/// One that is never idle waits for a CPU where others work, and that time is given back to it: so it is given up
/// at the limit of silence, or else when the sum of the times of [`options`] has really passed.
fn floods(lab: &Lab, port: u16) -> Result<Seen, Failed> {
    let begin = Instant::now();
    let seen = said(lab, &[(port, &[b'x'; 4096])], Then::Repeat)?;
    let whole = begin.elapsed() >= Duration::from_secs(7);
    match is_broken(&seen, "nothing came for 4 s") {
        Err(_) if whole => is_broken(&seen, "not done within 7 s")?,
        other => other?,
    }
    Ok(seen)
}

fn floods_the_channel(lab: &Lab) -> Result<(), Failed> {
    // No line of it ends, so that it is no message at all.
    floods(lab, RECORDS).map(drop)
}

fn floods_the_console(lab: &Lab) -> Result<(), Failed> {
    is_broken(&floods(lab, CONSOLE)?, " bytes more)")
}

fn talks_for_ever(lab: &Lab) -> Result<(), Failed> {
    let again = line(&started(ASKED));
    let greeting = line(&hello());
    let seen = said(
        lab,
        &[(RECORDS, &greeting), (RECORDS, &again)],
        Then::Repeat,
    )?;
    is_broken(&seen, "starts while")
}

/// Cases that were not played are no success.
fn ends_before_its_cases(lab: &Lab) -> Result<(), Failed> {
    let words: Vec<u8> = [hello(), Message::Done].iter().flat_map(line).collect();
    let kernel = saying(&[(RECORDS, &words)], Then::Halt);
    let tally = lab.cases_on_kernel(&kernel, &options())?;
    match tally.broken.as_slice() {
        [(0, reason)] if reason.contains("done before this case") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Each case takes a guest with it, and the next one has another.
fn ends_in_each_case(lab: &Lab) -> Result<(), Failed> {
    let reason = "over".to_owned();
    let words = [hello(), started("a case"), Message::Failed { reason }];
    let words: Vec<u8> = words.iter().flat_map(line).collect();
    let kernel = saying(&[(RECORDS, &words)], Then::Halt);
    let tally = lab.cases_on_kernel(&kernel, &options())?;
    no_qemu_is_left()?;
    let seeds: Vec<_> = tally.broken.iter().map(|(seed, _)| *seed).collect();
    match (seeds.as_slice(), tally.unplayed) {
        ([0, 1, 2], 0) => Ok(()),
        other => Err(format!("{other:?}: {:?}", tally.broken).into()),
    }
}

/// It lies where it is to be saved, and after it was restored.
fn is_saved(lab: &Lab) -> Result<(), Failed> {
    let own = |messages: &[Message], part: &str| {
        let words: Vec<u8> = messages.iter().flat_map(line).collect();
        let kernel = saying(&[(RECORDS, &words)], Then::Halt);
        let options = Options {
            boot: Duration::from_secs(2),
            begin: Begin::Warm,
            ..options()
        };
        // One without stages has a guest of its own.
        let seen = lab.boot_kernel(&kernel, &[ASKED, "identity/argv0"], options)?;
        is_broken(&seen, part)?;
        no_qemu_is_left().map(|()| seen)
    };
    own(&[hello()], "not asked for")?;
    own(&[Message::Done], "ended unasked")?;
    // Ready twice: it is saved, and has nothing to say when it is restored; booted it wants more to do.
    let ready = || Message::Ready { up_ms: 0 };
    let seen = own(&[ready(), ready()], "asked for more to do")?;
    // The second guest is booted: another state would not restore either.
    let mut notes = seen.notes.iter();
    match (notes.len(), notes.all(|note| note.contains("is made anew"))) {
        (2, true) => Ok(()),
        _ => Err(format!("{:?}", seen.notes).into()),
    }
}
