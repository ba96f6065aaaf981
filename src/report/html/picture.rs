//! The trails of a scenario as one picture: what the kernels share stands once, what differs is
//! marked at its place with the kernels that have it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::merge::{Who, having, keys, merge};
use super::strand::{Part, Row, Strand};
use crate::view::Identity;

/// How many colours the style sheet has; further values begin anew.
const COLOURS: usize = 6;

/// The lanes beside the rows: what a process is, and the letter by which the style sheet knows it.
const LANES: [(Identity, &str); 3] = [
    (Identity::Exe, "e"),
    (Identity::Comm, "m"),
    (Identity::Credentials, "k"),
];

/// The picture of a scenario.
#[derive(Debug, Serialize)]
pub struct Picture {
    parts: Vec<Shown>,
}

/// Who has something that not all have.
#[derive(Debug, Serialize)]
struct On {
    /// Numbers of the variants, for the script.
    variants: String,
    /// Their kernels.
    kernels: String,
}

/// One start.
#[derive(Debug, Serialize)]
struct Shown {
    heading: Option<String>,
    on: Option<On>,
    said: Vec<Said>,
    lanes: Vec<Lane>,
}

#[derive(Debug, Serialize)]
struct Said {
    text: String,
    on: Option<On>,
}

/// One process.
#[derive(Debug, Serialize)]
struct Lane {
    process: String,
    on: Option<On>,
    phases: Vec<Phase>,
}

/// The rows under one identity.
#[derive(Debug, Default, Serialize)]
struct Phase {
    bars: Vec<Bar>,
    /// Gradients for the lanes in which the kernels differ.
    style: String,
    items: Vec<Item>,
}

/// One lane beside the rows of a phase.
#[derive(Debug, Serialize)]
struct Bar {
    lane: &'static str,
    /// Its colours, of which there are several where the kernels differ.
    colours: Vec<usize>,
    /// Where they differ: the colour of each variant, for the script.
    each: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Item {
    Start {
        text: String,
        on: Option<On>,
    },
    Turn {
        what: &'static str,
        to: String,
        at: Option<String>,
        colour: Option<usize>,
        on: Option<On>,
    },
    Step {
        step: String,
        directory: String,
        name: String,
        denied: Option<String>,
        more: Vec<String>,
        on: Option<On>,
    },
    Fold(Fold),
    Told {
        field: String,
        value: String,
        on: Option<On>,
    },
    End {
        how: String,
        on: Option<On>,
    },
}

/// Marks between two steps, which a reader opens.
#[derive(Debug, Default, Serialize)]
struct Fold {
    views: Vec<Count>,
    /// Names that are told while it is folded.
    named: Vec<String>,
    /// How many of the marks not all kernels have.
    apart: usize,
    marks: Vec<Inside>,
}

/// How many marks are of one view.
#[derive(Debug, Serialize)]
struct Count {
    view: String,
    count: usize,
}

#[derive(Debug, Serialize)]
struct Inside {
    name: String,
    seen: String,
    on: Option<On>,
}

/// The colours of a scenario's values: the same exe has the same one in all of its processes.
#[derive(Default)]
struct Palettes(BTreeMap<Identity, Vec<Option<String>>>);

impl Palettes {
    fn of(&mut self, identity: Identity, value: &Option<String>) -> usize {
        let known = self.0.entry(identity).or_default();
        // What is not known is another thing each time.
        let place = known.iter().position(|one| one == value && value.is_some());
        place.unwrap_or_else(|| {
            known.push(value.clone());
            known.len() - 1
        }) % COLOURS
    }
}

/// Joins the parts of all variants; `kernels` writes out the kernels of some of them.
pub fn picture(variants: &[Vec<Part>], kernels: &dyn Fn(&Who) -> String) -> Picture {
    let all: Vec<(usize, &[Part])> = variants.iter().map(Vec::as_slice).enumerate().collect();
    let mut drawing = Drawing {
        kernels,
        palettes: Palettes::default(),
    };
    let headings = keys(&all, |part| part.heading.clone());
    let parts = merge(&headings).into_iter().map(|(heading, who)| {
        let own = having(&all, |part| part.heading == heading);
        let said: Vec<_> = own
            .iter()
            .map(|(n, part)| (*n, part.said.clone()))
            .collect();
        let strands: Vec<_> = own
            .iter()
            .map(|(n, part)| (*n, part.strands.as_slice()))
            .collect();
        let said = merge(&said).into_iter().map(|(text, some)| Said {
            text,
            on: drawing.on(&some, &who),
        });
        let said = said.collect();
        Shown {
            on: drawing.on(&who, &(0..variants.len()).collect()),
            heading,
            said,
            lanes: drawing.lanes(&strands, &who),
        }
    });
    Picture {
        parts: parts.collect(),
    }
}

struct Drawing<'a> {
    kernels: &'a dyn Fn(&Who) -> String,
    palettes: Palettes,
}

