//! How often each kernel was run and what came of it: a file that every round adds to.
//!
//! It is committed, so that no text claims more than it holds. A run is all scenarios that there are, each to its own end;
//! one of fewer is partial. Rows are of one release on one number of CPUs, because another one is another experiment.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::page::{is_page, markdown};
use crate::trail::Outcome;
use crate::view::{Record, ViewSeen, label};
use crate::{bound, files};

/// The statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Soak {
    /// A row for each kernel, release and number of CPUs.
    #[serde(rename = "kernel", default)]
    pub rows: Vec<Row>,
    /// Everything that was not as accepted, in the order in which it was seen.
    #[serde(rename = "finding", default)]
    pub findings: Vec<Finding>,
}

/// One kernel on one number of CPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its id, or `native`.
    pub id: String,
    /// Its release.
    pub release: String,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Runs of all scenarios.
    pub runs: u64,
    /// Runs in which some were left out, or were lost with their guest, or that were stopped.
    #[serde(default, skip_serializing_if = "is_none")]
    pub partial: u64,
    /// Views that were as accepted.
    pub same: u64,
    /// Views that were not.
    pub differing: u64,
    /// Views of which nothing was seen.
    pub broken: u64,
}

/// What was not as accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The kernel's id.
    pub id: String,
    /// Virtual CPUs.
    pub cpus: u32,
    /// What orders the scenarios; none for their own order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Scenario and view.
    pub what: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many more views of the same run are broken for the same reason, as with a kernel that did not come up.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: u64,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

const HEAD: &str = "# Written by `exetrail run --repeat N --soak FILE`, a row a kernel; each round adds to it.\n\n";

impl Soak {
    /// Changes the file, which is made where there is none, and beside it the page that tells what is in it; returns what is
    /// in it then. Another run that has the same file waits meanwhile.
    ///
    /// # Errors
    ///
    /// The file or its page is something else, or one cannot be written, and is as it was.
    pub fn update(file: &Path, change: impl FnOnce(&mut Soak)) -> Result<Soak> {
        if file.extension().is_none_or(|end| end != "toml") {
            bail!(
                "{} does not end with .toml, and its page would be a file with .md instead",
                file.display()
            );
        }
        let _held = files::hold(file)?;
        let mut soak = Soak::read(file)?;
        let page = file.with_extension("md");
        if page.try_exists().is_ok_and(|there| there) {
            let text = bound::text(&page, bound::RECORD)?;
            if !text.is_empty() && !is_page(&text) {
                bail!(
                    "{} is not a soak's page, and would be replaced by the one of {}: name another file",
                    page.display(),
                    file.display()
                );
            }
        }
        change(&mut soak);
        let text = toml::to_string(&soak).context("failed to write statistics as TOML")?;
        files::replace(file, format!("{HEAD}{text}").as_bytes())?;
        files::replace(&page, markdown(&soak).as_bytes())?;
        Ok(soak)
    }

    pub(super) fn read(file: &Path) -> Result<Soak> {
        let text = bound::text(file, bound::RECORD)?;
        toml::from_str(&text).with_context(|| format!("{} is not a soak's file", file.display()))
    }

