//! What each sign makes of the execs of many scenarios, kernel by kernel.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::attempt::{Attempt, End};
use super::judge::{Chain, Path, SignJudged, Whose, judge};
use super::lie::Lie;
use super::sign::{SIGNS, Says, Sign};
use super::{Event, Field, Fields, Kind, Report};
use crate::trail::{Mask, Trail};

/// A scenario on a kernel: its execs, and what the ways of watching reported.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Name of the scenario.
    pub scenario: String,
    /// Whether the watched process lies about itself in it.
    pub lies: bool,
    /// Its execs.
    pub attempts: Vec<Attempt>,
    /// Reports by view.
    pub reports: BTreeMap<String, Report>,
}

/// One kernel with its scenarios.
#[derive(Clone, Debug)]
pub struct Column {
    /// The kernel's id.
    pub kernel: String,
    /// Its scenarios.
    pub scenes: Vec<Scene>,
}

/// Every sign that is shown, on every kernel.
#[derive(Debug)]
pub struct Table {
    /// The kernels.
    pub kernels: Vec<String>,
    /// How many scenarios all of them have, without those that lie.
    pub scenarios: usize,
    /// One row a sign.
    pub rows: Vec<Row>,
}

/// One sign on every kernel.
#[derive(Debug)]
pub struct Row {
    /// The sign.
    pub sign: &'static Sign,
    /// What it is called: as the sign, or as the program that stands for it.
    pub title: String,
    /// What has to be known of it, as a sentence.
    pub note: Option<String>,
    /// What it made of each exec, kernel by kernel; none where it reported nothing of any scenario.
    pub cells: Vec<Option<Cell>>,
}

/// One sign on one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Why it is never called.
    pub deaf: Option<String>,
    /// What this kernel does not have of it.
    pub absent: Vec<String>,
    /// Scenarios of which there is no report.
    pub unreported: Vec<String>,
    /// Whether the sign itself is among that.
    pub missing: bool,
    /// Processes of which nothing was found when they had ended.
    pub gone: usize,
    /// All processes that were looked for at the end.
    pub ended: usize,
    /// Every exec, with its scenario.
    pub judged: Vec<(String, SignJudged)>,
    /// Every exec of scenarios that lie.
    pub lied: Vec<(String, SignJudged)>,
    /// Scenarios whose trail its observer has changed, at the first sign of its view; none for one that never
    /// changes any.
    pub changed: Option<Vec<String>>,
}

impl Table {
    /// Judges the signs of these views, or of all for none; only scenarios that every kernel has.
    #[must_use]
    pub fn new(columns: &[Column], views: &[String]) -> Table {
        let has = |column: &Column, name: &str| {
            let mut scenes = column.scenes.iter();
            scenes.any(|scene| scene.scenario == name)
        };
        let first = columns
            .first()
            .map_or(&[] as &[Scene], |column| &column.scenes);
        let common = first.iter().map(|scene| scene.scenario.as_str());
        let common = common.filter(|name| columns.iter().all(|column| has(column, name)));
        let common: Vec<&str> = common.collect();
        let lies = first.iter().filter(|scene| scene.lies);
        let lies = lies.filter(|scene| common.contains(&scene.scenario.as_str()));
        let shown = |sign: &&Sign| match views.is_empty() {
            // A user's agent is asked for by name.
            true => sign.says != Says::Told,
            false => views.iter().any(|view| view == sign.view),
        };
        let row = |sign: &'static Sign| Row {
            sign,
            title: sign.name.to_owned(),
            note: sign.note.map(ToOwned::to_owned),
            cells: columns
                .iter()
                .map(|column| cell(sign, column, &common))
                .collect(),
        };
        Table {
            kernels: columns.iter().map(|column| column.kernel.clone()).collect(),
            scenarios: common.len() - lies.count(),
            rows: SIGNS.iter().filter(shown).map(row).collect(),
        }
    }

    /// The row of that name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.sign.name == name)
    }
}

fn cell(sign: &Sign, column: &Column, common: &[&str]) -> Option<Cell> {
    let mut cell = Cell::default();
    let mut any = false;
    for scene in &column.scenes {
        if !common.contains(&scene.scenario.as_str()) {
            continue;
        }
        let Some(report) = scene.reports.get(sign.view) else {
            cell.unreported.push(scene.scenario.clone());
            continue;
        };
        any = true;
        cell.deaf = cell.deaf.or_else(|| report.deaf.clone());
        cell.absent.clone_from(&report.absent);
        cell.missing = report.absent.iter().any(|name| sign.sources == [name]);
        let (gone, ended) = ended(report);
        (cell.gone, cell.ended) = (cell.gone + gone, cell.ended + ended);
        if let Some(footprint) = report.footprint.as_ref().filter(|_| sign.is_first()) {
            let changed = cell.changed.get_or_insert_default();
            changed.extend((!footprint.is_empty()).then(|| scene.scenario.clone()));
        }
        let judged = judge(sign, &scene.attempts, report).into_iter();
        let judged = judged.map(|judged| (scene.scenario.clone(), judged));
        match scene.lies {
            true => cell.lied.extend(judged),
            false => cell.judged.extend(judged),
        }
    }
    any.then_some(cell)
}

