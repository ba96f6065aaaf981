//! One scenario: where it changes and why, and its picture.

use std::collections::BTreeSet;

use serde::Serialize;

use super::docs::{Paragraph, anchor, causes, family, paragraphs};
use super::further::{Further, further};
use super::merge::Who;
use super::model::{Chapter, Column};
use super::picture::{Picture, picture};
use super::remark::{Remark, remarks};
use super::strand::{Part, parts};
use crate::diff::{Comparison, Side};
use crate::trail::{Outcome, Trail};
use crate::view::{Record, TRAIL};

/// One scenario.
#[derive(Debug, Serialize)]
pub struct Section {
    name: String,
    /// Its name, with places to break.
    family: String,
    short: String,
    anchor: String,
    summary: String,
    /// Why it changes; none where it does not.
    cause: Vec<Paragraph>,
    /// The rest of its documentation.
    docs: Vec<Paragraph>,
    cells: Vec<Option<Cell>>,
    /// In words for whom it is the same; none where it changes.
    alike: Option<String>,
    /// The kernels at which it changes.
    history: Vec<Event>,
    /// Views beside the trail, with the kernels at which they change.
    others: Vec<Other>,
    /// Findings that are not as the baseline says, or gave no trail.
    remarks: Vec<Remark>,
    /// The variant that each kernel shows, for the script.
    variants: String,
    picture: Picture,
    /// What the further views say that have no marks in the picture.
    further: Vec<Further>,
}

/// One scenario on one kernel.
#[derive(Debug, Serialize)]
struct Cell {
    kernel: String,
    /// Letter of the trail; none without one.
    letter: Option<String>,
    /// Its number among the colours of the style sheet.
    colour: usize,
    outcome: Outcome,
    /// The kernel before, where the trail is another than there.
    against: Option<String>,
}

/// A kernel at which the trail changes.
#[derive(Debug, Serialize)]
struct Event {
    kernel: String,
    words: Vec<String>,
}

/// A view with the kernels at which it changes.
#[derive(Debug, Serialize)]
struct Other {
    view: &'static str,
    kernels: Vec<String>,
}

impl Section {
    /// Whether somebody has to look at it.
    pub fn calls(&self) -> bool {
        self.remarks.iter().any(Remark::calls)
    }

    /// Whether the trail changes between two kernels.
    pub fn changes(&self) -> bool {
        !self.history.is_empty()
    }
}

/// Makes the section of a chapter; `known` are the scenarios of the page.
pub fn section(
    chapter: &Chapter,
    records: &[&Record],
    kernels: &[Column],
    known: &[&str],
) -> Section {
    let ordered: Vec<Option<&Record>> = kernels
        .iter()
        .map(|column| {
            let mut own = records.iter().copied();
            own.find(|record| record.kernel.label() == column.id)
        })
        .collect();
    let present: Vec<&Record> = ordered.iter().flatten().copied().collect();
    let (cells, history) = trails(chapter, &ordered);
    let (variants, picture) = pictures(&present);
    let mut docs = paragraphs(&chapter.docs, known);
    let cause = match history.is_empty() {
        true => Vec::new(),
        false => paragraphs(&causes(&chapter.docs), known),
    };
    docs.retain(|paragraph| !cause.contains(paragraph));
    let (family, own) = family(&chapter.name);
    Section {
        alike: history.is_empty().then(|| alike(&ordered)),
        family: family.to_owned(),
        short: short(own),
        anchor: anchor(&chapter.name),
        summary: chapter.summary.clone(),
        docs,
        cause,
        cells,
        history,
        others: others(&present),
        remarks: remarks(chapter, records),
        variants,
        picture,
        further: further(&present),
        name: chapter.name.clone(),
    }
}

/// "on all 11 kernels", "on 9 of 11 kernels".
fn alike(ordered: &[Option<&Record>]) -> String {
    let trails = ordered.iter().flatten().filter(|one| one.trail().is_some());
    match (trails.count(), ordered.len()) {
        (1, 1) => "on one kernel".to_owned(),
        (count, all) if count == all => format!("on all {all} kernels"),
        (count, all) => format!("on {count} of {all} kernels"),
    }
}

