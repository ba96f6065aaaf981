//! The documentation of a scenario, and what of it tells why kernels differ.

use serde::Serialize;

/// A piece of documentation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paragraph {
    runs: Vec<Run>,
}

/// A run of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Run {
    text: String,
    code: bool,
    /// The place on the page of the scenario that it names.
    link: Option<String>,
}

/// Documentation in paragraphs, with what stands between backticks as code; `known` are the
/// scenarios of the page.
pub fn paragraphs(docs: &str, known: &[&str]) -> Vec<Paragraph> {
    let paragraph = |block: &str| {
        let runs = block.split('`').enumerate().map(|(number, text)| Run {
            code: number % 2 == 1,
            link: known.contains(&text).then(|| anchor(text)),
            text: text.to_owned(),
        });
        Paragraph {
            runs: runs.filter(|run| !run.text.is_empty()).collect(),
        }
    };
    let blocks = docs.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks.map(paragraph).collect()
}

/// The paragraphs that tell why kernels differ: those that begin with "Finding"; where there are
/// none, those that name a commit; else those that name a release up to or from which it is so.
pub fn causes(docs: &str) -> String {
    let blocks: Vec<_> = docs.split("\n\n").map(str::trim).collect();
    let chosen = |is: &dyn Fn(&str) -> bool| {
        let own: Vec<_> = blocks.iter().copied().filter(|block| is(block)).collect();
        own.join("\n\n")
    };
    let finding = chosen(&|block| block.starts_with("Finding"));
    let commit = || chosen(&|block| names_commit(block));
    let release = || chosen(&|block| names_release(block));
    let or = |found: String, next: &dyn Fn() -> String| match found.is_empty() {
        true => next(),
        false => found,
    };
    or(finding, &|| or(commit(), &release))
}

/// Twelve hexadecimal digits, as the kernel's documentation abbreviates a commit.
fn names_commit(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// "up to 6.7", "from 5.14 on", "since 6.1".
fn names_release(text: &str) -> bool {
    let words: Vec<_> = text.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let bound = matches!(pair[0], "to" | "from" | "From" | "since" | "Since");
        let release = pair[1]
            .split_once('.')
            .map(|(major, _)| major.parse::<u8>());
        bound && matches!(release, Some(Ok(_)))
    })
}

/// The place of a scenario on the page; no two have one place.
pub fn anchor(name: &str) -> String {
    let mut anchor = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '/' => anchor.push('-'),
            // A space is in no id.
            ' ' => anchor.push_str("~_"),
            '-' | '~' => anchor.extend(['~', character]),
            other => anchor.push(other),
        }
    }
    anchor
}

/// The family of a scenario, and its name in it; a user's case may have none, which is empty.
pub fn family(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        let runs = &paragraphs("a `b` c", &[])[0].runs;
        let codes: Vec<_> = runs
            .iter()
            .filter(|run| run.code)
            .map(|run| &run.text)
            .collect();
        assert_eq!(codes, ["b"]);
    }

    #[test]
    fn a_scenario_of_the_page_is_linked() {
        let runs = &paragraphs("as in `start/a`", &["start/a"])[0].runs;
        assert_eq!(runs[1].link.as_deref(), Some("start-a"));
    }

    #[test]
    fn each_name_has_a_place_of_its_own() {
        let names = ["a/b", "a-b", "a/-b", "a-/b", "a~-b", "a b", "a~_b"];
        let mut places: Vec<_> = names.into_iter().map(anchor).collect();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), names.len());
    }

    #[test]
    fn a_finding_goes_before_a_commit() {
        assert_eq!(causes("In 978ffcbf00d8.\n\nFinding: b."), "Finding: b.");
    }

    #[test]
    fn a_commit_goes_before_a_release() {
        assert_eq!(
            causes("Up to 6.7.\n\nSee 978ffcbf00d8."),
            "See 978ffcbf00d8."
        );
    }

    #[test]
    fn a_release_is_better_than_nothing() {
        assert_eq!(causes("One.\n\nUp to 6.7 two."), "Up to 6.7 two.");
    }

    #[test]
    fn a_number_that_bounds_nothing_is_no_release() {
        assert_eq!(causes("In 2.1 MB."), "");
    }
}
