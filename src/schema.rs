//! Schemas for editors, in `docs/schema/`.

use std::path::Path;

/// Compares a schema with the file that has it, which is written anew where it differs.
pub fn holds(name: &str, schema: &schemars::Schema) {
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
