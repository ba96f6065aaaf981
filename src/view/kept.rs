//! The JSON of a record, in its present form and, by [`super::old`], in the first one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{Record, SCHEMA, ViewSeen};
use super::{Body, Judged, TRAIL, ViewName, old};
use crate::trail::{Agreement, KernelInfo, Outcome, Trail, foreign};
use crate::wire::Wrote;

/// A record in its present form.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    schema: u32,
    scenario: String,
    kernel: KernelInfo,
    seen: Vec<One>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<Agreement>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    output: Vec<Wrote>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct One {
    view: ViewName,
    outcome: Outcome,
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judged: Option<Judged>,
}

impl From<Record> for Kept {
    fn from(record: Record) -> Kept {
        let seen = record.seen.into_iter().map(|seen| One {
            body: seen.body.as_ref().and_then(|body| write(seen.view, body)),
            view: seen.view,
            outcome: seen.outcome,
            reason: seen.reason,
            judged: seen.judged,
        });
        Kept {
            schema: SCHEMA,
            scenario: record.scenario,
            kernel: record.kernel,
            seen: seen.collect(),
            model: record.model,
            output: record.output,
        }
    }
}

fn write(view: ViewName, body: &Body) -> Option<Value> {
    Some(view.view()?.write(body))
}

/// The version of a record's form, whatever else is in it.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

impl TryFrom<Value> for Record {
    type Error = String;

    fn try_from(json: Value) -> Result<Record, String> {
        let json = foreign(json);
        let said = |error: serde_json::Error| error.to_string();
        let Head { schema } = Head::deserialize(&json).map_err(said)?;
        let record = match schema {
            1 => old::First::deserialize(json).map_err(said)?.into_record()?,
            SCHEMA => Kept::deserialize(json).map_err(said)?.into_record()?,
            _ => return Err(format!("there is no schema {schema}")),
        };
        record.seen.iter().try_for_each(whole)?;
        Ok(record)
    }
}

impl Kept {
    fn into_record(self) -> Result<Record, String> {
        let mut seen: Vec<ViewSeen> = Vec::new();
        for one in self.seen {
            if seen.iter().any(|known| known.view == one.view) {
                return Err(format!("the view {} is in it twice", one.view));
            }
            // The trail comes first, because the others are placed in it.
            let nothing = Trail::default();
            let trail = seen.first().and_then(|seen| seen.body.as_ref());
            let trail = trail.and_then(Body::get::<super::trail::Steps>);
            if trail.is_none() && one.view != TRAIL && one.body.is_some() {
                return Err(format!("it has a view {} and no trail before it", one.view));
            }
            let read = |body| {
                let view = one.view.view().ok_or("an unknown view")?;
                let body = view.read(body, trail.unwrap_or(&nothing));
                body.map_err(|error| format!("view {}: {error}", one.view))
            };
            let body = one.body.map(read).transpose()?;
            seen.push(ViewSeen {
                view: one.view,
                outcome: one.outcome,
                reason: one.reason,
                body,
                judged: one.judged,
            });
        }
        Ok(Record {
            scenario: self.scenario,
            kernel: self.kernel,
            seen,
            model: self.model,
            output: self.output,
        })
    }
}

/// Refuses an outcome without anything to show for it, and a failure without its reason.
fn whole(seen: &ViewSeen) -> Result<(), String> {
    let ViewSeen {
        view,
        outcome,
        reason,
        body,
        ..
    } = seen;
    match outcome {
        Outcome::Same | Outcome::Seen | Outcome::Changed | Outcome::New if body.is_none() => Err(
            format!("view {view}: it is said to be {outcome}, and nothing was seen"),
        ),
        Outcome::Unsupported | Outcome::Broken if reason.is_none() => {
            Err(format!("view {view}: it is {outcome} without a reason"))
        }
        Outcome::Unsupported if body.is_some() => Err(format!(
            "view {view}: it is unsupported, and something was seen"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trail::Steps;
    use super::super::{STAGES, View};
    use super::*;
    use crate::trail::LabKind;

    const TEXT: &str = "start p1 by launcher: execve /a\n\
                        perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
                        end p1: exit 0\n";

    fn record() -> Record {
        Record {
            scenario: "start/shebang".into(),
            kernel: KernelInfo::of("6.12", "6.12.107+deb13-cloud-amd64", LabKind::Vm),
            seen: vec![
                ViewSeen {
                    view: TRAIL,
                    outcome: Outcome::Same,
                    reason: None,
                    body: Some(Body::new::<Steps>(Steps::parse(TEXT).unwrap())),
                    judged: Some(Judged {
                        owner: "5.10".parse().ok(),
                        diff: None,
                    }),
                },
                ViewSeen::nothing(STAGES, Outcome::Unsupported, "needs tracefs"),
            ],
            model: None,
            output: Vec::new(),
        }
    }

    #[test]
    fn a_record_has_the_documented_form() {
        let json = concat!(
            r#"{"schema":2,"scenario":"start/shebang","kernel":{"id":"6.12","#,
            r#""release":"6.12.107+deb13-cloud-amd64","flavour":"cloud","arch":"x86-64","#,
            r#""lab":"vm"},"seen":[{"view":"trail","outcome":"same","reason":null,"body":"#,
            r#"{"ended":[{"exit":0,"process":"p1"}],"started":[{"by":"launcher","call":"#,
            r#""execve","path":"/a","process":"p1"}],"trail":[{"comm":"x","exe":"/x","#,
            r#""exe_link":true,"mask":"0x40000","parent":"launcher","path":"/a","process":"#,
            r#""p1","step":"execute"}]},"judged":{"owner":"5.10","diff":null}},{"view":"#,
            r#""stages","outcome":"unsupported","reason":"needs tracefs"}]}"#,
        );
        assert_eq!(serde_json::to_string(&record()).unwrap(), json);
        let read: Record = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    /// Why a record is refused whose JSON was changed.
    fn refused(change: impl Fn(&mut Value)) -> String {
        let mut json = serde_json::to_value(record()).unwrap();
        change(&mut json);
        serde_json::from_value::<Record>(json)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_same_as_a_snapshot_is_nothing_that_was_not_seen() {
        let error = refused(|json| json["seen"][0]["body"] = Value::Null);
        assert!(error.contains("nothing was seen"), "{error}");
    }

    #[test]
    fn what_is_broken_has_a_reason() {
        let error = refused(|json| {
            json["seen"][0]["outcome"] = "broken".into();
        });
        assert!(error.contains("without a reason"), "{error}");
    }

    #[test]
    fn a_view_stands_in_a_record_once() {
        let error = refused(|json| json["seen"][1] = json["seen"][0].clone());
        assert!(error.contains("twice"), "{error}");
    }

    #[test]
    fn a_view_that_this_program_does_not_have_is_named() {
        let error = refused(|json| json["seen"][1]["view"] = "oracle".into());
        assert!(error.contains("oracle"), "{error}");
    }

    #[test]
    fn a_body_that_is_damaged_names_its_view() {
        let error = refused(|json| json["seen"][0]["body"]["trail"] = 5.into());
        assert!(error.contains("view trail"), "{error}");
    }
}
