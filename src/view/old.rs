//! Records of schema 1: the trail's and the stages' keys stood side by side.

use serde::Deserialize;

use super::stages::Stages;
use super::trail::Steps;
use super::{Body, Record, STAGES, TRAIL, ViewSeen};
use crate::stages::{Inside, Point, Story};
use crate::trail::{Agreement, KernelInfo, LabKind, Outcome, Trail};

/// A record of schema 1; it is read, and never written.
#[derive(Deserialize)]
pub(super) struct First {
    scenario: String,
    kernel: Kernel,
    outcome: Outcome,
    reason: Option<String>,
    #[serde(flatten)]
    trail: Trail,
    model: Option<Agreement>,
    #[serde(default)]
    stages: Vec<Point>,
    #[serde(default)]
    untraceable: Vec<String>,
    stages_outcome: Option<Outcome>,
    stages_reason: Option<String>,
}

#[derive(Deserialize)]
struct Kernel {
    id: String,
    release: String,
    lab: LabKind,
}

impl First {
    pub(super) fn into_record(self) -> Result<Record, String> {
        let one = |view, outcome, reason, body| ViewSeen {
            view,
            outcome,
            reason,
            body,
            judged: None,
        };
        let inside = Inside {
            stages: self.stages,
            untraceable: self.untraceable,
            absent: Vec::new(),
        };
        let story = Story {
            trail: self.trail.clone(),
            inside,
        };
        let body = match self.trail == Trail::default() {
            true => None,
            false => Some(Body::new::<Steps>(super::trail::whole(self.trail)?)),
        };
        let mut seen = vec![one(TRAIL, self.outcome, self.reason, body)];
        if let Some(outcome) = self.stages_outcome {
            let some = !story.inside.stages.is_empty() || outcome == Outcome::Same;
            let body = some.then(|| super::stages::whole(story)).transpose()?;
            let body = body.map(Body::new::<Stages>);
            seen.push(one(STAGES, outcome, self.stages_reason, body));
        }
        Ok(Record {
            scenario: self.scenario,
            kernel: KernelInfo::of(&self.kernel.id, &self.kernel.release, self.kernel.lab),
            seen,
            model: self.model,
            output: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = concat!(
        r#"{"schema":1,"scenario":"start/shebang","kernel":{"id":"6.12","release":"6.12.107","#,
        r#""lab":"vm"},"outcome":"same","reason":null,"started":[{"process":"p1","by":"#,
        r#""launcher","call":"execve","path":"/a"}],"trail":[{"process":"p1","parent":"#,
        r#""launcher","step":"execute","mask":"0x40000","exe":"/x","exe_link":true,"#,
        r#""comm":"x","path":"/a"}],"ended":[{"process":"p1","exit":0}],"stages":["#,
        r#"{"process":"p1","stage":"open","symbol":"do_open_execat"}],"#,
        r#""stages_outcome":"changed"}"#,
    );

    fn read(text: &str) -> Result<Record, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_record_of_schema_1_is_read_with_both_views() {
        let record = read(RECORD).unwrap();
        assert_eq!(record.trail().map(|trail| trail.steps.len()), Some(1));
        let stages = record.body::<Stages>().unwrap();
        assert_eq!(stages.inside.stages.len(), 1);
        assert_eq!(record.of(STAGES).unwrap().outcome, Outcome::Changed);
    }

    #[test]
    fn a_record_without_the_second_view_has_none() {
        let text = RECORD.replace(r#","stages_outcome":"changed""#, "");
        assert!(read(&text).unwrap().of(STAGES).is_none());
    }

    #[test]
    fn a_trail_that_its_text_does_not_tell_is_refused_here_too() {
        let text = RECORD.replace(r#""process":"p1","exit""#, r#""process":"p2","exit""#);
        assert!(read(&text).unwrap_err().contains("another one"));
    }

    #[test]
    fn a_trail_that_is_the_same_and_empty_is_refused_here_too() {
        let begin = RECORD.find("\"started\"").unwrap();
        let text = format!(
            "{}\"started\":[],\"trail\":[],\"ended\":[]}}",
            &RECORD[..begin]
        );
        assert!(read(&text).is_err());
    }
}