/// How many processes are gone at their last look, and how many there are.
fn ended(report: &Report) -> (usize, usize) {
    let mut last: BTreeMap<&str, Kind> = BTreeMap::new();
    for event in &report.events {
        last.insert(&event.process, event.kind);
    }
    let gone = last.values().filter(|kind| **kind == Kind::Gone);
    (gone.count(), last.len())
}

/// The permission monitor's own report: what a tool sees that does what the suite's monitor does.
#[must_use]
pub fn of_trail(trail: &Trail) -> Report {
    let mut report = Report::default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &trail.steps {
        let before = counts.entry(&step.process).or_default();
        if step.mask == Mask::EXECUTE {
            report.events.push(Event {
                kind: Kind::Open,
                process: step.process.clone(),
                thread: false,
                after: Some(*before),
                source: "FAN_OPEN_EXEC_PERM".to_owned(),
                fields: Fields::from([
                    (Field::File, step.path.clone()),
                    (Field::Exe, step.exe.clone()),
                    (Field::Comm, step.comm.clone()),
                ]),
            });
        }
        *before += 1;
    }
    report
}

/// How often each word comes, in their order: "right 83, as passed 12".
fn counted<T: Ord + Display>(words: impl Iterator<Item = T>) -> String {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let counts = counts.iter().map(|(word, count)| format!("{word} {count}"));
    counts.collect::<Vec<_>>().join(", ")
}

impl Cell {
    /// The execs that came about.
    pub fn executed(&self) -> impl Iterator<Item = &(String, SignJudged)> {
        let all = self.judged.iter();
        all.filter(|(_, judged)| judged.attempt.end == End::Executed)
    }

    /// The execs that came about and were heard of.
    pub fn heard(&self) -> impl Iterator<Item = &(String, SignJudged)> {
        self.executed().filter(|(_, judged)| judged.is_heard())
    }

    /// The execs that came about and were not heard of.
    pub fn missed(&self) -> impl Iterator<Item = &(String, SignJudged)> {
        self.executed().filter(|(_, judged)| !judged.is_heard())
    }

    /// Their scenarios, each once: those of one scenario stand together.
    #[must_use]
    pub fn missed_in(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .missed()
            .map(|(scenario, _)| scenario.as_str())
            .collect();
        names.dedup();
        names
    }

    /// The calls that failed.
    pub fn failed(&self) -> impl Iterator<Item = &(String, SignJudged)> {
        let all = self.judged.iter();
        all.filter(|(_, judged)| matches!(judged.attempt.end, End::Failed(_)))
    }

    /// Every path that was told of an exec.
    pub fn paths(&self) -> impl Iterator<Item = (Path, &(String, SignJudged))> {
        self.executed().filter_map(|one| Some((one.1.path?, one)))
    }

    /// What is false of the execs of scenarios that lie, and how many of these were heard of.
    fn deceived(&self) -> String {
        let lies = self.lied.iter().flat_map(|(_, judged)| &judged.lies);
        let lies: Vec<&Lie> = lies.collect();
        let heard = self.lied.iter().filter(|(_, judged)| judged.is_heard());
        let heard = heard.count();
        match (self.lied.len(), heard, lies.len()) {
            (0, ..) => String::new(),
            (_, 0, 0) => "nothing heard".to_owned(),
            (_, heard, 0) => format!("none of {heard}"),
            _ => counted(lies.into_iter()),
        }
    }