impl Drawing<'_> {
    /// Who has it, where it is not all of those that could.
    fn on(&self, who: &Who, all: &Who) -> Option<On> {
        let variants: Vec<_> = who.iter().map(ToString::to_string).collect();
        (who != all).then(|| On {
            variants: variants.join(" "),
            kernels: (self.kernels)(who),
        })
    }

    fn lanes(&mut self, all: &[(usize, &[Strand])], who: &Who) -> Vec<Lane> {
        let processes = merge(&keys(all, |strand| strand.process.clone()));
        let mut lanes = Vec::new();
        for (process, own) in processes {
            let strands = having(all, |strand| strand.process == process);
            let rows: Vec<_> = strands
                .iter()
                .map(|(n, strand)| (*n, strand.rows.clone()))
                .collect();
            lanes.push(Lane {
                on: self.on(&own, who),
                process,
                phases: self.phases(merge(&rows), &own),
            });
        }
        lanes
    }

    fn phases(&mut self, rows: Vec<(Row, Who)>, all: &Who) -> Vec<Phase> {
        let mut phases: Vec<Phase> = Vec::new();
        let mut now = State::new();
        for (row, who) in rows {
            let mut colour = None;
            if let Row::Turn { identity, to, .. } = &row {
                let own = self.palettes.of(*identity, to);
                colour = Some(own);
                now.extend(who.iter().map(|variant| ((*identity, *variant), own)));
            }
            // A turn begins a phase, unless it stands beside another one.
            let begun = phases.last().is_some_and(|phase| match colour {
                Some(_) => phase.items.iter().all(Item::is_turn),
                None => true,
            });
            if !begun {
                phases.push(Phase::default());
            }
            let on = self.on(&who, all);
            if let Some(phase) = phases.last_mut() {
                phase.take(row, colour, on);
                phase.bars = bars(&now, all);
                phase.style = phase.bars.iter().filter_map(Bar::gradient).collect();
            }
        }
        phases
    }
}

/// The colour of each identity of each variant, as far as it is known.
type State = BTreeMap<(Identity, usize), usize>;

fn bars(now: &State, all: &Who) -> Vec<Bar> {
    let bar = |(identity, lane): (Identity, &'static str)| {
        let own = all
            .iter()
            .map(|variant| now.get(&(identity, *variant)).copied());
        let own: Vec<_> = own.collect();
        let mut colours: Vec<_> = own.iter().flatten().copied().collect();
        colours.sort_unstable();
        colours.dedup();
        let each = |own: Vec<Option<usize>>| {
            let pairs = all.iter().zip(own);
            let pairs = pairs.filter_map(|(n, colour)| Some(format!("{n}:{}", colour?)));
            pairs.collect::<Vec<_>>().join(" ")
        };
        (!colours.is_empty()).then(|| Bar {
            lane,
            each: (colours.len() > 1).then(|| each(own)),
            colours,
        })
    };
    LANES.into_iter().filter_map(bar).collect()
}

impl Bar {
    /// All of its colours side by side, where there are several.
    fn gradient(&self) -> Option<String> {
        let count = self.colours.len();
        let stop = |(place, colour): (usize, &usize)| {
            let (from, to) = (place * 100 / count, (place + 1) * 100 / count);
            format!(",var(--c{colour}) {from}% {to}%")
        };
        let stops: String = self.colours.iter().enumerate().map(stop).collect();
        let lane = self.lane;
        (count > 1).then(|| format!("--{lane}:linear-gradient(90deg{stops});"))
    }
}

