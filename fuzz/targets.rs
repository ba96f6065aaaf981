//! What each fuzz target does with its input: read it as what it claims to be, and hold what was
//! understood against what must then be true. A target fails by a panic.
//!
//! `fuzz/fuzz_targets/` runs these under libFuzzer, `harness/corpus.rs` on the committed corpora.

use clap::ValueEnum as _;
use exetrail::baseline::read_snapshot;
use exetrail::below::Below;
use exetrail::case;
use exetrail::event::{self, AgentSaid, Event, Raw, Report};
use exetrail::fetch::{FixtureTable, KernelPackage, Lock, read_module};
use exetrail::model::Image;
use exetrail::report::{FormatName, Said, Show};
use exetrail::suite::Talk;
use exetrail::trace::{Format, Formats, Functions, lines};
use exetrail::trail::{Run, Trail, foreign, normalise};
use exetrail::view::trail::Steps;
use exetrail::view::{Colour, Record, TRAIL, View as _, rows};
use exetrail::vm::console::Console;
use exetrail::vm::payload;
use exetrail::vm::table::Table;
use exetrail::wire::{Ask, Job, Link, Message, Written};
use exetrail::{stages, trail};

/// A name and what is done.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("agent", agent),
    ("audit", audit),
    ("case", one_start),
    ("channel", channel),
    ("console", console),
    ("elf", elf),
    ("ima", ima),
    ("kernel", kernel),
    ("lock", lock),
    ("module", module),
    ("package", package),
    ("record", record),
    ("report", report),
    ("run", run),
    ("snapshot", snapshot),
    ("stages", story),
    ("table", table),
    ("trace", trace),
    ("trail", steps),
];

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

/// A run of which processes 101 and 102 are the scenario's.
fn two() -> Run {
    Run {
        launcher: 100,
        pid_max: 32768,
        parents: vec![(101, 100), (102, 101)],
        ..Run::default()
    }
}

/// What an agent of a user's says, a line each.
pub fn agent(data: &[u8]) {
    let raw = text(data)
        .lines()
        .filter_map(|line| match event::said(line) {
            Ok(AgentSaid::Happened(raw)) => Some(*raw),
            _ => None,
        });
    is_told(raw.collect());
}

/// Records of the audit subsystem, a line each with its number before it.
pub fn audit(data: &[u8]) {
    let records: Vec<_> = text(data)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(kind, text)| Some((kind.parse().ok()?, text)))
        .collect();
    for raw in [
        event::calls(&records),
        event::complaints(records.iter().copied()),
    ] {
        is_told(raw.unwrap_or_default());
    }
}

/// What was reported is told by a text that reads back.
fn is_told(raw: Vec<Raw>) {
    is_written(event::place(&two(), raw));
}

fn is_written(events: Vec<Event>) {
    let report = Report {
        events,
        ..Report::default()
    };
    let written = event::text(&report);
    let again = event::parse(&written);
    assert_eq!(again.ok().as_ref(), Some(&report), "{written}");
}

/// The text of any view of events: what is understood is written as it was understood.
pub fn report(data: &[u8]) {
    if let Ok(report) = event::parse(text(data)) {
        let written = event::text(&report);
        let again = event::parse(&written);
        assert_eq!(again.ok().as_ref(), Some(&report), "{written}");
    }
}

/// Needs that a case file may name.
const NEEDS: &[&str] = &["binfmt-misc", "file-capabilities", "overlay"];

/// A case file of a user's: what is understood is printed as it was understood.
pub fn one_start(data: &[u8]) {
    let Ok(case) = case::read(text(data), "x.toml", NEEDS) else {
        return;
    };
    let written = case::print(&case).expect("a case is plain data");
    let again = case::read(&written, "y.toml", NEEDS);
    assert_eq!(again.ok().as_ref(), Some(&case), "{written}");
}

/// What a guest sends, up to where it is believed no more.
pub fn channel(data: &[u8]) {
    let ask = |scenario: &str| Ask {
        scenario: scenario.to_owned(),
        observe: vec!["trail".to_owned()],
        case: None,
        output: Written::Dropped,
    };
    let mut talk = Talk::new(&Job::Scenarios(vec![ask("a"), ask("b")]));
    let Ok((reader, writer)) = nix::unistd::pipe() else {
        return;
    };
    // A pipe holds that much without a reader (pipe(7)).
    let data = &data[..data.len().min(1 << 16)];
    if nix::unistd::write(&writer, data) != Ok(data.len()) && !data.is_empty() {
        return;
    }
    drop(writer);
    let mut link = Link::new(reader);
    while link.fill().is_ok() {
        while let Ok(Some(message)) = link.hear() {
            if talk.hear(&message).is_err() {
                return;
            }
            if let Message::Finished { seen, .. } = message {
                for sent in seen {
                    let body = sent.result.map(|body| Steps::read(body, &Trail::default()));
                    if let Ok(Ok(body)) = body {
                        is_whole(&body);
                    }
                }
            }
        }
    }
}

/// A console's bytes; what an error would show has a limit.
pub fn console(data: &[u8]) {
    let mut console = Console::default();
    for chunk in data.chunks(7) {
        console.feed(chunk);
    }
    assert!(console.tail().len() < 1 << 17);
    assert!(!console.tail().contains('\u{1b}'));
    let _ = (console.reason(), console.is_hopeless());
}

