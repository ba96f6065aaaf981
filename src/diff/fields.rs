//! What changed in steps that are otherwise the same: identity, parent, mask.

use super::change::{Act, Place, What};
use crate::trail::Step;

type Read = fn(&Step) -> String;

const FIELDS: [(&str, Read); 9] = [
    ("exe", |step| step.exe.clone()),
    ("exe link", |step| {
        let there = if step.exe_link { "there" } else { "missing" };
        there.to_owned()
    }),
    ("comm", |step| step.comm.clone()),
    ("thread", |step| {
        step.thread
            .clone()
            .unwrap_or_else(|| "the leader".to_owned())
    }),
    ("parent", |step| step.parent.clone()),
    ("mask", |step| String::from(step.mask)),
    ("moment", |step| {
        let moment = if step.before { "before" } else { "not before" };
        format!("{moment} the call")
    }),
    ("second look", |step| {
        step.later.clone().unwrap_or_else(|| "none".to_owned())
    }),
    ("refused with", |step| {
        step.denied.clone().unwrap_or_else(|| "nothing".to_owned())
    }),
];

/// Compares the fields of steps that were lined up; `pairs` is in the order of the old steps.
pub fn compare(old: &[&Step], new: &[&Step], pairs: &[(usize, usize)]) -> Vec<What> {
    let phases = phases(old);
    let mut whats = Vec::new();
    for (field, read) in FIELDS {
        if field == "exe"
            && let Some(turns) = turns(old, new)
        {
            whats.extend(turns);
            continue;
        }
        let values: Vec<_> = pairs
            .iter()
            .map(|(from, to)| (read(old[*from]), read(new[*to])))
            .collect();
        let mut start = 0;
        for run in values.chunk_by(|a, b| a == b) {
            let range = start..start + run.len();
            start = range.end;
            let Some((from, to)) = run.first().filter(|(from, to)| from != to) else {
                continue;
            };
            let indices: Vec<_> = pairs[range].iter().map(|(from, _)| *from).collect();
            whats.push(What::Field {
                field,
                place: place(old, &phases, pairs, &indices),
                from: from.clone(),
                to: to.clone(),
            });
        }
    }
    whats
}

/// For each step, how often exe has changed before it.
fn phases(steps: &[&Step]) -> Vec<usize> {
    let mut phase = 0;
    let mut phases = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if index > 0 && steps[index - 1].exe != step.exe {
            phase += 1;
        }
        phases.push(phase);
    }
    phases
}

/// Where exe changes at other steps but to the same programs: the moments that are different.
fn turns(old: &[&Step], new: &[&Step]) -> Option<Vec<What>> {
    let firsts = |steps: &[&Step]| -> Vec<(String, Act)> {
        let runs = steps.chunk_by(|a, b| a.exe == b.exe);
        let firsts = runs.filter_map(|run| run.first());
        firsts
            .map(|step| (step.exe.clone(), Act::from(*step)))
            .collect()
    };
    let (before, after) = (firsts(old), firsts(new));
    let same =
        before.len() == after.len() && before.iter().zip(&after).all(|(old, new)| old.0 == new.0);
    if !same {
        return None;
    }
    let moments = before.into_iter().zip(after).skip(1);
    let turned = moments.filter(|((_, from), (_, to))| {
        // A step that is not in both trails says nothing about the moment.
        let known = |act: &Act, steps: &[&Step]| steps.iter().any(|step| Act::from(*step) == *act);
        from != to && known(from, new) && known(to, old)
    });
    Some(
        turned
            .map(|((exe, from), (_, to))| What::Turned { exe, from, to })
            .collect(),
    )
}

fn place(old: &[&Step], phases: &[usize], pairs: &[(usize, usize)], indices: &[usize]) -> Place {
    let last_phase = phases.last().copied().unwrap_or(0);
    if indices.len() == pairs.len() {
        return Place::Everywhere;
    }
    let own = phases[indices[0]];
    let one_phase = indices.iter().all(|index| phases[*index] == own);
    let of_phase = pairs
        .iter()
        .filter(|(from, _)| phases[*from] == own)
        .count();
    if one_phase && of_phase == indices.len() {
        return match (own, last_phase) {
            (0, 0) => Place::Everywhere,
            (0, _) => Place::BeforeTheExec,
            (_, 1) => Place::AfterTheExec,
            (number, _) => Place::AfterExec(number),
        };
    }
    let first = Act::from(old[indices[0]]);
    match indices {
        [_] => Place::At(first),
        [.., last] => Place::Between(first, Act::from(old[*last])),
        [] => Place::Everywhere,
    }
}
