//! The view `trail`: every permission event, with the identity that was seen while it was held.

mod show;

use std::io::{self, Write};

use anyhow::Result;
use serde_json::Value;

use super::{Paint, View, ViewName};
use crate::diff::{Comparison, Side};
use crate::event::{Report, of_trail};
use crate::scenario::Registered;
use crate::trail::{Trail, parse};

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
        match trail == Trail::default() {
            true => Err("the trail is empty".to_owned()),
            false => Ok(trail),
        }
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