/// The cells of the table, and the kernels at which the trail changes.
fn trails(chapter: &Chapter, ordered: &[Option<&Record>]) -> (Vec<Option<Cell>>, Vec<Event>) {
    let mut known: Vec<String> = Vec::new();
    let (mut cells, mut history) = (Vec::new(), Vec::new());
    let mut last: Option<(usize, &Record, &Trail)> = None;
    for record in ordered {
        let Some(record) = record else {
            cells.push(None);
            continue;
        };
        let number = record
            .trail()
            .map(|trail| number(&mut known, trail.to_string()));
        let mut against = None;
        if let (Some(number), Some(trail)) = (number, record.trail()) {
            if let Some((old, before, old_trail)) = last
                && old != number
            {
                let side = |record: &Record| Side::of(record.kernel.label());
                let comparison = Comparison::new(
                    &chapter.name,
                    (side(before), old_trail),
                    (side(record), trail),
                );
                against = Some(before.kernel.label().to_owned());
                history.push(Event {
                    kernel: record.kernel.label().to_owned(),
                    words: words(&comparison),
                });
            }
            last = Some((number, record, trail));
        }
        cells.push(Some(Cell {
            kernel: record.kernel.label().to_owned(),
            letter: number.map(letter),
            colour: number.unwrap_or_default() % 6,
            outcome: record.outcome(),
            against,
        }));
    }
    (cells, history)
}

/// The words of a comparison; what is the same several times is told once.
fn words(comparison: &Comparison) -> Vec<String> {
    // The words without their case, the cases, and how often they are said.
    let mut told: Vec<(&str, BTreeSet<&str>, usize)> = Vec::new();
    for (change, words) in comparison.changes.iter().zip(&comparison.words) {
        let case = change.case.as_deref();
        let own = case.and_then(|case| words.strip_prefix(&format!("case {case}: ")));
        let own = own.unwrap_or(words);
        let same = |(known, cases, _): &&mut (&str, BTreeSet<&str>, usize)| {
            *known == own && cases.is_empty() == case.is_none()
        };
        match told.iter_mut().find(same) {
            Some((_, cases, count)) => {
                cases.extend(case);
                *count += 1;
            }
            None => told.push((own, case.into_iter().collect(), 1)),
        }
    }
    let told = told.into_iter().map(|(words, cases, count)| {
        let one = cases.first().filter(|_| cases.len() == 1);
        match (one, cases.len(), count) {
            (Some(case), ..) => format!("case {case}: {words}"),
            (None, 0, 1) => words.to_owned(),
            (None, 0, count) => format!("{words} ({count} times)"),
            (None, cases, _) => format!("in {cases} cases: {words}"),
        }
    });
    told.collect()
}

/// Where a text stands among those that are known, to which it is added if it is new.
fn number(known: &mut Vec<String>, text: String) -> usize {
    let place = known.iter().position(|one| *one == text);
    place.unwrap_or_else(|| {
        known.push(text);
        known.len() - 1
    })
}

/// `a`, `b`, ... as in the table of a run; numbers when letters run out.
fn letter(number: usize) -> String {
    match u8::try_from(number) {
        Ok(number) if number < 26 => char::from(b'a' + number).to_string(),
        _ => (number + 1).to_string(),
    }
}

/// The picture, and which variant of it each kernel has.
fn pictures(records: &[&Record]) -> (String, Picture) {
    let mut known: Vec<String> = Vec::new();
    let mut variants: Vec<Vec<Part>> = Vec::new();
    let mut kernels: Vec<(&str, usize)> = Vec::new();
    for record in records {
        let Some(trail) = record.trail() else {
            continue;
        };
        let parts = parts(trail, &record.seen);
        let number = number(&mut known, format!("{parts:?}"));
        if number == variants.len() {
            variants.push(parts);
        }
        kernels.push((record.kernel.label(), number));
    }
    let list = kernels
        .iter()
        .map(|(kernel, number)| format!("{kernel}:{number}"));
    let list = list.collect::<Vec<_>>().join(" ");
    (list, picture(&variants, &|who| spans(&kernels, who)))
}

