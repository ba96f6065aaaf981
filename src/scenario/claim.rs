//! A claim of a specification, what was held against it, and the verdict that follows.

use anyhow::{Result, ensure};

use crate::trail::{Judgement, Verdict};

/// A claim in the making of its verdict.
///
/// A scenario adds what it tried; [`System::verdict`](super::System::verdict) puts the verdict into
/// the trail. The claim's text is in the specification (`scenarios/contract/*.toml`).
#[derive(Clone, Debug)]
pub struct Evidence {
    id: &'static str,
    points: Vec<Point>,
    also: Vec<String>,
    unreachable: Option<String>,
}

/// One thing that the claim states, tried.
#[derive(Clone, Debug)]
struct Point {
    what: String,
    wanted: String,
    got: String,
    /// What has to be true beside what is stated.
    condition: Option<String>,
}

impl Point {
    fn is_met(&self) -> bool {
        self.wanted == self.got
    }
}

impl Evidence {
    /// A claim by its id, such as `error/E2BIG`.
    #[must_use]
    pub fn new(id: &'static str) -> Evidence {
        Evidence {
            id,
            points: Vec::new(),
            also: Vec::new(),
            unreachable: None,
        }
    }

    /// Something that is stated: what was tried, what should come of it, and what came.
    pub fn stated(&mut self, what: &str, wanted: impl ToString, got: impl ToString) {
        self.add(what, wanted.to_string(), got.to_string(), None);
    }

    /// Something that is stated and was only tried under a condition that is not.
    pub fn stated_if(
        &mut self,
        condition: &str,
        what: &str,
        wanted: impl ToString,
        got: impl ToString,
    ) {
        let condition = Some(condition.to_owned());
        self.add(what, wanted.to_string(), got.to_string(), condition);
    }

    /// Something that is not stated and gives the same; no matter for the verdict.
    pub fn also(&mut self, what: &str) {
        self.also.push(what.to_owned());
    }

    /// The other side of a trigger, without which it would show nothing.
    ///
    /// # Errors
    ///
    /// It is not as wanted: then we have not understood what the trigger does.
    pub fn control(&self, what: &str, wanted: impl ToString, got: impl ToString) -> Result<()> {
        let (wanted, got) = (wanted.to_string(), got.to_string());
        ensure!(wanted == got, "{}: {what}: {got}, not {wanted}", self.id);
        Ok(())
    }

    /// No trigger brings about what is stated; `why` says where the kernel would return it.
    pub fn unreachable(&mut self, why: &str) {
        self.unreachable = Some(why.to_owned());
    }

    fn add(&mut self, what: &str, wanted: String, got: String, condition: Option<String>) {
        self.points.push(Point {
            what: what.to_owned(),
            wanted,
            got,
            condition,
        });
    }

    /// What follows from what was tried.
    ///
    /// # Errors
    ///
    /// Nothing was tried, or what is called unreachable was reached.
    pub fn verdict(&self) -> Result<Verdict> {
        let (verdict, evidence) = match &self.unreachable {
            Some(why) => {
                let reached = self.points.iter().any(Point::is_met) || !self.also.is_empty();
                ensure!(
                    !reached,
                    "{} is called unreachable and was reached",
                    self.id
                );
                (Judgement::Unreachable, why.clone())
            }
            None => self.judge()?,
        };
        Ok(Verdict {
            claim: self.id.to_owned(),
            verdict,
            evidence,
        })
    }

    fn judge(&self) -> Result<(Judgement, String)> {
        ensure!(!self.points.is_empty(), "nothing was tried for {}", self.id);
        let (met, failed): (Vec<_>, Vec<_>) = self.points.iter().partition(|point| point.is_met());
        let conditions = met.iter().filter_map(|point| {
            let condition = point.condition.as_ref()?;
            Some(format!("{} only {condition}", point.what))
        });
        let told = failed.iter().map(|point| {
            let Point {
                what, got, wanted, ..
            } = point;
            format!("{what}: {got}, not {wanted}")
        });
        let mut evidence: Vec<String> = told.chain(conditions).collect();
        let verdict = match (evidence.is_empty(), met.is_empty()) {
            (true, _) => Judgement::Holds,
            (false, true) => Judgement::Contradicted,
            (false, false) => Judgement::Partly,
        };
        if verdict == Judgement::Holds {
            evidence.extend(met.iter().map(|point| point.what.clone()));
        }
        if !self.also.is_empty() {
            evidence.push(format!("also: {}", self.also.join(", ")));
        }
        Ok((verdict, evidence.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(points: &[(&str, &str)]) -> Evidence {
        let mut claim = Evidence::new("error/EACCES");
        for (what, got) in points {
            claim.stated(what, "errno EACCES", got);
        }
        claim
    }

    fn said(claim: &Evidence) -> (Judgement, String) {
        let Verdict {
            verdict, evidence, ..
        } = claim.verdict().unwrap();
        (verdict, evidence)
    }

    #[test]
    fn a_claim_whose_every_reason_gives_it_holds() {
        let claim = claim(&[("directory", "errno EACCES"), ("pipe", "errno EACCES")]);
        assert_eq!(said(&claim), (Judgement::Holds, "directory; pipe".into()));
    }

    #[test]
    fn another_reason_does_not_change_the_verdict() {
        let mut claim = claim(&[("directory", "errno EACCES")]);
        claim.also("noexec");
        assert_eq!(
            said(&claim),
            (Judgement::Holds, "directory; also: noexec".into())
        );
    }

    #[test]
    fn a_claim_of_which_nothing_comes_true_is_contradicted() {
        let told = "directory: exit 0, not errno EACCES".into();
        assert_eq!(
            said(&claim(&[("directory", "exit 0")])),
            (Judgement::Contradicted, told)
        );
    }

    #[test]
    fn a_claim_of_which_one_reason_fails_holds_partly() {
        let claim = claim(&[("directory", "errno EACCES"), ("pipe", "exit 0")]);
        let told = "pipe: exit 0, not errno EACCES".into();
        assert_eq!(said(&claim), (Judgement::Partly, told));
    }

    #[test]
    fn a_claim_that_needs_a_condition_which_is_not_stated_holds_partly() {
        let mut claim = Evidence::new("error/EAGAIN");
        claim.stated_if("after setuid", "limit", "errno EAGAIN", "errno EAGAIN");
        let told = "limit only after setuid".into();
        assert_eq!(said(&claim), (Judgement::Partly, told));
    }

    #[test]
    fn a_claim_for_which_nothing_was_tried_has_no_verdict() {
        assert!(claim(&[]).verdict().is_err());
    }

    #[test]
    fn what_was_reached_cannot_be_called_unreachable() {
        let mut claim = claim(&[("directory", "errno EACCES")]);
        claim.unreachable("nobody returns it");
        assert!(claim.verdict().is_err());
    }
}
