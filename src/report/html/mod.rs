//! One self-contained HTML page: what changes and why, then everything else, folded.
//!
//! The same records give the same bytes. Everything is in the page without its script, which only
//! searches, filters and has two kernels stand side by side. Nothing is loaded from anywhere.

mod docs;
mod further;
mod merge;
mod model;
mod picture;
mod remark;
mod section;
mod strand;

use anyhow::{Context as _, Result};

use crate::view::Record;
use model::Page;
pub use model::{Accepted, Chapter};

/// The page; `chapters` tells what is known of the scenarios, `source` is a sentence on what the records are.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Outcome;
    use crate::view::trail::Steps;
    use crate::view::{Body, View as _, tests};

    /// A record of one step under this comm.
    pub fn record(kernel: &str, comm: &str) -> Record {
        let text = format!(
            "start p1 by launcher: execve /a\nperm=open    pid=p1 ppid=launcher exe=/a \
             comm={comm} : path=/c\n"
        );
        let mut record = tests::record("start/a", kernel, Outcome::Same);
        record.seen[0].body = Steps::parse(&text).ok().map(Body::new::<Steps>);
        record
    }

    pub fn chapter() -> Chapter {
        Chapter {
            name: "start/a".into(),
            summary: "a <b>".into(),
            docs: "One `two` three.\n\nFour.".into(),
            accepted: Vec::new(),
        }
    }

    #[test]
    fn the_letters_of_a_table_have_a_legend() {
        let of = |comms: [&str; 2]| {
            let records = [record("6.1", comms[0]), record("6.12", comms[1])];
            page(&records, &[chapter()], "test").unwrap()
        };
        let legend = "In a row the same letter is the same trail.";
        assert!(of(["a", "b"]).contains(legend));
        assert!(!of(["a", "a"]).contains(legend));
    }

    #[test]
    fn text_from_outside_is_escaped_in_the_page() {
        let chapter = Chapter {
            summary: "<script>alert(1)</script>".into(),
            ..chapter()
        };
        let html = page(&[record("6.1", "<i>a")], &[chapter], "test").unwrap();
        assert!(!html.contains("<script>alert") && !html.contains("<i>a"));
    }
}
