//! What the page shows, in the order in which it shows it.

use serde::Serialize;

use super::super::summary;
use super::further::{Further, further};
use super::picture::{Palette, Picture};
use crate::diff::{Comparison, Side};
use crate::trail::{KernelId, Lab, Outcome, Trail};
use crate::view::{Body, Name, Record, Row, Seen, TRAIL, rows};

/// What is known of a scenario besides its findings.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// `family/name`.
    pub name: String,
    /// One line.
    pub summary: String,
    /// Its documentation, as markdown-like text.
    pub docs: String,
    /// What is accepted, where a record differs from it.
    pub accepted: Vec<Accepted>,
}

/// What a snapshot says of one view of a scenario.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The kernel that differs.
    pub kernel: String,
    /// The kernel that has the snapshot.
    pub owner: KernelId,
    /// The view and what is accepted.
    pub body: (Name, Body),
}

/// The whole page.
#[derive(Debug, Serialize)]
pub struct Page {
    source: String,
    summary: String,
    kernels: Vec<Column>,
    families: Vec<Family>,
}

/// A kernel.
#[derive(Debug, Serialize)]
struct Column {
    id: String,
    release: String,
}

/// Scenarios of one directory.
#[derive(Debug, Serialize)]
struct Family {
    name: String,
    sections: Vec<Section>,
}

/// One scenario.
#[derive(Debug, Serialize)]
struct Section {
    name: String,
    /// Its name within the family, which may break after each word.
    short: String,
    anchor: String,
    summary: String,
    docs: Vec<Paragraph>,
    cells: Vec<Option<Cell>>,
    behaviours: Vec<Behaviour>,
    /// What the further views say.
    further: Vec<Further>,
    /// Every pair of behaviours, with what differs.
    pairs: Vec<Pair>,
    history: Vec<Event>,
    /// Findings that are not as the baseline says, or gave no trail.
    remarks: Vec<Remark>,
}

/// A piece of documentation.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Paragraph {
    /// Runs of text; every second one is code.
    runs: Vec<String>,
}

/// One scenario on one kernel.
#[derive(Debug, Serialize)]
struct Cell {
    kernel: String,
    /// Letter of the behaviour; none without a trail.
    letter: Option<String>,
    outcome: Outcome,
    /// Whether the behaviour is another than on the kernel before.
    turns: bool,
}

/// One trail and the kernels that show it.
#[derive(Debug, Serialize)]
struct Behaviour {
    letter: String,
    kernels: Vec<String>,
    picture: Picture,
    text: String,
}

/// What differs between two behaviours.
#[derive(Debug, Serialize)]
struct Pair {
    from: String,
    to: String,
    words: Vec<String>,
    diff: String,
}

/// A kernel at which the behaviour changed.
#[derive(Debug, Serialize)]
struct Event {
    kernel: String,
    before: String,
    letter: String,
    words: Vec<String>,
}

/// What is to be said of one finding.
#[derive(Debug, Serialize)]
struct Remark {
    kernel: String,
    outcome: Outcome,
    reason: Option<String>,
    words: Vec<String>,
    diff: String,
}

impl Page {
    /// Orders the records; they come by scenario, then by kernel.
    pub fn new(records: &[Record], chapters: &[Chapter], source: &str) -> Page {
        let mut ids: Vec<((bool, Option<KernelId>), Column)> = Vec::new();
        for record in records {
            let kernel = &record.kernel;
            if !ids.iter().any(|(_, column)| column.id == kernel.label()) {
                let column = Column {
                    id: kernel.label().to_owned(),
                    release: kernel.release.clone(),
                };
                // The running kernel stands last, whatever its series.
                ids.push(((kernel.lab == Lab::Native, kernel.id.parse().ok()), column));
            }
        }
        ids.sort_by(|(a, _), (b, _)| a.cmp(b));
        let kernels: Vec<_> = ids.into_iter().map(|(_, column)| column).collect();
        let mut families: Vec<Family> = Vec::new();
        for chapter in chapters {
            let own: Vec<_> = records
                .iter()
                .filter(|record| record.scenario == chapter.name)
                .collect();
            if own.is_empty() {
                continue;
            }
            let section = section(chapter, &own, &kernels);
            let name = chapter.name.split('/').next().unwrap_or_default();
            match families.iter_mut().find(|family| family.name == name) {
                Some(family) => family.sections.push(section),
                None => families.push(Family {
                    name: name.to_owned(),
                    sections: vec![section],
                }),
            }
        }
        Page {
            source: source.to_owned(),
            summary: summary(&rows(records)),
            kernels,
            families,
        }
    }
}