    /// The columns of the table: execs, failed calls, path, script, identity, order, container, lies.
    #[must_use]
    pub fn words(&self) -> [String; 8] {
        let deaf = self.deaf.as_ref().map(|deaf| format!("deaf: {deaf}"));
        let alone = deaf.or_else(|| self.missing.then(|| "not offered".to_owned()));
        if let Some(alone) = alone {
            let mut words: [String; 8] = Default::default();
            words[0] = alone;
            return words;
        }
        let chains = self.executed().filter_map(|(_, judged)| judged.chain);
        let identities = self.executed().filter_map(|(_, judged)| judged.identity);
        let wrong = self
            .executed()
            .filter(|(_, judged)| judged.in_order == Some(false))
            .count();
        let placed = self.executed().any(|(_, judged)| judged.in_order.is_some());
        let container = self.executed().any(|(_, judged)| judged.container);
        let heard = |one: &(String, SignJudged)| one.1.heard;
        [
            counted(self.executed().map(heard)),
            counted(self.failed().map(heard)),
            counted(self.paths().map(|(path, _)| path)),
            counted::<Chain>(chains),
            counted::<Whose>(identities),
            match (placed, wrong) {
                (false, _) => "-".to_owned(),
                (true, 0) => "right".to_owned(),
                (true, wrong) => format!("wrong {wrong}"),
            },
            if container { "told" } else { "-" }.to_owned(),
            self.deceived(),
        ]
    }
}

impl Row {
    /// Equal cells with the numbers of their columns, in the order of the first of each.
    #[must_use]
    pub fn groups(&self) -> Vec<(Option<[String; 8]>, Vec<usize>)> {
        let mut groups: Vec<(Option<[String; 8]>, Vec<usize>)> = Vec::new();
        for (column, cell) in self.cells.iter().enumerate() {
            let words = cell.as_ref().map(Cell::words);
            match groups.iter_mut().find(|(known, _)| *known == words) {
                Some((_, columns)) => columns.push(column),
                None => groups.push((words, vec![column])),
            }
        }
        groups
    }

    /// What is not simply right of the execs, in words, each with scenarios and the numbers of its
    /// columns.
    #[must_use]
    pub fn exceptions(&self) -> Vec<(String, Vec<String>, Vec<usize>)> {
        let mut by_scenario: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for (column, cell) in self.cells.iter().enumerate() {
            let offered = cell.iter().filter(|cell| !cell.missing);
            let mut add = |what: String, scenario: &String| {
                let own = by_scenario.entry((what, scenario.clone())).or_default();
                if own.last() != Some(&column) {
                    own.push(column);
                }
            };
            for cell in offered {
                for (scenario, judged) in &cell.judged {
                    exceptions(judged)
                        .into_iter()
                        .for_each(|what| add(what, scenario));
                }
                for (scenario, judged) in &cell.lied {
                    let lies = judged.lies.iter();
                    lies.for_each(|lie| {
                        add(format!("made to say what is not so: {lie}"), scenario)
                    });
                }
                // A program of somebody's is asked for every scenario; others have those that they apply to.
                let unreported = cell.unreported.iter();
                for scenario in unreported.filter(|_| self.sign.says == Says::Told) {
                    add("nothing could be judged".to_owned(), scenario);
                }
                for scenario in cell.changed.iter().flatten() {
                    add("the trail under it is another".to_owned(), scenario);
                }
            }
        }
        let mut all: Vec<(String, Vec<String>, Vec<usize>)> = Vec::new();
        for ((what, scenario), columns) in by_scenario {
            match all
                .iter_mut()
                .find(|(known, _, same)| *known == what && *same == columns)
            {
                Some((_, scenarios, _)) => scenarios.push(scenario),
                None => all.push((what, vec![scenario], columns)),
            }
        }
        all
    }
}

fn exceptions(judged: &SignJudged) -> Vec<String> {
    let mut all = Vec::new();
    if judged.attempt.end == End::Executed {
        match judged.path {
            Some(Path::Right | Path::Absent | Path::Unknown) | None => {}
            Some(path) => all.push(format!("the path is {path}")),
        }
        match judged.identity {
            Some(Whose::Mixed) => all.push("exe and comm are mixed".to_owned()),
            Some(Whose::Other) => all.push("exe or comm is neither's".to_owned()),
            _ => {}
        }
        if !judged.is_heard() {
            all.push("an exec is missed".to_owned());
        }
        if judged.in_order == Some(false) {
            all.push("it stands in another place".to_owned());
        }
    }
    all
}

