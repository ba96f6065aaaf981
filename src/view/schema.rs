//! The form of a record for other programs: `docs/schema/record.json`, held to the types here.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::VIEWS;
use super::kept::Kept;

/// JSON Schema of a record, with the body of each view that has one of its own.
fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let bodies: Vec<_> = VIEWS
        .iter()
        .map(|view| {
            let body = view.schema(&mut generator);
            json!({
                "if": { "properties": { "view": { "const": view.name().as_str() } } },
                "then": { "properties": { "body": body } },
            })
        })
        .collect();
    let names: Vec<_> = VIEWS.iter().map(|view| view.name().as_str()).collect();
    let root = generator.into_root_schema_for::<Kept>();
    let mut schema = Value::from(root);
    schema["title"] = "exetrail record".into();
    schema["description"] = "One scenario on one kernel: a file of `run --records`, or a line of \
                             `--format json`."
        .into();
    schema["properties"]["schema"]["const"] = super::SCHEMA.into();
    let one = &mut schema["$defs"]["One"];
    one["allOf"] = bodies.into();
    one["properties"]["view"] = json!({
        "description": "The view.",
        "enum": names,
    });
    schema
}

#[test]
fn the_documented_schema_is_that_of_the_types() {
    crate::schema::holds("record", &schema());
}

#[test]
fn every_body_that_is_described_is_of_a_view() {
    let schema = schema();
    let trail = &schema["$defs"]["One"]["allOf"][0];
    assert_eq!(trail["if"]["properties"]["view"]["const"], "trail");
    assert_eq!(trail["then"]["properties"]["body"]["$ref"], "#/$defs/Trail");
}