/// A distinct trail with the kernels that showed it.
struct Distinct<'a> {
    trail: &'a Trail,
    /// What the views of the first of these kernels saw.
    seen: &'a [Seen],
    text: String,
    kernels: Vec<String>,
}

fn section(chapter: &Chapter, records: &[&Record], kernels: &[Column]) -> Section {
    let mut seen: Vec<Distinct<'_>> = Vec::new();
    let mut cells = Vec::new();
    let mut history = Vec::new();
    let mut last: Option<(usize, &str)> = None;
    for column in kernels {
        let record = records
            .iter()
            .find(|record| record.kernel.label() == column.id);
        let Some(record) = record else {
            cells.push(None);
            continue;
        };
        let number = behaviour(&mut seen, record);
        let before = last;
        if let Some(number) = number {
            last = Some((number, &column.id));
        }
        let turns = matches!((before, number), (Some((old, _)), Some(new)) if old != new);
        if let (true, Some((old, kernel)), Some(new)) = (turns, before, number) {
            history.push(Event {
                kernel: column.id.clone(),
                before: kernel.to_owned(),
                letter: letter(new),
                words: between(chapter, &seen, old, new).words,
            });
        }
        cells.push(Some(Cell {
            kernel: column.id.clone(),
            letter: number.map(letter),
            outcome: record.outcome(),
            turns,
        }));
    }
    let mut palette = Palette::default();
    let pairs = (0..seen.len()).flat_map(|from| {
        let seen = &seen;
        (0..seen.len())
            .filter(move |to| *to != from)
            .map(move |to| between(chapter, seen, from, to))
    });
    Section {
        pairs: pairs.collect(),
        further: further(records),
        name: chapter.name.clone(),
        short: short(&chapter.name),
        anchor: chapter.name.replace('/', "-"),
        summary: chapter.summary.clone(),
        docs: paragraphs(&chapter.docs),
        cells,
        history,
        remarks: remarks(chapter, records),
        behaviours: seen
            .into_iter()
            .enumerate()
            .map(|(number, seen)| Behaviour {
                letter: letter(number),
                picture: Picture::new(seen.trail, seen.seen, &mut palette),
                kernels: seen.kernels,
                text: seen.text,
            })
            .collect(),
    }
}

/// The name within the family, with a place to break after each underscore (U+200B).
fn short(name: &str) -> String {
    let own = name.rsplit('/').next().unwrap_or(name);
    own.replace('_', "_\u{200b}")
}

/// The number of a record's behaviour; none when it has no trail.
fn behaviour<'a>(seen: &mut Vec<Distinct<'a>>, record: &'a Record) -> Option<usize> {
    let trail = record.trail()?;
    let text = trail.to_string();
    let kernel = record.kernel.label().to_owned();
    let known = seen.iter().position(|known| known.text == text);
    let number = known.unwrap_or_else(|| {
        seen.push(Distinct {
            trail,
            seen: &record.seen,
            text,
            kernels: Vec::new(),
        });
        seen.len() - 1
    });
    seen[number].kernels.push(kernel);
    Some(number)
}

/// `a`, `b`, ... as in the table of a run; numbers when letters run out.
fn letter(number: usize) -> String {
    match u8::try_from(number) {
        Ok(number) if number < 26 => char::from(b'a' + number).to_string(),
        _ => (number + 1).to_string(),
    }
}

