//! The view `stages`: where inside the kernel each step of the trail falls.
//!
//! Vocabulary, order, text and story are [`crate::stages`]'s; this joins them to everything that
//! handles views.

mod marks;
mod show;

use std::io::{self, Write};

use anyhow::Result;
use serde_json::Value;

use super::{Length, Marked, Paint, View, ViewName};
use crate::scenario::Registered;
use crate::stages::{self, Packed, Story};
use crate::trail::Trail;

/// The view.
#[derive(Debug)]
pub struct Stages;

impl View for Stages {
    type Body = Story;

    const NAME: ViewName = ViewName::new("stages");
    const ABOUT: &'static str = "where inside the kernel each step falls";
    const WHOM: &'static str = "scenarios of the family start";

    fn applies(scenario: &Registered) -> bool {
        scenario.is_start()
    }

    #[cfg(test)]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<stages::Inside>()
    }

    fn unpack(sent: Value, trail: &Trail) -> Result<Story, String> {
        let packed: Packed = serde_json::from_value(sent).map_err(|error| error.to_string())?;
        let inside = packed.unpack(trail);
        let inside = inside.ok_or("the guest's stages are not those of its trail")?;
        Ok(Story {
            trail: trail.clone(),
            inside,
        })
    }

    fn write(body: &Story) -> Value {
        serde_json::to_value(&body.inside).unwrap_or_default()
    }

    fn read(kept: Value, trail: &Trail) -> Result<Story, String> {
        let inside = serde_json::from_value(kept).map_err(|error| error.to_string())?;
        Ok(Story {
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