    /// How many runs, whole or partial and of whatever release, the kernel has that has most of them: where seeds go on.
    #[must_use]
    pub fn runs(&self, cpus: u32) -> u64 {
        let mut runs: BTreeMap<&str, u64> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.cpus == cpus) {
            *runs.entry(&row.id).or_default() += row.runs + row.partial;
        }
        runs.into_values().max().unwrap_or(0)
    }

    /// Adds a round; `scenarios` is how many there are. What a kernel showed that did not come through all of them is kept all
    /// the same.
    pub fn add(&mut self, records: &[Record], scenarios: usize, cpus: u32, seed: Option<u64>) {
        let mut ids: Vec<&str> = records.iter().map(|record| record.kernel.label()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let own: Vec<_> = records
                .iter()
                .filter(|one| one.kernel.label() == id)
                .collect();
            let mut seen = own.iter().flat_map(|record| &record.seen);
            let complete = own.len() == scenarios && !seen.any(ViewSeen::went_with_its_guest);
            let Some(release) = own.first().map(|record| record.kernel.release.clone()) else {
                continue;
            };
            let mut counts = [0; 3];
            let begin = self.findings.len();
            for record in own {
                for seen in &record.seen {
                    let place = match seen.outcome {
                        Outcome::Same | Outcome::Seen => 0,
                        Outcome::Changed | Outcome::New => 1,
                        Outcome::Broken => 2,
                        Outcome::Unsupported => continue,
                    };
                    counts[place] += 1;
                    if place > 0 {
                        let reason = seen.reason.as_deref().and_then(|text| text.lines().next());
                        let mut own = self.findings[begin..].iter_mut();
                        let same = own.find(|other| other.reason.as_deref() == reason);
                        if let Some(other) = same.filter(|_| reason.is_some()) {
                            other.more += 1;
                            continue;
                        }
                        self.findings.push(Finding {
                            id: id.to_owned(),
                            cpus,
                            seed,
                            what: label(&record.scenario, seen.view),
                            outcome: seen.outcome,
                            reason: reason.map(ToOwned::to_owned),
                            more: 0,
                        });
                    }
                }
            }
            let row = self.row(id, &release, cpus);
            row.runs += u64::from(complete);
            row.partial += u64::from(!complete);
            row.same += counts[0];
            row.differing += counts[1];
            row.broken += counts[2];
        }
    }

    fn row(&mut self, id: &str, release: &str, cpus: u32) -> &mut Row {
        let same = |row: &Row| row.id == id && row.release == release && row.cpus == cpus;
        let place = self.rows.iter().position(same).unwrap_or_else(|| {
            self.rows.push(Row {
                id: id.to_owned(),
                release: release.to_owned(),
                cpus,
                runs: 0,
                partial: 0,
                same: 0,
                differing: 0,
                broken: 0,
            });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::view::tests::record;

    /// After one round of two scenarios, of which one gave this.
    pub fn after(outcome: Outcome) -> Soak {
        let mut soak = Soak::default();
        let own = [
            record("start/a", "6.1", Outcome::Same),
            record("start/b", "6.1", outcome),
        ];
        soak.add(&own, 2, 1, Some(7));
        soak
    }

    #[test]
    fn a_round_adds_a_run_and_what_was_as_accepted() {
        let mut soak = after(Outcome::Same);
        soak.add(&[record("start/a", "6.1", Outcome::Same)], 1, 1, None);
        let row = &soak.rows[0];
        assert_eq!(
            (row.runs, row.same, row.differing, row.broken),
            (2, 3, 0, 0)
        );
        assert_eq!(row.partial, 0);
        assert!(soak.findings.is_empty());
    }

    #[test]
    fn what_differs_is_kept_with_its_seed() {
        let soak = after(Outcome::Changed);
        assert_eq!(soak.rows[0].differing, 1);
        assert_eq!(soak.findings[0].what, "start/b");
        assert_eq!(soak.findings[0].seed, Some(7));
    }

    #[test]
    fn what_is_broken_is_kept_with_its_reason() {
        let soak = after(Outcome::Broken);
        assert_eq!(soak.rows[0].broken, 1);
        assert_eq!(soak.findings[0].reason.as_deref(), Some("because"));
    }

    #[test]
    fn what_is_broken_for_one_reason_is_one_finding_of_a_run() {
        let mut soak = Soak::default();
        for _ in 0..2 {
            let broken = |name| record(name, "6.1", Outcome::Broken);
            soak.add(&[broken("start/a"), broken("start/b")], 2, 1, None);
        }
        let found = soak
            .findings
            .iter()
            .map(|found| (found.what.as_str(), found.more));
        assert_eq!(found.collect::<Vec<_>>(), [("start/a", 1), ("start/a", 1)]);
        assert_eq!(soak.rows[0].broken, 4);
    }

    #[test]
    fn a_run_of_fewer_scenarios_is_a_partial_one() {
        let mut soak = Soak::default();
        soak.add(&[record("start/a", "6.1", Outcome::Same)], 2, 1, None);
        let row = &soak.rows[0];
        assert_eq!((row.runs, row.partial, row.same), (0, 1, 1));
        // Its seed is not taken a second time.
        assert_eq!(soak.runs(1), 1);
    }

    #[test]
    fn a_run_that_lost_scenarios_with_their_guest_is_a_partial_one() {
        let mut own = [
            record("start/a", "6.1", Outcome::Same),
            record("start/b", "6.1", Outcome::Broken),
        ];
        own[1].seen[0].reason = Some("the guest hangs\nthe console is empty".into());
        let mut soak = Soak::default();
        soak.add(&own, 2, 1, None);
        let row = &soak.rows[0];
        assert_eq!((row.runs, row.partial, row.broken), (0, 1, 1));
    }

    #[test]
    fn a_row_of_an_older_exetrail_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("soak.toml");
        let row = "id = \"6.1\"\nrelease = \"6.1.1\"\ncpus = 1\nruns = 2\nsame = 3\ndiffering = 0\nbroken = 0\n";
        std::fs::write(&file, format!("[[kernel]]\n{row}")).unwrap();
        let soak = Soak::read(&file).unwrap();
        assert_eq!((soak.rows[0].runs, soak.rows[0].partial), (2, 0));
    }

    #[test]
    fn another_number_of_cpus_is_another_row() {
        let mut soak = after(Outcome::Same);
        soak.add(&[record("start/a", "6.1", Outcome::Same)], 1, 2, None);
        assert_eq!(soak.rows.len(), 2);
        assert_eq!((soak.runs(1), soak.runs(2), soak.runs(4)), (1, 1, 0));
    }

    #[test]
    fn a_seed_is_not_taken_again_by_another_release() {
        let mut soak = Soak::default();
        let mut own = [record("start/a", "6.1", Outcome::Same)];
        for (round, release) in (1..).zip(["6.1.1", "6.1.1", "6.1.2"]) {
            release.clone_into(&mut own[0].kernel.release);
            soak.add(&own, 1, 1, None);
            assert_eq!(soak.runs(1), round);
        }
        assert_eq!(soak.rows.len(), 2);
    }

    #[test]
    fn the_file_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("soak.toml");
        assert_eq!(Soak::update(&file, |_| {}).unwrap(), Soak::default());
        let soak = after(Outcome::Broken);
        Soak::update(&file, |all| *all = soak.clone()).unwrap();
        assert_eq!(Soak::update(&file, |_| {}).unwrap(), soak);
    }

    #[test]
    fn runs_side_by_side_lose_no_round() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("soak.toml");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let records = [record("start/a", "6.1", Outcome::Same)];
                    Soak::update(&file, |soak| soak.add(&records, 1, 1, None)).unwrap();
                });
            }
        });
        assert_eq!(Soak::update(&file, |_| {}).unwrap().runs(1), 8);
    }

    #[test]
    fn what_is_somebody_elses_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("notes.md");
        std::fs::write(&page, "# Notes\n").unwrap();
        for (name, why) in [
            ("notes.md", "does not end with .toml"),
            ("notes.toml", "notes.md is not a soak's page"),
        ] {
            let error = Soak::update(&dir.path().join(name), |_| {}).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&page).unwrap(), "# Notes\n");
    }

    #[test]
    fn another_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("soak.toml");
        std::fs::write(&file, "[[kernels]]\n").unwrap();
        let error = format!("{:#}", Soak::read(&file).unwrap_err());
        assert!(error.contains("soak.toml is not a soak's file"), "{error}");
    }
}