/// A program as the model looks at it.
pub fn elf(data: &[u8]) {
    let image = Image::of(data);
    if let Some(elf) = image.elf {
        let _ = (elf.is_program(), elf.is_ours(), elf.is_narrow());
    }
}

/// A kernel image that a user names.
pub fn kernel(data: &[u8]) {
    if let Ok(release) = payload::release(data) {
        assert!(trail::is_release(&release));
    }
    let vmlinux = payload::vmlinux(data);
    let vmlinux = vmlinux.as_deref().unwrap_or(data);
    if payload::check_machine(vmlinux).is_ok() {
        let _ = payload::banner_release(vmlinux);
    }
    let _ = payload::config(vmlinux);
}

/// A lock: every word of it is fit for a path or a URI.
pub fn lock(data: &[u8]) {
    if let Ok(lock) = Lock::parse(text(data), "x.lock") {
        for pinned in lock.packages {
            assert!(Below::parse(&pinned.path).is_ok());
            assert!(!pinned.name.contains(['/', '\n', ' ']));
        }
    }
}

/// A kernel module, compressed or not.
pub fn module(data: &[u8]) {
    let _ = read_module(data.to_vec());
}

/// A Debian package of a kernel.
pub fn package(data: &[u8]) {
    let _ = KernelPackage::read(data, &["binfmt_misc".to_owned()]);
}

/// A kept record: it is written as it was read, and shown in every form.
pub fn record(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(data) else {
        return;
    };
    let written = serde_json::to_string(&record).expect("a record is plain data");
    let again: Record = serde_json::from_str(&written).expect("it is read as it was written");
    assert_eq!(serde_json::to_string(&again).expect("plain data"), written);
    for form in FormatName::value_variants() {
        let mut out = Vec::new();
        let mut format = form.make(Colour::No, Some(Show::All), &[]);
        format.record(&record, &mut out).expect("memory is written");
        let records = std::slice::from_ref(&record);
        format
            .end(&rows(records), &Said::default(), &mut out)
            .expect("memory is written");
        let shown = String::from_utf8(out).expect("text");
        let hidden = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(hidden), "{form:?}: {shown:?}");
    }
}

/// What a monitor saw, named.
pub fn run(data: &[u8]) {
    let json = serde_json::from_slice(data).map(foreign);
    if let Ok(run) = json.and_then(serde_json::from_value::<Run>) {
        let _ = normalise(&run).to_string();
    }
}

/// A snapshot file.
pub fn snapshot(data: &[u8]) {
    if let Ok(text) = read_snapshot(text(data), "x.snap", TRAIL) {
        steps(text.as_bytes());
    }
}

/// The text of the view `stages`.
pub fn story(data: &[u8]) {
    let Ok(story) = stages::parse(text(data)) else {
        return;
    };
    let written = stages::text(&story.trail, &story.inside);
    if let Ok(again) = stages::parse(&written) {
        assert_eq!(stages::text(&again.trail, &again.inside), written);
    }
    let _ = stages::explain(&story);
}

/// A part of IMA's list of measurements: an entry is an event, and each stands for as many bytes as its lengths say.
pub fn ima(data: &[u8]) {
    let content = |path: &[u8]| path.ends_with(b"s").then(|| "sha256:1f".to_owned());
    if let Ok(events) = event::measured(&two(), data, &content) {
        // The register, the digest, four lengths and the name of the template.
        assert!(events.len() * (4 + 20 + 4 * 4 + "ima-ng".len()) <= data.len());
        is_written(events);
    }
}

/// The tables of kernels and of the fixture.
pub fn table(data: &[u8]) {
    if let Ok(table) = Table::parse(text(data), "kernels.toml") {
        let lineage = table.lineage();
        assert_eq!(lineage.parents_first().len(), table.kernels.len());
    }
    let _ = FixtureTable::parse(text(data), "fixture.toml");
}

/// Formats of events, parted by lines of `--`, up to the first zero byte; then pages of the kernel's trace.
pub fn trace(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0);
    let (head, pages) = data.split_at(end.unwrap_or(data.len()));
    let formats = text(head).split("--\n").filter_map(Format::parse);
    let formats: Formats = formats.map(|format| (format.id, format)).collect();
    let mut functions = Functions::default();
    for (address, name) in [(0x1000, "do_open_execat"), (0x2000, "begin_new_exec")] {
        functions.add(address, name);
    }
    let pages = pages.get(1..).unwrap_or_default().chunks(4096);
    if let Ok(lines) = lines(pages, &formats, &functions) {
        let _ = stages::arrange(&two(), &lines);
        is_told(event::events(&lines).unwrap_or_default());
    }
}

/// The text of a trail: what is understood is written as it was understood.
pub fn steps(data: &[u8]) {
    if let Ok(trail) = trail::parse(text(data)) {
        is_whole(&trail);
    }
}

fn is_whole(trail: &Trail) {
    let again = trail::parse(&trail.to_string());
    assert_eq!(again.as_ref(), Ok(trail), "{trail}");
}
