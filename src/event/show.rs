//! The table as text, JSON or the part of a page.

use std::fmt::Write as _;

use serde::Serialize;

use super::cost::Measured;
use super::judge::SignJudged;
use super::sign::Says;
use super::table::{Table, on};
use super::tetragon;

/// The headings of the columns that [`super::Cell::words`] fills.
const HEADINGS: [&str; 8] = [
    "execs",
    "failed calls",
    "path",
    "script and interpreter",
    "exe and comm",
    "order",
    "container",
    "lied to",
];

/// The table for a terminal: a paragraph a sign, a line for each way in which kernels differ.
#[must_use]
pub fn table_text(table: &Table) -> String {
    let measured = Measured::recorded();
    let mut text = String::new();
    for row in &table.rows {
        let sign = row.sign;
        // Writing to a String cannot fail, here and below.
        let _ = match sign.says {
            Says::Told => writeln!(text, "{}", row.title),
            _ => writeln!(text, "{} ({}, at {})", row.title, sign.view, sign.stage),
        };
        if let Some(note) = &row.note {
            let words: Vec<_> = note.split(' ').map(ToOwned::to_owned).collect();
            wrapped(&mut text, "  ", &words, " ");
        }
        let (caught, adds) = (measured.caught(sign), measured.adds(sign));
        if (&*caught, &*adds) != ("-", "-") {
            let _ = writeln!(
                text,
                "  adds to an exec: {adds}; caught of short programs under load: {caught}"
            );
        }
        for (words, columns) in row.groups() {
            let kernels = on(&table.kernels, &columns);
            let Some(words) = words else {
                let _ = writeln!(text, "  {kernels}: nothing is known");
                continue;
            };
            let told = HEADINGS.iter().zip(&words);
            let told = told.filter(|(_, word)| !word.is_empty() && *word != "-");
            let told: Vec<_> = told
                .map(|(heading, word)| format!("{heading}: {word}"))
                .collect();
            let _ = writeln!(text, "  {kernels}:");
            wrapped(&mut text, "    ", &told, "; ");
        }
        for (what, scenarios, columns) in row.exceptions() {
            let kernels = on(&table.kernels, &columns);
            let _ = writeln!(text, "  {what} ({kernels}):");
            wrapped(&mut text, "    ", &scenarios, " ");
        }
        text += "\n";
    }
    text
}

/// Words in lines of at most 80 columns.
fn wrapped(text: &mut String, indent: &str, words: &[String], between: &str) {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && indent.len() + line.len() + word.len() + between.len() > 80 {
            let _ = writeln!(text, "{indent}{}", line.trim_end());
            line.clear();
        }
        line += word;
        line += between;
    }
    let _ = writeln!(text, "{indent}{}", line.trim_end_matches(between));
}

/// The table for a page.
#[must_use]
pub fn markdown(table: &Table) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "| way | kernels | {} |", HEADINGS.join(" | "));
    let _ = writeln!(page, "|---|---|{}", "---|".repeat(HEADINGS.len()));
    for row in &table.rows {
        for (words, columns) in row.groups() {
            let kernels = on(&table.kernels, &columns);
            let words = match words {
                Some(words) => words.join(" | "),
                None if row.sign.says == Says::Told => String::new(),
                None => "not offered".to_owned(),
            };
            let _ = writeln!(page, "| {} | {kernels} | {words} |", row.title);
        }
    }
    for row in &table.rows {
        let _ = writeln!(page, "\n### {}\n", row.title);
        let note = row.note.as_deref();
        let _ = match row.sign.says {
            Says::Told => writeln!(page, "{}\n", note.unwrap_or_default()),
            _ => writeln!(
                page,
                "View `{}`, at the stage `{}`.{}\n",
                row.sign.view,
                row.sign.stage,
                note.map_or_else(String::new, |note| format!(" {note}"))
            ),
        };
        for (what, scenarios, columns) in row.exceptions() {
            let kernels = match on(&table.kernels, &columns) {
                all if all == "all" => String::new(),
                some => format!(" on {some}"),
            };
            let scenarios: Vec<_> = scenarios.iter().map(|name| format!("`{name}`")).collect();
            let _ = writeln!(page, "- {what}{kernels}: {}", scenarios.join(", "));
        }
    }
    page
}

