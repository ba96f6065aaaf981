//! What an agent is worth, after a run beside it: its reports judged, its cost, and its footprint.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::observers::scene;
use super::views::few;
use crate::event::{Column, Cost, Round, Table, table_text};
use crate::view::{AGENT, Record, TRAIL, ViewName, ViewSeen};

/// Beyond this quotient of its greatest and its least value a ratio is not told: it would be chance.
const STABLE: f64 = 2.0;
/// How many lines of a footprint are told.
const LINES: usize = 6;

/// Whether what an agent wrote to standard error is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// The last lines.
    Told,
    /// Nothing.
    Left,
}

/// Everything about an agent, kernel by kernel, as text.
/// Views that are not among those that are shown have no footprint here; none of them stands for all.
pub fn worth(records: &[Record], shown: &[ViewName], errors: Errors) -> String {
    let mut columns: Vec<Column> = Vec::new();
    let mut costs: BTreeMap<&str, Vec<(&str, Cost)>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for record in records {
        let kernel = record.kernel.label();
        let bodies = record.seen.iter().filter_map(|seen| {
            let body = seen.body.clone()?;
            Some((seen.view.as_str(), body))
        });
        let bodies: BTreeMap<_, _> = bodies.collect();
        let report = bodies.get(AGENT.as_str());
        let report = report.and_then(|body| AGENT.view()?.report(body));
        let Some(report) = report else { continue };
        if !order.contains(&kernel) {
            order.push(kernel);
            columns.push(Column {
                kernel: kernel.to_owned(),
                scenes: Vec::new(),
            });
        }
        let cost = report.cost.map(|cost| (record.scenario.as_str(), cost));
        costs.entry(kernel).or_default().extend(cost);
        let mut own = columns.iter_mut();
        if let Some(column) = own.find(|column| column.kernel == kernel) {
            column.scenes.extend(scene(&record.scenario, &bodies));
        }
    }
    if columns.is_empty() {
        return String::new();
    }
    let table = Table::new(&columns, &[AGENT.to_string()]);
    let mut text = format!("\n{}", table_text(&table));
    for kernel in order {
        let own: Vec<&Cost> = costs[kernel].iter().map(|(_, cost)| cost).collect();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "  {kernel}: {}", cost(&own));
        let of_kernel = records.iter().filter(|one| one.kernel.label() == kernel);
        text += &footprint(&of_kernel.collect::<Vec<_>>(), shown);
        for (scenario, cost) in costs[kernel].iter().filter(|_| errors == Errors::Told) {
            for line in &cost.errors {
                let _ = writeln!(text, "  {kernel}: {scenario}: standard error: {line}");
            }
        }
    }
    text
}

/// What it costs on one kernel, in words.
fn cost(all: &[&Cost]) -> String {
    let Some(first) = all.first() else {
        return "what it costs is not known".to_owned();
    };
    let opens: u64 = all.iter().map(|one| one.opens).sum();
    let late = all.iter().filter(|one| one.late).count();
    let mut text = ratio(&first.rounds);
    if opens > 0 {
        let _ = write!(
            text,
            "; while a program started it opened {opens} watched files itself"
        );
    }
    if late > 0 {
        let of = match late {
            1 => "one scenario".to_owned(),
            late => format!("{late} scenarios"),
        };
        let _ = write!(
            text,
            "; of {of} it may have told too late: it does not tell of every exec in the machine, by which the \
             end would be known"
        );
    }
    text
}

