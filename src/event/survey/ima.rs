//! The claims about IMA.

use super::super::Field;
use super::{Judge, Kernel, by_share, holds_or, right};
use crate::trail::Judgement;

/// The claims with who judges them.
pub(super) const JUDGES: &[(&str, Judge)] = &[
    ("ima/all", all),
    ("ima/path", path),
    ("ima/content", content),
];

const LIST: &str = "IMA, list of measurements";

fn all(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(LIST)?;
    let (count, all) = (cell.missed().count(), cell.executed().count());
    let missed = cell.missed_in();
    let evidence = match count {
        0 => format!("each of {all} execs has one"),
        _ => format!(
            "{count} of {all} execs have none ({}); a file that was executed before has no second one for the same content",
            missed.join(", ")
        ),
    };
    Some((holds_or(count == 0, Judgement::Contradicted), evidence))
}

fn path(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let (found, all) = right(kernel.cell(LIST)?);
    let evidence = format!("the file's own path in {found} of {all} execs that have an entry");
    let verdict = by_share((found, all), Judgement::Contradicted, Judgement::Holds)?;
    Some((verdict, evidence))
}

fn content(kernel: &Kernel<'_>) -> Option<(Judgement, String)> {
    let cell = kernel.cell(LIST)?;
    let digests = cell
        .executed()
        .filter_map(|(_, judged)| judged.event.as_ref()?.get(Field::Digest));
    let digests: Vec<_> = digests.collect();
    let of = |word: &str| digests.iter().filter(|digest| **digest == word).count();
    let (own, all) = (of("own"), digests.len());
    let evidence = format!(
        "of {all} digests {own} are those of the file that has the path afterwards, {} of another content, {} \
         are zeros, and {} files have no such path any more",
        of("another's"),
        of("zeros"),
        of("nobody's")
    );
    let verdict = by_share((own, all), Judgement::Contradicted, Judgement::Holds)?;
    Some((verdict, evidence))
}