/// What became of one exec, in `--format json`.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(title = "exetrail observers")
)]
struct Line<'a> {
    /// Name of the observer and its view.
    observer: &'a str,
    /// What in its report stands for an exec.
    way: &'a str,
    /// The kernel.
    kernel: &'a str,
    /// `family/name`.
    scenario: &'a str,
    /// The process that made the call, as the trail names it.
    process: &'a str,
    /// Whether the call succeeded.
    executed: bool,
    /// What the way told of the call, in words.
    heard: String,
    /// How the path that it told is the program's; none where it tells none.
    path: Option<String>,
    /// The path that it told.
    told: Option<&'a str>,
    /// Which of script and interpreter it told; none where there is no script.
    script: Option<String>,
    /// Whether exe and comm are the old or the new program's.
    identity: Option<String>,
    /// Whether it came in the order of the steps; none where it has no place among them.
    in_order: Option<bool>,
    /// Whether it told the cgroup, which names the container.
    container: bool,
    /// What the watched process has made it say that is not so.
    lies: Vec<String>,
    /// The event as Tetragon would print it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    event: Option<serde_json::Value>,
}

/// One object a line for each exec, way and kernel.
///
/// # Errors
///
/// None that these values have.
pub fn json(table: &Table) -> serde_json::Result<String> {
    let mut text = String::new();
    for row in &table.rows {
        for (kernel, cell) in table.kernels.iter().zip(&row.cells) {
            let mut before: Vec<(&str, &str)> = Vec::new();
            let all = cell
                .iter()
                .flat_map(|cell| cell.judged.iter().chain(&cell.lied));
            for (scenario, judged) in all {
                let heard = judged.is_heard();
                let line = Line {
                    observer: row.sign.view,
                    way: &row.title,
                    kernel,
                    scenario,
                    process: &judged.attempt.process,
                    executed: judged.attempt.end == super::End::Executed,
                    heard: judged.heard.to_string(),
                    path: judged.path.map(|path| path.to_string()),
                    told: judged.told.as_deref().filter(|_| heard),
                    script: judged.chain.map(|chain| chain.to_string()),
                    identity: judged.identity.map(|identity| identity.to_string()),
                    in_order: judged.in_order,
                    container: judged.container,
                    lies: judged.lies.iter().map(ToString::to_string).collect(),
                    event: event(row.sign.view, &before, scenario, judged),
                };
                text += &serde_json::to_string(&line)?;
                text.push('\n');
                if judged.attempt.end == super::End::Executed {
                    before.push((scenario, &judged.attempt.process));
                }
            }
        }
    }
    Ok(text)
}

/// The event as the tool prints it that the observer stands for; none for one that stands for itself.
fn event(
    view: &str,
    before: &[(&str, &str)],
    scenario: &str,
    judged: &SignJudged,
) -> Option<serde_json::Value> {
    let event = judged.event.as_ref().filter(|_| view == tetragon::VIEW)?;
    let own = (scenario, judged.attempt.process.as_str());
    let execs = before.iter().filter(|known| **known == own).count();
    Some(tetragon::process_kprobe(event, execs))
}

#[cfg(test)]
mod tests {
    use super::{Line, wrapped};

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("observers", &schemars::schema_for!(Line<'_>));
    }

    #[test]
    fn a_long_list_stands_in_lines_of_eighty_columns() {
        let words = vec!["x".repeat(30); 3];
        let mut text = String::new();
        wrapped(&mut text, "  ", &words, "; ");
        let lines: Vec<_> = text.lines().map(str::len).collect();
        assert_eq!(lines, [2 + 30 + 2 + 30 + 1, 2 + 30]);
    }
}
