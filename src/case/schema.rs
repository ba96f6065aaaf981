//! Schemas for editors, in `docs/schema/`.

use std::path::Path;

/// Compares a schema with the file that has it; `EXETRAIL_WRITE=schema` writes it anew.
pub fn holds(name: &str, schema: &schemars::Schema) {
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"));
    if std::env::var_os("EXETRAIL_WRITE").is_some_and(|what| what == "schema") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "{} is not what the code says: write it anew with `EXETRAIL_WRITE=schema cargo test --lib schema`",
        file.display()
    );
}
