//! JSON schemas of what is written for other programs, in `docs/schema/`: held to the types by tests.

use std::path::Path;

use serde::Serialize;

/// Compares a schema with the file that has it, which is written anew where it differs.
pub fn holds(name: &str, schema: &impl Serialize) {
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"));
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    if written != text {
        std::fs::write(&file, &text).unwrap();
    }
    assert!(
        written == text,
        "{} was not the schema of the types, and is now: look at its difference",
        file.display()
    );
}
