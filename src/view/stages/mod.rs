//! The view `stages`: where inside the kernel each step of the trail falls.
//!
//! Vocabulary, order, text and story are [`crate::stages`]'s; this joins them to everything that
//! handles views.

mod differ;
mod marks;
mod show;

use std::io::{self, Write};

use anyhow::Result;
use serde_json::Value;

use super::{Length, Marked, Paint, View, ViewName};
use crate::diff::Side;
use crate::scenario::Registered;
use crate::stages::{self, Packed, Story};
use crate::trail::{LONGEST, Trail};

/// The view.
#[derive(Debug)]
pub struct Stages;

impl View for Stages {
    type Body = Story;

    const NAME: ViewName = ViewName::new("stages");
    const ABOUT: &'static str = "where inside the kernel each step falls";
    const WHOM: &'static str = "scenarios of the families start, container and lies";

    fn applies(scenario: &Registered) -> bool {
        scenario.is_start()
    }

    #[cfg(test)]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<stages::Inside>()
    }

    fn unpack(sent: Value, trail: &Trail) -> Result<Story, String> {
        let packed: Packed = serde_json::from_value(sent).map_err(|error| error.to_string())?;
        let inside = packed.unpack(trail)?;
        whole(Story {
            trail: trail.clone(),
            inside,
        })
    }

    fn write(body: &Story) -> Value {
        serde_json::to_value(&body.inside).unwrap_or_default()
    }

    fn read(kept: Value, trail: &Trail) -> Result<Story, String> {
        let inside = serde_json::from_value(kept).map_err(|error| error.to_string())?;
        whole(Story {
            trail: trail.clone(),
            inside,
        })
    }

    fn text(body: &Story) -> String {
        stages::text(&body.trail, &body.inside)
    }

    fn parse(text: &str) -> Result<Story> {
        Ok(stages::parse(text)?)
    }

    fn lacks(body: &Story) -> &[String] {
        &body.inside.absent
    }

    fn fit(body: &Story, text: &str) -> Option<String> {
        let absent = &body.inside.absent;
        let other = stages::parse(text).ok().filter(|_| !absent.is_empty())?;
        Some(stages::text(&other.trail, &other.inside.without(absent)))
    }

    fn words(old: (&Side, &Story), new: (&Side, &Story)) -> Vec<String> {
        differ::words(old, new)
    }

    fn explain(body: &Story, length: Length) -> Option<String> {
        Some(match length {
            Length::Brief => stages::brief(body),
            Length::Full => stages::explain(body),
        })
    }

    fn show(body: &Story, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
        show::story(body, paint, out)
    }

    fn marks(body: &Story) -> Vec<Marked> {
        marks::marks(&body.inside)
    }

    fn notes(body: &Story) -> Vec<String> {
        marks::notes(&body.inside)
    }
}

/// Refuses a story that its text does not tell: what is shown and compared is the text.
pub(super) fn whole(story: Story) -> Result<Story, String> {
    let length = story.inside.stages.len();
    if length > LONGEST {
        return Err(format!(
            "it has {length} lines, more than the limit of {LONGEST}"
        ));
    }
    match stages::parse(&Stages::text(&story)) {
        Ok(same) if same.inside == story.inside => Ok(story),
        Ok(_) => Err("its text reads back as another one".to_owned()),
        Err(error) => Err(format!("its text does not read back: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "start p1 by launcher: execve /a\n\
                        stage=open                   pid=p1 : do_open_execat\n\
                        perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";

    fn read(change: impl Fn(&mut Value)) -> Result<Story, String> {
        let story = Stages::parse(TEXT).unwrap();
        let mut body = Stages::write(&story);
        change(&mut body);
        Stages::read(body, &story.trail)
    }

    #[test]
    fn stages_are_read_as_they_were_written() {
        assert_eq!(read(|_| {}), Ok(Stages::parse(TEXT).unwrap()));
    }

    #[test]
    fn a_stage_that_is_no_word_is_refused() {
        let error = read(|body| body["stages"][0]["stage"] = "a b".into()).unwrap_err();
        assert!(error.contains("does not read back"), "{error}");
    }

    #[test]
    fn stages_of_processes_by_turns_are_refused() {
        let error = read(|body| {
            let mut other = body["stages"][0].clone();
            other["process"] = "p2".into();
            body["stages"].as_array_mut().unwrap().insert(1, other);
        });
        assert!(error.unwrap_err().contains("another one"));
    }
}
