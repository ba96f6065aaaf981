//! `docs/mutants.md` is what the tables in `docs/mutants/` say: `mutants/` writes both.

#[path = "../mutants/src/page.rs"]
mod page;

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_page_is_that_of_the_tables() {
    let docs = Path::new(ROOT).join("docs");
    let written = fs::read_to_string(docs.join("mutants.md")).unwrap();
    let page = page::page(&docs.join("mutants")).unwrap();
    assert!(
        written == page,
        "write it anew: cargo run --manifest-path mutants/Cargo.toml -- page"
    );
}
