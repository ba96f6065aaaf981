//! The table scenario x kernel.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, Table, TableStyle};

use super::Row;
use crate::trail::Outcome;

/// Builds the table: a letter shared by two kernels of a line means the same text.
///
/// The letters count up from the oldest kernel's `a`; a mark after one tells what is not `same`.
#[must_use]
pub fn matrix(rows: &[Row<'_>]) -> String {
    let mut kernels: Vec<&str> = Vec::new();
    let mut lines: BTreeMap<String, BTreeMap<usize, &Row<'_>>> = BTreeMap::new();
    for row in rows {
        let id = row.record.kernel.label();
        let column = kernels
            .iter()
            .position(|known| *known == id)
            .unwrap_or_else(|| {
                kernels.push(id);
                kernels.len() - 1
            });
        let cells = lines.entry(row.label()).or_default();
        // Of a run that is repeated the worst counts.
        let cell = cells.entry(column).or_insert(row);
        if row.seen.outcome.badness() > cell.seen.outcome.badness() {
            *cell = row;
        }
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_header(std::iter::once("").chain(kernels.iter().copied()));
    for (scenario, cells) in lines {
        let mut texts: Vec<String> = Vec::new();
        let mut row = vec![Cell::new(scenario)];
        for column in 0..kernels.len() {
            let text = cells
                .get(&column)
                .map_or_else(String::new, |found| mark(found, &mut texts));
            row.push(Cell::new(text).set_alignment(CellAlignment::Center));
        }
        table.add_row(row);
    }
    let text = table.to_string();
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

fn mark(row: &Row<'_>, texts: &mut Vec<String>) -> String {
    let sign = match row.seen.outcome {
        Outcome::Unsupported => return "-".to_owned(),
        Outcome::Broken => return "!".to_owned(),
        Outcome::Same | Outcome::Seen => "",
        Outcome::Changed => "*",
        Outcome::New => "+",
    };
    let text = row.seen.text().unwrap_or_default();
    let number = texts
        .iter()
        .position(|known| *known == text)
        .unwrap_or_else(|| {
            texts.push(text);
            texts.len() - 1
        });
    // More than 26 behaviours of one scenario are beyond what a table can tell.
    let letter = char::from(b'a' + u8::try_from(number.min(25)).unwrap_or(25));
    format!("{letter}{sign}")
}

/// What the marks mean.
pub const LEGEND: &str = "same letter, same text   * changed   + new   - unsupported   ! broken";

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;
    use crate::view::rows;

    #[test]
    fn a_round_that_differs_is_not_hidden_by_one_that_does_not() {
        let outcomes = [Outcome::Same, Outcome::Changed, Outcome::Same];
        let records = outcomes.map(|outcome| record("start/a", "6.1", outcome));
        let table = matrix(&rows(&records));
        assert!(table.lines().any(|line| line.ends_with("a*")), "{table}");
    }
}
