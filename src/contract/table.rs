//! Claims times kernels, with the verdict of each.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::{Claim, Group, Specification};
use crate::trail::{Judgement, Trail, Verdict};

/// What was seen on one kernel.
#[derive(Clone, Debug)]
pub struct Column {
    /// The kernel's id, or what it is called in the table.
    pub kernel: String,
    /// The trails of scenarios, by name.
    pub trails: BTreeMap<String, Trail>,
}

/// One specification on some kernels.
#[derive(Clone, Debug)]
pub struct Table {
    /// What is claimed.
    pub specification: Specification,
    /// The kernels, in the order of the columns.
    pub kernels: Vec<String>,
    /// A row for each claim, in the order of the specification.
    pub rows: Vec<Row>,
}

/// What became of one claim.
#[derive(Clone, Debug)]
pub struct Row {
    /// The claim.
    pub claim: Claim,
    /// The scenario that judges it; none when there is none yet.
    pub scenario: Option<String>,
    /// The verdict on each kernel; none where the scenario has no trail.
    pub verdicts: Vec<Option<Verdict>>,
}

impl Table {
    /// Gathers the verdicts on one specification; those on the claims of others are left out.
    ///
    /// # Errors
    ///
    /// Two scenarios judge the same claim.
    pub fn new(specification: &Specification, columns: &[Column]) -> Result<Table> {
        let rows = specification.claims.iter().map(|claim| row(claim, columns));
        Ok(Table {
            specification: specification.clone(),
            kernels: columns.iter().map(|column| column.kernel.clone()).collect(),
            rows: rows.collect::<Result<_>>()?,
        })
    }

    /// The rows of a group.
    pub fn of<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Row> {
        let ids: Vec<&str> = self
            .specification
            .of(group)
            .map(|claim| claim.id.as_str())
            .collect();
        self.rows
            .iter()
            .filter(move |row| ids.contains(&row.claim.id.as_str()))
    }
}

impl Row {
    /// Whether the claim simply holds on all kernels that it was checked on.
    #[must_use]
    pub fn holds(&self) -> bool {
        let mut all = self.verdicts.iter().flatten();
        self.is_checked() && all.all(|found| found.verdict == Judgement::Holds)
    }

    /// Whether there is a verdict at all.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.verdicts.iter().any(Option::is_some)
    }

    /// The columns without a verdict.
    #[must_use]
    pub fn unchecked(&self) -> Vec<usize> {
        let columns = self.verdicts.iter().enumerate();
        let empty = columns.filter(|(_, verdict)| verdict.is_none());
        empty.map(|(column, _)| column).collect()
    }

    /// The verdicts that do not simply hold, or hold where others do not, each with the numbers of
    /// its columns.
    #[must_use]
    pub fn behaviours(&self) -> Vec<(&Verdict, Vec<usize>)> {
        let mut all: Vec<(&Verdict, Vec<usize>)> = Vec::new();
        for (column, verdict) in self.verdicts.iter().enumerate() {
            let Some(verdict) = verdict else { continue };
            match all.iter_mut().find(|(known, _)| *known == verdict) {
                Some((_, columns)) => columns.push(column),
                None => all.push((verdict, vec![column])),
            }
        }
        all
    }
}

fn row(claim: &Claim, columns: &[Column]) -> Result<Row> {
    let mut scenario: Option<String> = None;
    let mut verdicts = Vec::new();
    for column in columns {
        let mut own = None;
        for (name, trail) in &column.trails {
            for verdict in trail
                .verdicts
                .iter()
                .filter(|found| found.claim == claim.id)
            {
                let other = scenario.get_or_insert_with(|| name.clone());
                let alone = *other == *name && own.is_none();
                ensure!(alone, "{} is judged by {other} and by {name}", claim.id);
                own = Some(verdict.clone());
            }
        }
        verdicts.push(own);
    }
    Ok(Row {
        claim: claim.clone(),
        scenario,
        verdicts,
    })
}

/// Refuses verdicts on claims that no specification has.
///
/// # Errors
///
/// The first such verdict.
pub fn all_known(specifications: &[Specification], columns: &[Column]) -> Result<()> {
    for (name, trail) in columns.iter().flat_map(|column| &column.trails) {
        for Verdict { claim, .. } in &trail.verdicts {
            let mut claims = specifications.iter().flat_map(|one| &one.claims);
            let known = claims.any(|known| known.id == *claim);
            ensure!(known, "{name} judges {claim}, which no specification has");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::parse;

    const SPECIFICATION: &str = "call = \"x\"\ntitle = \"X\"\nabout = \"Z\"\n\
        [[group]]\nid = \"a\"\ntitle = \"A\"\nabout = \"B\"\n\
        [[claim]]\nid = \"a/b\"\ntext = \"T\"\nsource = \"S\"\nstatus = \"stated\"\n";

    fn column(kernel: &str, trails: &[(&str, &str)]) -> Column {
        let trail = |(name, text): &(&str, &str)| ((*name).to_owned(), parse(text).unwrap());
        Column {
            kernel: kernel.to_owned(),
            trails: trails.iter().map(trail).collect(),
        }
    }

    fn specification() -> Specification {
        Specification::parse(SPECIFICATION).unwrap()
    }

    #[test]
    fn equal_verdicts_of_two_kernels_are_one_behaviour() {
        let columns = [
            column("1.0", &[("contract/a", "verdict a/b holds: x\n")]),
            column("2.0", &[]),
            column("3.0", &[("contract/a", "verdict a/b holds: x\n")]),
        ];
        let table = Table::new(&specification(), &columns).unwrap();
        let row = &table.rows[0];
        assert!(row.holds());
        assert_eq!(row.behaviours()[0].1, [0, 2]);
    }

    #[test]
    fn a_claim_that_two_scenarios_judge_is_refused() {
        let text = "verdict a/b holds: x\n";
        let columns = [column("1.0", &[("contract/a", text), ("contract/b", text)])];
        assert!(Table::new(&specification(), &columns).is_err());
    }

    #[test]
    fn a_claim_that_nobody_makes_is_refused() {
        let columns = [column("1.0", &[("contract/a", "verdict a/c holds: x\n")])];
        assert!(all_known(&[specification()], &columns).is_err());
    }
}
