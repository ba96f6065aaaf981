//! The page that tells what is in a soak's file.

use super::Soak;

const PAGE: &str = "\
# Soak

How often each kernel was run, and what came of it: a run is all scenarios that there were then, once, with trail and stages, in an order of
its own (`exetrail run --shuffle --soak FILE`, [ci.md](ci.md)). A partial one had fewer, lost some with their guest, or was stopped; views are of
both. The machine is restored from a state that was saved, unless there is none.
This page is written with its file, `soak.toml`; nothing is claimed beyond it.

| kernel | release | CPUs | runs | partial | views as accepted | differing | broken |
|---|---|---|---|---|---|---|---|
";

const FINDINGS: &str = "
## What was not as accepted

| kernel | CPUs | seed | what | outcome | why |
|---|---|---|---|---|---|
";

/// Whether a text is such a page.
pub(super) fn is_page(text: &str) -> bool {
    text.lines().next() == PAGE.lines().next()
}

/// The statistics as Markdown.
#[must_use]
pub(super) fn markdown(soak: &Soak) -> String {
    let mut text = PAGE.to_owned();
    for row in &soak.rows {
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            row.id,
            row.release,
            row.cpus,
            row.runs,
            row.partial,
            row.same,
            row.differing,
            row.broken
        );
    }
    if soak.findings.is_empty() {
        return text + "\nNothing was otherwise.\n";
    }
    text += FINDINGS;
    for found in &soak.findings {
        let seed = found.seed.map_or_else(String::new, |seed| seed.to_string());
        let more = match found.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let reason = found.reason.as_deref().unwrap_or_default();
        text += &format!(
            "| {} | {} | {seed} | {}{more} | {} | {} |\n",
            found.id,
            found.cpus,
            found.what,
            found.outcome,
            reason.replace('|', "\\|")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::soak::tests::after;
    use super::*;
    use crate::trail::Outcome;

    #[test]
    fn the_page_tells_what_the_file_holds() {
        let text = markdown(&after(Outcome::Broken));
        assert!(
            text.contains("\n| 6.1 | 6.1.1 | 1 | 1 | 0 | 1 | 0 | 1 |\n"),
            "{text}"
        );
        assert!(
            text.contains("\n| 6.1 | 1 | 7 | start/b | broken | because |\n"),
            "{text}"
        );
        assert!(markdown(&after(Outcome::Same)).contains("Nothing was otherwise."));
    }

    #[test]
    fn the_page_of_the_project_is_that_of_its_file() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let soak = Soak::read(&docs.join("soak.toml")).unwrap();
        assert!(!soak.rows.is_empty());
        let text = std::fs::read_to_string(docs.join("soak.md")).unwrap();
        assert_eq!(text, markdown(&soak), "write it by a further round");
    }
}