/// What a small program takes beside it, as a ratio with its bounds; that it cannot be told, where these are far apart.
fn ratio(rounds: &[Round]) -> String {
    let sorted = |time: fn(&Round) -> u64| {
        let mut times: Vec<f64> = rounds.iter().map(|round| time(round) as f64).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (alone, beside) = (
        sorted(|round| round.alone_us),
        sorted(|round| round.beside_us),
    );
    let ([least, .., most], [low, .., high]) = (&alone[..], &beside[..]) else {
        return "what it costs was not measured".to_owned();
    };
    let middle = (beside[beside.len() / 2], alone[alone.len() / 2].max(1.0));
    // The widest bounds that the rounds allow: each side may have been measured while the host was busy.
    let (low, high) = (low / most.max(1.0), high / least.max(1.0));
    if high > low * STABLE {
        return format!(
            "what it costs cannot be told here: in {} rounds a small program took between {low:.2} and {high:.2} \
             times as long beside it",
            rounds.len()
        );
    }
    format!(
        "a small program takes {:.2} times as long beside it ({low:.2} to {high:.2} in {} rounds; {:.1} ms, alone \
         {:.1} ms)",
        middle.0 / middle.1,
        rounds.len(),
        middle.0 / 1000.0,
        middle.1 / 1000.0
    )
}

/// What is not as accepted beside it, view by view: how many scenarios, and the lines that most of them have. The steps
/// are told with the trail, and not again with what stands between them.
fn footprint(records: &[&Record], shown: &[ViewName]) -> String {
    let mut views: BTreeMap<&str, (Vec<&str>, BTreeMap<String, usize>)> = BTreeMap::new();
    for record in records {
        let is_shown = |seen: &&ViewSeen| shown.is_empty() || shown.contains(&seen.view);
        for seen in record.seen.iter().filter(is_shown) {
            let Some(diff) = seen.footprint() else {
                continue;
            };
            let own = diff.lines().filter_map(changed);
            let own = own.filter(|line| seen.view == TRAIL || !line[2..].starts_with("perm="));
            let mut own: Vec<String> = own.collect();
            own.sort();
            own.dedup();
            if own.is_empty() {
                continue;
            }
            let (scenarios, lines) = views.entry(seen.view.as_str()).or_default();
            scenarios.push(&record.scenario);
            for line in own {
                *lines.entry(line).or_default() += 1;
            }
        }
    }
    let mut text = String::new();
    for (view, (scenarios, lines)) in &views {
        let kernel = records.first().map_or("", |record| record.kernel.label());
        let _ = writeln!(
            text,
            "  {kernel}: its footprint: {view} is not as accepted in {} of {}: {}",
            scenarios.len(),
            records.len(),
            few(scenarios)
        );
        let mut lines: Vec<_> = lines.iter().collect();
        lines.sort_by_key(|(line, count)| (std::cmp::Reverse(**count), line.as_str()));
        for (line, count) in lines.iter().take(LINES) {
            let _ = writeln!(text, "    {line}  ({count})");
        }
        if let Some(more) = lines.len().checked_sub(LINES).filter(|more| *more > 0) {
            let _ = writeln!(text, "    and {more} others (--view {view} --show all)");
        }
    }
    text
}

/// A line of a difference without who it is about and without what pads it; none for what is the same.
fn changed(line: &str) -> Option<String> {
    let (sign, rest) = line.split_at_checked(1)?;
    if !matches!(sign, "-" | "+") || line.starts_with("+++ ") || line.starts_with("--- ") {
        return None;
    }
    let words = rest.split_whitespace();
    let words = words.filter(|word| !word.starts_with("pid=") && !word.starts_with("ppid="));
    Some(format!("{sign} {}", words.collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Outcome;
    use crate::view::tests::record;
    use crate::view::{Judged, STAGES};

    fn rounds(pairs: &[(u64, u64)]) -> Vec<Round> {
        let round = |(alone_us, beside_us): &(u64, u64)| Round {
            alone_us: *alone_us,
            beside_us: *beside_us,
        };
        pairs.iter().map(round).collect()
    }

    fn told(opens: u64, late: bool) -> Cost {
        Cost {
            rounds: rounds(&[(2000, 3000), (2000, 3000)]),
            opens,
            late,
            errors: Vec::new(),
        }
    }

    #[test]
    fn the_cost_is_a_ratio_with_its_bounds() {
        let text = ratio(&rounds(&[(2000, 3100), (2000, 3000), (2100, 2900)]));
        assert_eq!(
            text,
            "a small program takes 1.50 times as long beside it (1.38 to 1.55 in 3 rounds; 3.0 ms, alone 2.0 ms)"
        );
    }

    #[test]
    fn a_ratio_that_is_chance_is_not_told() {
        let text = ratio(&rounds(&[(2000, 2000), (2000, 8000), (2000, 2000)]));
        assert!(text.starts_with("what it costs cannot be told"), "{text}");
        assert!(text.contains("between 1.00 and 4.00"), "{text}");
    }

    #[test]
    fn what_disturbs_is_summed_up_over_the_scenarios() {
        let (one, other) = (told(2, false), told(3, true));
        let text = cost(&[&one, &other]);
        assert!(text.contains("opened 5 watched files"), "{text}");
        assert!(text.contains("of one scenario it may"), "{text}");
        assert!(cost(&[&other, &other]).contains("of 2 scenarios it may"));
    }

    #[test]
    fn a_footprint_is_told_by_its_lines_and_not_by_the_process() {
        let beside = |name, pid| {
            let mut one = record(name, "6.1", Outcome::Seen);
            let diff = format!("--- a\n+++ b\n stage=x\n+stage=audit   pid={pid} : __audit_bprm\n");
            one.seen[0].judged = Some(Judged {
                owner: None,
                diff: Some(diff),
            });
            one
        };
        let (one, other) = (beside("start/a", "p1"), beside("start/b", "p2"));
        let text = footprint(&[&one, &other], &[]);
        assert_eq!(
            text,
            format!(
                "  6.1: its footprint: {TRAIL} is not as accepted in 2 of 2: start/a and start/b\n    \
                 + stage=audit : __audit_bprm  (2)\n"
            )
        );
        assert_eq!(footprint(&[&one, &other], &[STAGES]), "");
    }

    #[test]
    fn a_step_is_the_footprint_of_the_trail_alone() {
        let mut one = record("start/a", "6.1", Outcome::Seen);
        one.seen[0].judged = Some(Judged {
            owner: None,
            diff: Some("+perm=open    pid=p1 : path=/x\n".to_owned()),
        });
        one.seen.push(ViewSeen {
            view: STAGES,
            ..one.seen[0].clone()
        });
        let text = footprint(&[&one], &[]);
        assert!(
            text.contains("footprint: trail") && !text.contains("stages"),
            "{text}"
        );
    }
}
