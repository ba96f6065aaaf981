//! A table of verdicts as text, Markdown or JSON.

use serde::Serialize;

use super::{Row, Status, Table};
use crate::trail::{Judgement, Verdict};

/// What a claim and a kernel are in `--format json`.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(title = "exetrail contract")
)]
struct Line<'a> {
    /// Its id, as the page has it.
    claim: &'a str,
    /// The kernel, as the user named it.
    kernel: &'a str,
    /// What came of it.
    verdict: Judgement,
    /// What was tried and seen.
    evidence: &'a str,
}

/// One object a claim and kernel, one a line; what was not checked is left out.
///
/// # Errors
///
/// None that these values have.
pub fn json(table: &Table) -> serde_json::Result<String> {
    let mut text = String::new();
    for row in &table.rows {
        for (kernel, found) in table.kernels.iter().zip(&row.verdicts) {
            let Some(found) = found else { continue };
            let line = Line {
                claim: &row.claim.id,
                kernel,
                verdict: found.verdict,
                evidence: &found.evidence,
            };
            text += &serde_json::to_string(&line)?;
            text.push('\n');
        }
    }
    Ok(text)
}

/// The sign of a verdict in a cell.
fn sign(verdict: Option<&Verdict>) -> char {
    match verdict.map(|found| found.verdict) {
        Some(Judgement::Holds) => '+',
        Some(Judgement::Contradicted) => 'x',
        Some(Judgement::Partly) => '~',
        Some(Judgement::Unreachable) => '0',
        None => '.',
    }
}

/// What the signs mean.
const LEGEND: &str =
    "+ holds   x contradicted   ~ partly   0 unreachable (nothing gives it)   . not checked";

/// The table for a terminal, with the evidence of what does not simply hold below it.
#[must_use]
pub fn text(table: &Table) -> String {
    let ids = table.rows.iter().map(|row| row.claim.id.len());
    let wide = ids.max().unwrap_or(0);
    let columns: Vec<_> = table.kernels.iter().map(|kernel| kernel.len()).collect();
    let line = |first: &str, cells: Vec<String>| {
        let cells = cells.into_iter().zip(&columns);
        let cells: String = cells
            .map(|(cell, width)| format!(" {cell:^width$}"))
            .collect();
        format!("{first:<wide$}{cells}").trim_end().to_owned() + "\n"
    };
    let mut text = format!("{}\n\n", table.specification.title);
    text += &line("", table.kernels.clone());
    for row in &table.rows {
        let signs = row
            .verdicts
            .iter()
            .map(|found| sign(found.as_ref()).to_string());
        text += &line(&row.claim.id, signs.collect());
    }
    text += &format!("\n{LEGEND}\n");
    for row in table
        .rows
        .iter()
        .filter(|row| row.is_checked() && !row.holds())
    {
        text += &format!("\n{}: {}\n", row.claim.id, row.claim.text);
        for (verdict, why, columns) in told(row) {
            let kernels = on(table, &columns);
            text += &format!("  {verdict} {kernels}{why}\n");
        }
    }
    let counts = counts(table);
    text + &format!("\n{counts}\n")
}

/// "holds on all kernels: 40; ...".
fn counts(table: &Table) -> String {
    let count = |what: &dyn Fn(&Row) -> bool| table.rows.iter().filter(|row| what(row)).count();
    let checked = count(&Row::is_checked);
    let on_all = |wanted: Judgement| {
        let same = move |row: &Row| {
            let mut found = row.verdicts.iter().flatten();
            row.is_checked() && found.all(|found| found.verdict == wanted)
        };
        count(&same)
    };
    let each = Judgement::ALL.map(|verdict| (verdict, on_all(verdict)));
    let differ = checked - each.iter().map(|(_, count)| count).sum::<usize>();
    let each = each.map(|(verdict, count)| match (verdict, count) {
        (Judgement::Holds, count) if count != 1 => format!("{count} hold"),
        (verdict, count) => format!("{count} {verdict}"),
    });
    let total = table.rows.len();
    let differ = match differ {
        1 => "1 differs".to_owned(),
        differ => format!("{differ} differ"),
    };
    format!(
        "{checked} of {total} claims checked: {}; {differ} between kernels",
        each.join(", ")
    )
}