/// "on all kernels", or the kernels by name, three and more in a row as a range.
#[must_use]
pub fn on(kernels: &[String], columns: &[usize]) -> String {
    if columns.len() == kernels.len() {
        return "all".to_owned();
    }
    let name = |column: &usize| kernels[*column].as_str();
    let runs = columns.chunk_by(|one, next| one + 1 == *next);
    let runs = runs.map(|run| match run {
        [first, .., last] if run.len() > 2 => format!("{} to {}", name(first), name(last)),
        _ => run.iter().map(name).collect::<Vec<_>>().join(", "),
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{attempts, parse};

    fn scene(name: &str, report: &str) -> Scene {
        let text = "start p1 by launcher: execve link\n\
            stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
            perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
            stage=memory-map             pid=p1 : membarrier_exec_mmap\n\
            stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n\
            end p1: exit 0\n";
        let story = crate::stages::parse(text).unwrap();
        Scene {
            scenario: name.to_owned(),
            lies: false,
            attempts: attempts(&story),
            reports: BTreeMap::from([("tracepoints".to_owned(), parse(report).unwrap())]),
        }
    }

    fn exec(path: &str) -> String {
        format!("event=exec    pid=p1 after=1 : sched_process_exec path={path}\n")
    }

    fn table(columns: &[(&str, Vec<Scene>)]) -> Table {
        let column = |(kernel, scenes): &(&str, Vec<Scene>)| Column {
            kernel: (*kernel).to_owned(),
            scenes: scenes.clone(),
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        Table::new(&columns, &[])
    }

    #[test]
    fn kernels_that_say_the_same_are_one_group() {
        let table = table(&[
            ("1", vec![scene("a", &exec("/a"))]),
            ("2", vec![scene("a", &exec("/a"))]),
            ("3", vec![scene("a", &exec("link"))]),
        ]);
        let groups = table.row("sched_process_exec").unwrap().groups();
        let columns: Vec<_> = groups.iter().map(|(_, columns)| columns.clone()).collect();
        assert_eq!(columns, [vec![0, 1], vec![2]]);
        assert_eq!(groups[1].0.as_ref().unwrap()[2], "as passed 1");
    }

    #[test]
    fn a_scenario_that_one_kernel_lacks_counts_on_none() {
        let table = table(&[
            ("1", vec![scene("a", &exec("/a")), scene("b", &exec("/a"))]),
            ("2", vec![scene("a", &exec("/a"))]),
        ]);
        assert_eq!(table.scenarios, 1);
        let row = table.row("sched_process_exec").unwrap();
        assert_eq!(row.cells[0].as_ref().unwrap().judged.len(), 1);
    }

    #[test]
    fn a_way_without_any_report_has_no_cell() {
        let table = table(&[("1", vec![scene("a", "nothing\n")])]);
        assert!(table.row("process connector").unwrap().cells[0].is_none());
        assert!(table.row("sched_process_exec").unwrap().cells[0].is_some());
    }

    #[test]
    fn a_tracepoint_that_a_kernel_lacks_misses_nothing() {
        let table = table(&[(
            "1",
            vec![scene("a", "absent: sched_prepare_exec\nnothing\n")],
        )]);
        let row = table.row("sched_prepare_exec").unwrap();
        assert_eq!(row.groups()[0].0.as_ref().unwrap()[0], "not offered");
        assert!(row.exceptions().is_empty());
    }

    #[test]
    fn what_is_not_right_is_named_with_its_scenarios() {
        let table = table(&[(
            "1",
            vec![scene("a", "nothing\n"), scene("b", &exec("link"))],
        )]);
        let found = table.row("sched_process_exec").unwrap().exceptions();
        assert_eq!(
            found[0],
            ("an exec is missed".into(), vec!["a".into()], vec![0])
        );
        assert_eq!(
            found[1],
            ("the path is as passed".into(), vec!["b".into()], vec![0])
        );
    }

    #[test]
    fn what_is_made_to_lie_is_counted_apart() {
        let lies = Scene {
            lies: true,
            ..scene("b", &exec("/b"))
        };
        let table = table(&[("1", vec![scene("a", &exec("/a")), lies])]);
        assert_eq!(table.scenarios, 1);
        let row = table.row("sched_process_exec").unwrap();
        let words = row.groups()[0].0.clone().unwrap();
        assert_eq!((&*words[2], &*words[7]), ("right 1", "path 1"));
        let (what, scenarios, _) = &row.exceptions()[0];
        assert_eq!(what, "made to say what is not so: path");
        assert_eq!(*scenarios, ["b"]);
    }

    #[test]
    fn what_nothing_false_was_told_of_has_withstood() {
        let lies = |report: &str| Scene {
            lies: true,
            ..scene("a", report)
        };
        let word = |report: &str| {
            let table = table(&[("1", vec![lies(report)])]);
            let row = table.row("sched_process_exec").unwrap();
            row.groups()[0].0.clone().unwrap()[7].clone()
        };
        assert_eq!(word(&exec("/a")), "none of 1");
        assert_eq!(word("nothing\n"), "nothing heard");
    }

    #[test]
    fn kernels_in_a_row_are_a_range() {
        let kernels = ["5", "6", "7", "8"].map(ToOwned::to_owned);
        assert_eq!(on(&kernels, &[0, 1, 2]), "5 to 7");
        assert_eq!(on(&kernels, &[0, 3]), "5, 8");
        assert_eq!(on(&kernels, &[0, 1, 2, 3]), "all");
    }
}
