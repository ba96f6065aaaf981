//! The view `trail`: the permission events, with the identity that was seen while it was held.

mod show;

pub(super) use show::{changed, line};

use std::io::{self, Write};

use anyhow::Result;
use serde_json::Value;

use super::{Paint, View, ViewName};
use crate::diff::{Comparison, Side};
use crate::event::{Report, of_trail};
use crate::scenario::Registered;
use crate::trail::{LONGEST, Trail, parse};

/// The view; its text, parser and comparison are those of [`crate::trail`] and [`crate::diff`].
#[derive(Debug)]
pub struct Steps;

impl View for Steps {
    type Body = Trail;

    const NAME: ViewName = ViewName::new("trail");
    const ABOUT: &'static str = "the permission events, with exe and comm at each";
    const WHOM: &'static str = "every scenario";

    fn applies(_: &Registered) -> bool {
        true
    }

    #[cfg(test)]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Trail>()
    }

    fn read(kept: Value, _: &Trail) -> Result<Trail, String> {
        let trail: Trail = serde_json::from_value(kept).map_err(|error| error.to_string())?;
        whole(trail)
    }

    fn text(body: &Trail) -> String {
        body.to_string()
    }

    fn parse(text: &str) -> Result<Trail> {
        Ok(parse(text)?)
    }

    fn compare(scenario: &str, old: (Side, &Trail), new: (Side, &Trail)) -> Comparison {
        Comparison::new(scenario, old, new)
    }

    fn report(body: &Trail) -> Option<Report> {
        Some(of_trail(body))
    }

    fn show(body: &Trail, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
        show::phases(body, paint, out)
    }
}

/// Refuses a trail that its text does not tell: what is shown and compared is the text.
///
/// Records that were kept before a missing link had a word of its own have the comm in its place.
pub(super) fn whole(mut trail: Trail) -> Result<Trail, String> {
    trail.name_missing_links();
    if trail == Trail::default() {
        return Err("the trail is empty".to_owned());
    }
    if trail.length() > LONGEST {
        let length = trail.length();
        return Err(format!(
            "it has {length} lines, more than the limit of {LONGEST}"
        ));
    }
    let read = parse(&trail.to_string());
    let mut read = read.map_err(|error| format!("its text does not read back: {error}"))?;
    read.part_words_as(&trail);
    match read == trail {
        true => Ok(trail),
        false => Err("its text reads back as another one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        let text = "start p1 by launcher: execve /a\n\
                    perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";
        serde_json::to_value(parse(text).unwrap()).unwrap()
    }

    fn refused(change: impl Fn(&mut Value), why: &str) {
        let mut body = body();
        change(&mut body);
        let error = Steps::read(body, &Trail::default()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_trail_is_read_as_it_was_written() {
        assert_eq!(
            Steps::write(&Steps::read(body(), &Trail::default()).unwrap()),
            body()
        );
    }

    #[test]
    fn a_comm_in_the_place_of_a_missing_link_is_none() {
        let mut body = body();
        let own = json!({"exe": "x", "exe_link": false});
        let step = body["trail"][0].as_object_mut().unwrap();
        step.extend(own.as_object().unwrap().clone());
        let trail = Steps::read(body, &Trail::default()).unwrap();
        assert_eq!(trail.steps[0].exe, "none");
    }

    #[test]
    fn a_call_of_several_words_is_read_as_it_was_written() {
        let mut own = body();
        own["started"][0]["call"] = json!("execve in a thread");
        own["facts"] = json!([{"name": "argv: its length", "value": "0"}]);
        let read = Steps::read(own.clone(), &Trail::default()).unwrap();
        assert_eq!(Steps::write(&read), own);
    }

    #[test]
    fn a_step_that_is_called_otherwise_than_its_mask_says_is_refused() {
        refused(
            |body| body["trail"][0]["step"] = json!("execute"),
            "another one",
        );
    }

    #[test]
    fn a_step_of_a_process_that_is_no_word_is_refused() {
        refused(
            |body| body["trail"][0]["process"] = json!("p1 x"),
            "does not read back",
        );
    }

    #[test]
    fn what_the_text_does_not_show_is_refused() {
        refused(
            |body| body["started"][0]["path"] = Value::Null,
            "another one",
        );
    }

    #[test]
    fn more_lines_than_any_trail_has_are_refused_before_they_are_written() {
        refused(
            |body| {
                let step = body["trail"][0].clone();
                body["trail"] = vec![step; LONGEST].into();
            },
            "it has 10001 lines",
        );
    }
}
