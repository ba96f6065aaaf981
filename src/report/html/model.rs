//! What the page shows, in the order in which it shows it.

use serde::Serialize;

use super::super::{Finding, summary};
use super::picture::{Palette, Picture};
use super::ticks::{Order, orders};
use crate::diff::{Comparison, Side};
use crate::trail::{Inside, KernelId, Lab, Outcome, Trail};

/// What is known of a scenario besides its findings.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// `family/name`.
    pub name: String,
    /// One line.
    pub summary: String,
    /// Its documentation, as markdown-like text.
    pub docs: String,
    /// The accepted trails that findings differ from, by kernel, with the snapshot's owner.
    pub accepted: Vec<(String, KernelId, Trail)>,
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

/// Scenarios of one folder.
#[derive(Debug, Serialize)]
struct Family {
    name: String,
    sections: Vec<Section>,
}

/// One scenario.
#[derive(Debug, Serialize)]
struct Section {
    name: String,
    anchor: String,
    summary: String,
    docs: Vec<Paragraph>,
    cells: Vec<Option<Cell>>,
    behaviours: Vec<Behaviour>,
    /// The orders of stages, where they are known.
    orders: Vec<Order>,
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
    /// Orders the findings; they come by scenario, then by kernel.
    pub fn new(findings: &[Finding], chapters: &[Chapter], source: &str) -> Page {
        let mut ids: Vec<((bool, Option<KernelId>), Column)> = Vec::new();
        for finding in findings {
            let kernel = &finding.record.kernel;
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
            let own: Vec<_> = findings
                .iter()
                .filter(|finding| finding.record.scenario == chapter.name)
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
            summary: summary(findings),
            kernels,
            families,
        }
    }
}

/// A distinct trail with the kernels that showed it.
struct Seen<'a> {
    trail: &'a Trail,
    /// The stages of the first of these kernels.
    inside: &'a Inside,
    text: String,
    kernels: Vec<String>,
}

fn section(chapter: &Chapter, findings: &[&Finding], kernels: &[Column]) -> Section {
    let mut seen: Vec<Seen<'_>> = Vec::new();
    let mut cells = Vec::new();
    let mut history = Vec::new();
    let mut last: Option<(usize, &str)> = None;
    for column in kernels {
        let finding = findings
            .iter()
            .find(|finding| finding.record.kernel.label() == column.id);
        let Some(finding) = finding else {
            cells.push(None);
            continue;
        };
        let number = behaviour(&mut seen, finding);
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
            outcome: finding.record.outcome,
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
        orders: orders(findings),
        name: chapter.name.clone(),
        anchor: chapter.name.replace('/', "-"),
        summary: chapter.summary.clone(),
        docs: paragraphs(&chapter.docs),
        cells,
        history,
        remarks: findings.iter().filter_map(|f| remark(chapter, f)).collect(),
        behaviours: seen
            .into_iter()
            .enumerate()
            .map(|(number, seen)| Behaviour {
                letter: letter(number),
                picture: Picture::new(seen.trail, seen.inside, &mut palette),
                kernels: seen.kernels,
                text: seen.text,
            })
            .collect(),
    }
}

/// The number of a finding's behaviour; none when it gave no trail.
fn behaviour<'a>(seen: &mut Vec<Seen<'a>>, finding: &'a Finding) -> Option<usize> {
    let trail = &finding.record.trail;
    if *trail == Trail::default() {
        return None;
    }
    let text = trail.to_string();
    let kernel = finding.record.kernel.label().to_owned();
    let known = seen.iter().position(|known| known.text == text);
    let number = known.unwrap_or_else(|| {
        seen.push(Seen {
            trail,
            inside: &finding.record.inside,
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

fn between(chapter: &Chapter, seen: &[Seen<'_>], from: usize, to: usize) -> Pair {
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

fn remark(chapter: &Chapter, finding: &Finding) -> Option<Remark> {
    let record = &finding.record;
    if record.outcome == Outcome::Same {
        return None;
    }
    let accepted = chapter
        .accepted
        .iter()
        .find(|(kernel, _, _)| kernel == record.kernel.label());
    let comparison = accepted
        .filter(|_| finding.judged.is_some())
        .map(|(kernel, owner, trail)| {
            let old = Side {
                kernel: kernel.clone(),
                source: format!("snapshot of {owner}"),
            };
            let new = Side {
                kernel: kernel.clone(),
                source: format!("seen on {}", record.kernel.release),
            };
            Comparison::new(&chapter.name, (old, trail), (new, &record.trail))
        });
    let (words, diff) = comparison.map_or_else(Default::default, |c| (c.words, c.diff));
    Some(Remark {
        kernel: record.kernel.label().to_owned(),
        outcome: record.outcome,
        reason: record.reason.clone(),
        words,
        diff,
    })
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
    use crate::baseline::View;
    use crate::trail::{KernelInfo, Record, SCHEMA, parse};

    fn finding(kernel: &str, comm: &str) -> Finding {
        let text = format!(
            "start p1 by launcher: execve /a\nperm=open    pid=p1 ppid=launcher exe=/a \
             comm={comm} : path=/c\n"
        );
        Finding {
            record: Record {
                schema: SCHEMA,
                scenario: "start/a".into(),
                kernel: KernelInfo {
                    id: kernel.into(),
                    release: format!("{kernel}.1"),
                    lab: Lab::Vm,
                },
                outcome: Outcome::Same,
                reason: None,
                trail: parse(&text).unwrap(),
                model: None,
                inside: Inside::default(),
            },
            judged: None,
            stages: None,
            view: View::Trail,
        }
    }

    fn page(findings: &[Finding]) -> Page {
        let chapter = Chapter {
            name: "start/a".into(),
            summary: "a <b>".into(),
            docs: "One `two` three.\n\nFour.".into(),
            accepted: Vec::new(),
        };
        Page::new(findings, &[chapter], "test")
    }

    #[test]
    fn kernels_stand_in_the_order_of_releases() {
        let page = page(&[finding("6.12", "a"), finding("6.1", "a")]);
        let ids: Vec<_> = page
            .kernels
            .iter()
            .map(|column| column.id.as_str())
            .collect();
        assert_eq!(ids, ["6.1", "6.12"]);
    }

    #[test]
    fn a_change_is_an_event_of_the_kernel_that_brought_it() {
        let page = page(&[
            finding("6.1", "a"),
            finding("6.12", "b"),
            finding("7.0", "b"),
        ]);
        let section = &page.families[0].sections[0];
        assert_eq!(section.history.len(), 1);
        assert_eq!(section.history[0].kernel, "6.12");
        assert_eq!(section.history[0].words, ["comm in all steps: a -> b"]);
    }

    #[test]
    fn equal_trails_are_one_behaviour() {
        let page = page(&[
            finding("6.1", "a"),
            finding("6.12", "b"),
            finding("7.0", "a"),
        ]);
        let behaviours = &page.families[0].sections[0].behaviours;
        assert_eq!(behaviours[0].kernels, ["6.1", "7.0"]);
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
        let html = super::super::page(&[finding("6.1", "a")], &[chapter], "test").unwrap();
        assert!(!html.contains("<script>alert"));
    }
}
