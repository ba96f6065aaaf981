//! What the page shows, in the order in which it shows it.

use serde::Serialize;

use super::docs::family;
use super::section::{Section, section};
use crate::trail::{KernelId, LabKind};
use crate::view::{Body, Record, ViewName};

/// What is known of a scenario besides its findings.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// `family/name`.
    pub name: String,
    /// One line.
    pub summary: String,
    /// Its documentation, as markdown-like text.
    pub docs: String,
    /// What is accepted, where a record differs from it.
    pub accepted: Vec<Accepted>,
}

/// What a snapshot says of one view of a scenario.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The kernel that differs.
    pub kernel: String,
    /// The kernel that has the snapshot.
    pub owner: KernelId,
    /// The view and what is accepted.
    pub body: (ViewName, Body),
}

/// The whole page.
#[derive(Debug, Serialize)]
pub struct Page {
    source: String,
    /// The kernels, oldest first.
    pub kernels: Vec<Column>,
    /// Names of all families.
    families: Vec<String>,
    /// What a reader looks at first.
    tables: Vec<Table>,
    /// What is the same on all kernels, by family.
    alike: Vec<Family>,
}

/// A kernel.
#[derive(Debug, Serialize)]
pub struct Column {
    /// Its label.
    pub id: String,
    release: String,
}

/// Scenarios of which something is to be said, in a table.
#[derive(Debug, Serialize)]
struct Table {
    heading: &'static str,
    sections: Vec<Section>,
}

/// Scenarios of one directory.
#[derive(Debug, Serialize)]
struct Family {
    name: String,
    sections: Vec<Section>,
}

impl Page {
    /// Orders the records; they come by scenario, then by kernel.
    pub fn new(records: &[Record], chapters: &[Chapter], source: &str) -> Page {
        let kernels = columns(records);
        let seen = |chapter: &&Chapter| records.iter().any(|one| one.scenario == chapter.name);
        let chapters: Vec<_> = chapters.iter().filter(seen).collect();
        let names: Vec<_> = chapters.iter().map(|one| one.name.as_str()).collect();
        let (mut called, mut changing) = (Vec::new(), Vec::new());
        let mut alike: Vec<Family> = Vec::new();
        let mut families: Vec<String> = Vec::new();
        for chapter in chapters {
            let own = records.iter().filter(|one| one.scenario == chapter.name);
            let section = section(chapter, &own.collect::<Vec<_>>(), &kernels, &names);
            let (family, _) = family(&chapter.name);
            if !family.is_empty() && !families.iter().any(|known| known == family) {
                families.push(family.to_owned());
            }
            if section.calls() {
                called.push(section);
            } else if section.changes() {
                changing.push(section);
            } else if let Some(known) = alike.iter_mut().find(|known| known.name == family) {
                known.sections.push(section);
            } else {
                alike.push(Family {
                    name: family.to_owned(),
                    sections: vec![section],
                });
            }
        }
        let tables = [
            ("Not as accepted", called),
            ("Changes between kernels", changing),
        ];
        let tables = tables.map(|(heading, sections)| Table { heading, sections });
        let tables = tables.into_iter().filter(|one| !one.sections.is_empty());
        Page {
            source: source.to_owned(),
            kernels,
            families,
            tables: tables.collect(),
            alike,
        }
    }
}

/// The kernels from the oldest on; the running one stands last, whatever its series.
fn columns(records: &[Record]) -> Vec<Column> {
    let mut ids: Vec<((bool, Option<KernelId>), Column)> = Vec::new();
    for record in records {
        let kernel = &record.kernel;
        if !ids.iter().any(|(_, column)| column.id == kernel.label()) {
            let column = Column {
                id: kernel.label().to_owned(),
                release: kernel.release.clone(),
            };
            ids.push((
                (kernel.lab == LabKind::Native, kernel.id.parse().ok()),
                column,
            ));
        }
    }
    ids.sort_by(|(a, _), (b, _)| a.cmp(b));
    ids.into_iter().map(|(_, column)| column).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chapter, record};
    use super::*;

    fn page(records: &[Record]) -> Page {
        Page::new(records, &[chapter()], "test")
    }

    #[test]
    fn kernels_stand_in_the_order_of_releases() {
        let page = page(&[record("6.12", "a"), record("6.1", "a")]);
        let ids: Vec<_> = page.kernels.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["6.1", "6.12"]);
    }

    #[test]
    fn what_is_the_same_on_all_kernels_is_folded() {
        let page = page(&[record("6.1", "a"), record("6.12", "a")]);
        assert_eq!((page.tables.len(), page.alike.len()), (0, 1));
    }

    #[test]
    fn a_case_without_a_family_is_in_none_and_one_below_it_has_a_name_of_its_own() {
        let names = ["a", "f/g/same", "f/h/same"];
        let mut records: Vec<Record> = Vec::new();
        let mut chapters = Vec::new();
        for name in names {
            let mut record = record("6.1", "a");
            record.scenario = name.to_owned();
            records.push(record);
            let mut chapter = chapter();
            chapter.name = name.to_owned();
            chapters.push(chapter);
        }
        let page = serde_json::to_value(Page::new(&records, &chapters, "test")).unwrap();
        assert_eq!(page["families"], serde_json::json!(["f"]));
        let shorts: Vec<_> = page["alike"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|family| family["sections"].as_array().unwrap())
            .map(|section| (section["family"].as_str(), section["short"].as_str()))
            .collect();
        let expected = [("", "a"), ("f", "g/same"), ("f", "h/same")];
        assert_eq!(
            shorts,
            expected.map(|(family, short)| (Some(family), Some(short)))
        );
    }

    #[test]
    fn a_change_between_kernels_is_in_a_table() {
        let page = page(&[record("6.1", "a"), record("6.12", "b")]);
        assert_eq!(page.tables[0].heading, "Changes between kernels");
    }

    #[test]
    fn what_is_not_as_accepted_comes_first() {
        let mut changed = record("6.12", "b");
        changed.seen[0].outcome = crate::trail::Outcome::Changed;
        let page = page(&[record("6.1", "a"), changed]);
        assert_eq!(page.tables[0].heading, "Not as accepted");
    }
}