/// The kernels of some variants: "5.10, 6.12 to 7.0".
fn spans(kernels: &[(&str, usize)], who: &Who) -> String {
    let runs = kernels.chunk_by(|a, b| who.contains(&a.1) == who.contains(&b.1));
    let own = runs.filter(|run| run.iter().all(|(_, variant)| who.contains(variant)));
    let spans = own.filter_map(|run| match run {
        [] => None,
        [(one, _)] => Some((*one).to_owned()),
        [(first, _), (second, _)] => Some(format!("{first}, {second}")),
        [(first, _), .., (last, _)] => Some(format!("{first} to {last}")),
    });
    spans.collect::<Vec<_>>().join(", ")
}

/// The views beside the trail, with the kernels at which they change.
fn others(records: &[&Record]) -> Vec<Other> {
    let mut all: Vec<(Other, Option<String>)> = Vec::new();
    for record in records {
        for seen in record.seen.iter().filter(|seen| seen.view != TRAIL) {
            let Some(text) = seen.text() else { continue };
            let view = seen.view.as_str();
            match all.iter_mut().find(|(other, _)| other.view == view) {
                Some((other, before)) => {
                    if before.as_ref() != Some(&text) {
                        other.kernels.push(record.kernel.label().to_owned());
                        *before = Some(text);
                    }
                }
                None => {
                    let kernels = Vec::new();
                    all.push((Other { view, kernels }, Some(text)));
                }
            }
        }
    }
    let changing = all.into_iter().map(|(other, _)| other);
    changing.filter(|other| !other.kernels.is_empty()).collect()
}

/// A name with a place to break after each underscore (U+200B).
fn short(own: &str) -> String {
    own.replace('_', "_\u{200b}")
}

#[cfg(test)]
mod tests {
    use super::super::model::Page;
    use super::super::tests::{chapter, record};
    use super::*;

    fn of(records: &[Record]) -> Section {
        let kernels = Page::new(records, &[chapter()], "").kernels;
        section(
            &chapter(),
            &records.iter().collect::<Vec<_>>(),
            &kernels,
            &[],
        )
    }

    #[test]
    fn a_change_is_an_event_of_the_kernel_that_brought_it() {
        let section = of(&[record("6.1", "a"), record("6.12", "b"), record("7.0", "b")]);
        let [event] = section.history.as_slice() else {
            panic!("one event")
        };
        assert_eq!(event.kernel, "6.12");
        assert_eq!(event.words, ["comm in all steps: a -> b"]);
    }

    #[test]
    fn what_several_cases_share_is_told_once() {
        let trail = |ends: [&str; 2]| {
            let case = |name: &str, end: &str| {
                format!("case {name}\n\nstart p1 by launcher: execve /a\nend p1: {end}\n\n")
            };
            crate::trail::parse(&(case("one", ends[0]) + &case("two", ends[1]))).unwrap()
        };
        let side = || Side::of("");
        let old = trail(["exit 0", "exit 0"]);
        let of = |new: Trail| words(&Comparison::new("", (side(), &old), (side(), &new)));
        assert_eq!(
            of(trail(["exit 1", "exit 1"])),
            ["in 2 cases: ends otherwise: exit 0 -> exit 1"]
        );
        assert_eq!(
            of(trail(["exit 0", "exit 1"])),
            ["case two: ends otherwise: exit 0 -> exit 1"]
        );
    }

    #[test]
    fn equal_trails_are_one_variant() {
        let section = of(&[record("6.1", "a"), record("6.12", "b"), record("7.0", "a")]);
        assert_eq!(section.variants, "6.1:0 6.12:1 7.0:0");
    }

    #[test]
    fn what_is_the_same_says_on_how_many_kernels() {
        let section = of(&[record("6.1", "a"), record("6.12", "a")]);
        assert_eq!(section.alike.as_deref(), Some("on all 2 kernels"));
    }

    #[test]
    fn a_name_in_the_table_is_short_and_may_break() {
        assert_eq!(short("script_deepest"), "script_\u{200b}deepest");
    }

    #[test]
    fn neighbours_are_a_span() {
        let kernels = [("5.10", 0), ("6.1", 1), ("6.12", 0), ("7.0", 0), ("7.3", 0)];
        assert_eq!(spans(&kernels, &Who::from([0])), "5.10, 6.12 to 7.3");
    }
}
