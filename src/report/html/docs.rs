//! The documentation of a scenario, and what of it tells why kernels differ.

use serde::Serialize;

/// A paragraph of documentation, or an item of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paragraph {
    is_item: bool,
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

/// What begins an item of a list.
const ITEM: &str = "- ";

/// Documentation in paragraphs, with what stands between backticks as code; `known` are the
/// scenarios of the page.
pub fn paragraphs(docs: &str, known: &[&str]) -> Vec<Paragraph> {
    let paragraph = |text: &str| {
        let item = text.strip_prefix(ITEM);
        let runs = item.unwrap_or(text).split('`').enumerate();
        let runs = runs.map(|(number, text)| Run {
            code: number % 2 == 1,
            link: known.contains(&text).then(|| anchor(text)),
            text: text.to_owned(),
        });
        Paragraph {
            is_item: item.is_some(),
            runs: runs.filter(|run| !run.text.is_empty()).collect(),
        }
    };
    let blocks = docs.split("\n\n").flat_map(items);
    let texts = blocks.filter(|text| !text.trim().is_empty());
    texts.map(|text| paragraph(&text)).collect()
}

/// A block with each item of its list apart.
fn items(block: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    for line in block.lines() {
        match texts.last_mut() {
            Some(text) if !line.starts_with(ITEM) => {
                text.push_str(line);
                text.push('\n');
            }
            _ => texts.push(format!("{line}\n")),
        }
    }
    texts
}

/// The paragraphs that tell why kernels differ: those that begin with "Finding"; where there are
/// none, those that name a commit; else those that name a release up to or from which it is so. A list belongs to the
/// paragraph before it.
pub fn causes(docs: &str) -> String {
    let mut blocks: Vec<String> = Vec::new();
    for block in docs.split("\n\n").map(str::trim) {
        match blocks.last_mut() {
            Some(before) if block.starts_with(ITEM) => {
                before.push_str("\n\n");
                before.push_str(block);
            }
            _ => blocks.push(block.to_owned()),
        }
    }
    let chosen = |is: &dyn Fn(&str) -> bool| {
        let own: Vec<_> = blocks.iter().filter(|block| is(block)).cloned().collect();
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
    fn items_of_a_list_stand_apart() {
        let docs = paragraphs("a:\n- b\n  c\n- d\n\ne", &[]);
        let told: Vec<_> = docs
            .iter()
            .map(|one| (one.is_item, one.runs[0].text.trim()))
            .collect();
        let wanted = [(false, "a:"), (true, "b\n  c"), (true, "d"), (false, "e")];
        assert_eq!(told, wanted);
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
    fn the_list_of_a_finding_goes_with_it() {
        let docs = "One.\n\nFinding: two:\n\n- a\n- b\n\nSee c.";
        assert_eq!(causes(docs), "Finding: two:\n\n- a\n- b");
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
