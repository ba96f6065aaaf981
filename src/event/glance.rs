//! The table for somebody who has to choose: a line a sign, for all kernels at once.

use std::fmt::Write as _;

use super::cost::Measured;
use super::judge::Path;
use super::lie::Lie;
use super::sign::Says;
use super::table::{Cell, Row, Table, on};

/// The headings; the first four are what surveys ask of a way to watch.
const HEADINGS: [&str; 7] = [
    "execs heard of",
    "path of the file",
    "on every kernel",
    "container",
    "made to lie about",
    "caught under load",
    "adds to an exec",
];

/// How many of them, at the end, are measured.
const MEASURED: usize = 2;

/// A line a sign, as the part of a page.
#[must_use]
pub fn glance(table: &Table) -> String {
    let measured = Measured::recorded();
    // What was not measured has no columns.
    let mut rows = table.rows.iter();
    let any = rows.any(|row| measured.adds(row.sign) != "-");
    let shown = HEADINGS.len() - if any { 0 } else { MEASURED };
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(page, "| way | {} |", HEADINGS[..shown].join(" | "));
    let _ = writeln!(page, "|---|{}", "---|".repeat(shown));
    for row in &table.rows {
        let _ = writeln!(
            page,
            "| {} | {} |",
            row.title,
            line(row, &table.kernels, &measured)[..shown].join(" | ")
        );
    }
    page
}

fn line(row: &Row, kernels: &[String], measured: &Measured<'_>) -> [String; 7] {
    let works = |cell: &&Cell| !cell.missing && cell.deaf.is_none();
    let cells: Vec<&Cell> = row.cells.iter().flatten().filter(works).collect();
    let heard = |cell: &Cell| {
        let execs = cell.executed();
        share(execs.map(|(_, judged)| judged.is_heard()))
    };
    let right = |cell: &Cell| {
        let paths = cell.paths().map(|(path, _)| path);
        let known = paths.filter(|path| *path != Path::Unknown);
        share(known.map(|path| path == Path::Right))
    };
    let all = |cell: fn(&Cell) -> bool| cells.iter().any(|known| cell(known));
    [
        range(cells.iter().filter_map(|cell| heard(cell))),
        match row.sign.path {
            [] => "-".to_owned(),
            _ => range(cells.iter().filter_map(|cell| right(cell))),
        },
        without(row, kernels),
        match all(|cell| cell.executed().any(|(_, judged)| judged.container)) {
            true => "told",
            false => "-",
        }
        .to_owned(),
        lies(&cells),
        measured.caught(row.sign),
        measured.adds(row.sign),
    ]
}

/// Hundredths, rounded down, so that only all is a hundred; none of nothing.
fn share(of: impl Iterator<Item = bool>) -> Option<usize> {
    let (yes, all) = of.fold((0, 0), |(yes, all), one| (yes + usize::from(one), all + 1));
    (all > 0).then(|| yes * 100 / all)
}

/// The least and the most of them.
fn range(shares: impl Iterator<Item = usize> + Clone) -> String {
    match (shares.clone().min(), shares.max()) {
        (Some(100), _) => "all".to_owned(),
        (Some(0), Some(0)) => "none".to_owned(),
        (Some(least), Some(most)) if least == most => format!("{least} %"),
        (Some(least), Some(most)) => format!("{least} to {most} %"),
        _ => "-".to_owned(),
    }
}

/// The kernels that do not have it.
fn without(row: &Row, kernels: &[String]) -> String {
    let is_missing = |cell: &Cell| cell.missing && cell.deaf.is_none();
    let columns = |lacks: &dyn Fn(Option<&Cell>) -> bool| {
        let cells = row.cells.iter().enumerate();
        let lacking = cells.filter(|(_, cell)| lacks(cell.as_ref()));
        lacking.map(|(column, _)| column).collect::<Vec<_>>()
    };
    // Of a tool that was not tried on a kernel nothing is known there.
    let missing = match row.sign.says {
        Says::Told => columns(&|cell| cell.is_some_and(is_missing)),
        _ => columns(&|cell| cell.is_none_or(is_missing)),
    };
    let deaf = columns(&|cell| cell.is_some_and(|cell| cell.deaf.is_some()));
    let told = [("not on", missing), ("deaf on", deaf)];
    let told = told.iter().filter(|(_, columns)| !columns.is_empty());
    let told = told.map(|(word, columns)| format!("{word} {}", on(kernels, columns)));
    match told.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "yes".to_owned(),
        some => some,
    }
}

fn lies(cells: &[&Cell]) -> String {
    let judged = cells.iter().flat_map(|cell| &cell.lied);
    let mut lies: Vec<Lie> = Vec::new();
    let mut heard = false;
    for (_, judged) in judged {
        heard |= judged.is_heard();
        lies.extend(&judged.lies);
    }
    lies.sort_unstable();
    lies.dedup();
    match (lies.is_empty(), heard) {
        (true, true) => "nothing".to_owned(),
        (true, false) => "-".to_owned(),
        (false, _) => lies
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_is_not_all() {
        let nearly = (0..1000).map(|n| n != 7);
        assert_eq!(range(share(nearly).into_iter()), "99 %");
        assert_eq!(range(share([true].into_iter()).into_iter()), "all");
    }

    #[test]
    fn a_kernel_without_any_report_does_not_have_it() {
        let row = Row {
            sign: &super::super::sign::SIGNS[0],
            title: String::new(),
            note: None,
            cells: vec![None, Some(Cell::default())],
        };
        let kernels = ["5.10", "6.1"].map(ToOwned::to_owned);
        assert_eq!(without(&row, &kernels), "not on 5.10");
    }

    #[test]
    fn kernels_that_differ_are_a_range() {
        assert_eq!(range([90, 87, 93].into_iter()), "87 to 93 %");
        assert_eq!(range([].into_iter()), "-");
    }
}