/// The evidence; none for what simply holds.
fn why(found: &Verdict) -> String {
    match found.verdict {
        Judgement::Holds => String::new(),
        _ => format!(": {}", found.evidence),
    }
}

/// What is told of a claim, with the columns of which it is told: kernels that differ in what is not told are in one.
fn told(row: &Row) -> Vec<(Judgement, String, Vec<usize>)> {
    let mut all: Vec<(Judgement, String, Vec<usize>)> = Vec::new();
    for (found, columns) in row.behaviours() {
        let (verdict, why) = (found.verdict, why(found));
        let mut known = all.iter_mut();
        match known.find(|known| known.0 == verdict && known.1 == why) {
            Some((_, _, same)) => {
                same.extend(columns);
                same.sort_unstable();
            }
            None => all.push((verdict, why, columns)),
        }
    }
    all
}

/// "on all kernels", or the kernels by name, three and more in a row as a range.
fn on(table: &Table, columns: &[usize]) -> String {
    if columns.len() == table.kernels.len() {
        return "on all kernels".to_owned();
    }
    let name = |column: &usize| table.kernels[*column].as_str();
    let runs = columns.chunk_by(|one, next| one + 1 == *next);
    let runs = runs.map(|run| match run {
        [first, .., last] if run.len() > 2 => format!("{} to {}", name(first), name(last)),
        _ => run.iter().map(name).collect::<Vec<_>>().join(", "),
    });
    format!("on {}", runs.collect::<Vec<_>>().join(", "))
}

/// What the signs mean, for a page.
const MEANING: &str = "- `+` **holds**: every reason that was tried gives what is stated\n\
             - `x` **contradicted**: the stated reason gives something else\n\
             - `~` **partly**: a stated reason fails, or needs a condition that is not stated\n\
             - `0` **unreachable**: nothing gives it\n\
             - `.` not checked\n\n";

/// The whole answer as a page, with what `explain` says of a scenario below the claims that do not
/// simply hold.
#[must_use]
pub fn markdown(table: &Table, explain: &dyn Fn(&str) -> Option<String>) -> String {
    let call = &table.specification.call;
    let option = match call.as_str() {
        "execve" => String::new(),
        other => format!(" --call {other}"),
    };
    let mut page = format!("# {}\n\n", table.specification.title);
    page += &format!("{}\n\n", table.specification.about.trim());
    page += &format!(
        "These claims are checked at run time, one by one and kernel by kernel. Each verdict is held by\n\
         a snapshot of a scenario of family `contract/`, which also shows the files that were opened for\n\
         every call that is watched, also for those that failed.\n\
         `exetrail contract{option} --format markdown` writes this page from the accepted snapshots; do not\n\
         edit it.\n\n"
    );
    page += MEANING;
    page += &format!("**{}.**\n", counts(table));
    page + &groups(table, 2, explain)
}

/// What the signs of a table mean, as a list, and every group with its table and reasons, under
/// headings of this level.
#[must_use]
pub fn claims(table: &Table, level: usize) -> String {
    let counts = counts(table);
    format!("{MEANING}**{counts}.**\n") + &groups(table, level, &|_| None)
}

fn groups(table: &Table, level: usize, explain: &dyn Fn(&str) -> Option<String>) -> String {
    let (heading, deeper) = ("#".repeat(level), "#".repeat(level + 1));
    let mut page = String::new();
    for group in &table.specification.groups {
        let rows: Vec<_> = table.of(group).collect();
        if rows.is_empty() {
            continue;
        }
        page += &format!("\n{heading} {}\n\n{}\n\n", group.title, group.about);
        page += &cells(table, &rows);
        page += &reasons(table, &rows, &deeper, explain);
    }
    page
}