fn between(chapter: &Chapter, seen: &[Distinct<'_>], from: usize, to: usize) -> Pair {
    let side = |number: usize| Side {
        kernel: letter(number),
        source: seen[number].kernels.join(" "),
    };
    let comparison = Comparison::new(
        &chapter.name,
        (side(from), seen[from].trail),
        (side(to), seen[to].trail),
    );
    Pair {
        from: letter(from),
        to: letter(to),
        words: comparison.words,
        diff: comparison.diff,
    }
}

/// What is to be said of the views that are not as accepted.
fn remarks(chapter: &Chapter, records: &[&Record]) -> Vec<Remark> {
    let rows = records.iter().flat_map(|record| {
        let seen = record.seen.iter();
        seen.map(|seen| Row { record, seen })
    });
    let rows = rows.filter(|row| row.seen.outcome != Outcome::Same);
    rows.map(|row| remark(chapter, &row)).collect()
}

fn remark(chapter: &Chapter, row: &Row<'_>) -> Remark {
    let (record, seen) = (row.record, row.seen);
    let kernel = record.kernel.label();
    let accepted = chapter
        .accepted
        .iter()
        .find(|accepted| accepted.kernel == kernel && accepted.body.0 == seen.view);
    let comparison = accepted
        .zip(seen.body.as_ref())
        .and_then(|(accepted, body)| {
            let old = Side {
                kernel: kernel.to_owned(),
                source: format!("snapshot of {}", accepted.owner),
            };
            let new = Side {
                kernel: kernel.to_owned(),
                source: format!("seen on {}", record.kernel.release),
            };
            let view = seen.view.view()?;
            Some(view.compare(&chapter.name, (old, &accepted.body.1), (new, body)))
        });
    let (words, diff) = comparison.map_or_else(Default::default, |c| (c.words, c.diff));
    Remark {
        kernel: match seen.view == TRAIL {
            true => kernel.to_owned(),
            false => format!("{kernel}, {}", seen.view),
        },
        outcome: seen.outcome,
        reason: seen.reason.clone(),
        words,
        diff,
    }
}

/// Documentation in paragraphs, with what stands between backticks as code.
fn paragraphs(docs: &str) -> Vec<Paragraph> {
    let blocks = docs.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| Paragraph {
            runs: block.split('`').map(str::to_owned).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::View as _;
    use crate::view::tests;
    use crate::view::trail::Steps;

    fn record(kernel: &str, comm: &str) -> Record {
        let text = format!(
            "start p1 by launcher: execve /a\nperm=open    pid=p1 ppid=launcher exe=/a \
             comm={comm} : path=/c\n"
        );
        let mut record = tests::record("start/a", kernel, Outcome::Same);
        record.seen[0].body = Steps::parse(&text).ok().map(Body::new::<Steps>);
        record
    }

    fn page(records: &[Record]) -> Page {
        let chapter = Chapter {
            name: "start/a".into(),
            summary: "a <b>".into(),
            docs: "One `two` three.\n\nFour.".into(),
            accepted: Vec::new(),
        };
        Page::new(records, &[chapter], "test")
    }

    #[test]
    fn kernels_stand_in_the_order_of_releases() {
        let page = page(&[record("6.12", "a"), record("6.1", "a")]);
        let ids: Vec<_> = page
            .kernels
            .iter()
            .map(|column| column.id.as_str())
            .collect();
        assert_eq!(ids, ["6.1", "6.12"]);
    }

    #[test]
    fn a_change_is_an_event_of_the_kernel_that_brought_it() {
        let page = page(&[record("6.1", "a"), record("6.12", "b"), record("7.0", "b")]);
        let section = &page.families[0].sections[0];
        assert_eq!(section.history.len(), 1);
        assert_eq!(section.history[0].kernel, "6.12");
        assert_eq!(section.history[0].words, ["comm in all steps: a -> b"]);
    }

    #[test]
    fn equal_trails_are_one_behaviour() {
        let page = page(&[record("6.1", "a"), record("6.12", "b"), record("7.0", "a")]);
        let behaviours = &page.families[0].sections[0].behaviours;
        assert_eq!(behaviours[0].kernels, ["6.1", "7.0"]);
    }

    #[test]
    fn a_name_in_the_table_is_short_and_may_break() {
        assert_eq!(short("start/script_deepest"), "script_\u{200b}deepest");
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        assert_eq!(paragraphs("a `b` c")[0].runs, ["a ", "b", " c"]);
    }

    #[test]
    fn text_from_outside_is_escaped_in_the_page() {
        let chapter = Chapter {
            name: "start/a".into(),
            summary: "<script>alert(1)</script>".into(),
            docs: String::new(),
            accepted: Vec::new(),
        };
        let html = super::super::page(&[record("6.1", "a")], &[chapter], "test").unwrap();
        assert!(!html.contains("<script>alert"));
    }
}
