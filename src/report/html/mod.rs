//! One self-contained HTML page: table, trails as pictures, differences, history, documentation.
//!
//! The same records give the same bytes. Everything is in the page without its script; the script
//! only picks two kernels to stand side by side. Nothing is loaded from anywhere.

mod further;
mod model;
mod picture;

use anyhow::{Context as _, Result};

use crate::view::Record;
use model::Page;
pub use model::{Accepted, Chapter};

/// The page; `chapters` tells what is known of the scenarios.
///
/// # Errors
///
/// The template is wrong.
pub fn page(records: &[Record], chapters: &[Chapter], source: &str) -> Result<String> {
    let mut environment = minijinja::Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    // The name's ending makes every value escaped.
    environment
        .add_template("page.html", include_str!("page.html"))
        .context("failed to read the report's template")?;
    let page = Page::new(records, chapters, source);
    let template = environment.get_template("page.html")?;
    template
        .render(minijinja::context! {
            page => minijinja::Value::from_serialize(&page),
            style => include_str!("style.css"),
            script => include_str!("script.js"),
        })
        .context("failed to write the report")
}