impl Phase {
    fn take(&mut self, row: Row, colour: Option<usize>, on: Option<On>) {
        let item = match row {
            Row::Mark {
                view,
                name,
                seen,
                named,
            } => {
                return self.mark(&view, Inside { name, seen, on }, named);
            }
            Row::Start(text) => Item::Start { text, on },
            Row::Turn { identity, to, at } => Item::Turn {
                what: identity.name(),
                to: to.unwrap_or_else(|| unknown(identity).to_owned()),
                at,
                colour: colour.filter(|_| identity != Identity::Parent),
                on,
            },
            Row::Step {
                step,
                path,
                denied,
                more,
            } => {
                let at = path.rfind('/').map_or(0, |slash| slash + 1);
                Item::Step {
                    step,
                    directory: path[..at].to_owned(),
                    name: path[at..].to_owned(),
                    denied,
                    more,
                    on,
                }
            }
            Row::Told(field, value) => Item::Told { field, value, on },
            Row::End(how) => Item::End { how, on },
        };
        self.items.push(item);
    }

    /// Puts a mark into the fold at the end, or into a new one.
    fn mark(&mut self, view: &str, mark: Inside, named: bool) {
        if let Some(Item::Fold(fold)) = self.items.last_mut() {
            return fold.take(view, mark, named);
        }
        let mut fold = Fold::default();
        fold.take(view, mark, named);
        self.items.push(Item::Fold(fold));
    }
}

impl Fold {
    fn take(&mut self, view: &str, mark: Inside, named: bool) {
        match self.views.iter_mut().find(|known| known.view == view) {
            Some(known) => known.count += 1,
            None => self.views.push(Count {
                view: view.to_owned(),
                count: 1,
            }),
        }
        self.apart += usize::from(mark.on.is_some());
        if named && !self.named.contains(&mark.name) {
            self.named.push(mark.name.clone());
        }
        self.marks.push(mark);
    }
}

impl Item {
    fn is_turn(&self) -> bool {
        matches!(self, Item::Turn { .. } | Item::Start { .. })
    }
}

/// What stands for a value that nothing tells.
fn unknown(identity: Identity) -> &'static str {
    match identity {
        Identity::Exe => "the new program's",
        Identity::Credentials => "those prepared for the new program",
        Identity::Comm | Identity::Parent => "another",
    }
}

#[cfg(test)]
mod tests {
    use super::super::strand::parts;
    use super::*;
    use crate::trail::parse;

    const START: &str = "start p1 by launcher: execve /a\n";

    fn step(comm: &str, path: &str) -> String {
        format!("perm=open    pid=p1 ppid=launcher exe=/x comm={comm} : path={path}\n")
    }

    /// The phases of the first process, of a variant for each list of steps.
    fn phases(variants: &[&[(&str, &str)]]) -> Vec<Phase> {
        let part = |steps: &&[(&str, &str)]| {
            let steps: String = steps.iter().map(|(comm, path)| step(comm, path)).collect();
            parts(&parse(&format!("{START}{steps}")).unwrap(), &[])
        };
        let all: Vec<_> = variants.iter().map(part).collect();
        let kernels = |who: &Who| who.iter().map(|number| format!("k{number}")).collect();
        picture(&all, &kernels)
            .parts
            .remove(0)
            .lanes
            .remove(0)
            .phases
    }

    fn step_of(item: &Item) -> Option<(&str, Option<&str>)> {
        match item {
            Item::Step { name, on, .. } => Some((name, on.as_ref().map(|on| on.kernels.as_str()))),
            _ => None,
        }
    }

    #[test]
    fn a_step_that_one_kernel_has_is_marked_at_its_place() {
        let phases = phases(&[
            &[("x", "/a"), ("x", "/c")],
            &[("x", "/a"), ("x", "/b"), ("x", "/c")],
        ]);
        let steps: Vec<_> = phases[0].items.iter().filter_map(step_of).collect();
        assert_eq!(steps, [("a", None), ("b", Some("k1")), ("c", None)]);
    }

    #[test]
    fn a_phase_ends_where_comm_changes() {
        let phases = phases(&[&[("x", "/a"), ("y", "/c")]]);
        let comm = |phase: &Phase| phase.bars[1].colours.clone();
        assert_eq!(
            (phases.len(), comm(&phases[0]), comm(&phases[1])),
            (2, vec![0], vec![1])
        );
    }

    #[test]
    fn a_lane_has_both_colours_where_kernels_differ() {
        let phases = phases(&[&[("x", "/a"), ("3", "/c")], &[("x", "/a"), ("y", "/c")]]);
        let bar = &phases[1].bars[1];
        assert_eq!(
            (bar.colours.as_slice(), bar.each.as_deref()),
            ([1, 2].as_slice(), Some("0:1 1:2"))
        );
    }
}