fn cells(table: &Table, rows: &[&Row]) -> String {
    let mut page = format!("| claim | | {} |\n", table.kernels.join(" | "));
    page += &format!("|---|---|{}\n", ":-:|".repeat(table.kernels.len()));
    for row in rows {
        let claim = &row.claim;
        let mark = match claim.status {
            Status::Stated => "",
            Status::Asked => " *(asked)*",
            Status::Silent => "",
        };
        let signs = row
            .verdicts
            .iter()
            .map(|found| format!("`{}`", sign(found.as_ref())));
        let signs: Vec<_> = signs.collect();
        let text = claim.text.replace('|', "\\|");
        page += &format!(
            "| `{}` | {text}{mark} | {} |\n",
            claim.id,
            signs.join(" | ")
        );
    }
    page
}

/// For each claim that does not simply hold, the evidence and what its scenario says.
fn reasons(
    table: &Table,
    rows: &[&Row],
    heading: &str,
    explain: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut page = String::new();
    let mut explained: Vec<&str> = Vec::new();
    for row in rows
        .iter()
        .filter(|row| row.is_checked() && !(row.holds() && row.unchecked().is_empty()))
    {
        page += &format!("\n{heading} `{}`\n\n", row.claim.id);
        for (verdict, why, columns) in told(row) {
            let kernels = on(table, &columns);
            page += &format!("- **{verdict}** {kernels}{why}\n");
        }
        let unchecked = row.unchecked();
        if !unchecked.is_empty() {
            page += &format!("- not checked {}\n", on(table, &unchecked));
        }
        let Some(scenario) = row.scenario.as_deref() else {
            continue;
        };
        match explain(scenario) {
            Some(docs) if !explained.contains(&scenario) => {
                page += &format!("\n{}\n", docs.trim());
                explained.push(scenario);
            }
            _ => {}
        }
        if scenario.contains('/') {
            page += &format!("\n(`scenarios/{scenario}.rs`)\n");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::contract::{Column, Specification};
    use crate::trail::parse;

    fn table() -> Table {
        let specification = "call = \"x\"\ntitle = \"X\"\nabout = \"Z\"\n\
            [[group]]\nid = \"a\"\ntitle = \"A\"\nabout = \"B\"\n\
            [[claim]]\nid = \"a/b\"\ntext = \"T\"\nsource = \"S\"\nstatus = \"stated\"\n\
            [[claim]]\nid = \"a/c\"\ntext = \"U\"\nsource = \"S\"\nstatus = \"asked\"\n";
        let column = |kernel: &str, verdict: &str| Column {
            kernel: kernel.to_owned(),
            trails: BTreeMap::from([("contract/s".to_owned(), parse(verdict).unwrap())]),
        };
        let columns = [
            column("5.10", "verdict a/b contradicted: y\n"),
            column("6.1", "verdict a/b holds: x\n"),
        ];
        Table::new(&Specification::parse(specification).unwrap(), &columns).unwrap()
    }

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("contract", &schemars::schema_for!(Line<'_>));
    }

    #[test]
    fn json_is_an_object_for_each_claim_and_kernel() {
        let line = r#"{"claim":"a/b","kernel":"5.10","verdict":"contradicted","evidence":"y"}"#;
        assert_eq!(json(&table()).unwrap().lines().next(), Some(line));
    }

    #[test]
    fn text_has_a_sign_in_each_cell_and_the_evidence_below() {
        let text = text(&table());
        assert!(text.contains("\na/b  x    +\n"), "{text}");
        assert!(text.contains("  contradicted on 5.10: y\n"), "{text}");
        assert!(text.contains("1 of 2 claims checked"), "{text}");
    }

    #[test]
    fn what_differs_in_nothing_that_is_told_is_told_once() {
        let mut table = table();
        let holds = |evidence: &str| {
            parse(&format!("verdict a/b holds: {evidence}\n"))
                .unwrap()
                .verdicts
                .pop()
        };
        table.rows[0].verdicts = vec![holds("x"), holds("y")];
        let all = told(&table.rows[0]);
        assert_eq!(all, [(Judgement::Holds, String::new(), vec![0, 1])]);
    }

    #[test]
    fn markdown_explains_what_does_not_hold() {
        let page = markdown(&table(), &|name| Some(format!("as {name} says")));
        assert!(page.contains("| `a/b` | T | `x` | `+` |\n"), "{page}");
        assert!(page.contains("- **contradicted** on 5.10: y\n"), "{page}");
        assert!(page.contains("as contract/s says"), "{page}");
    }
}
