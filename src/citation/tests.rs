use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Pages that are written from other texts, or list everything.
const WRITTEN: [&str; 1] = ["citations.md"];

fn files(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
}

/// Pages and scenarios, with their text: of a scenario the documentation alone.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(ROOT);
    let mut found = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    files(&root.join("docs"), "md", &mut found);
    files(&root.join("scenarios"), "rs", &mut found);
    found.retain(|path| !WRITTEN.iter().any(|name| path.ends_with(name)));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let text = match path.extension().unwrap() == "rs" {
            true => text
                .lines()
                .filter_map(|line| line.strip_prefix("//!"))
                .collect::<Vec<_>>()
                .join("\n"),
            false => text,
        };
        (path.strip_prefix(ROOT).unwrap().display().to_string(), text)
    };
    found.into_iter().map(read).collect()
}

/// The ids in a text; `ID` itself stands for any.
fn cited(text: &str) -> BTreeSet<&str> {
    let parts = text.split("[c:").skip(1);
    let ids = parts.filter_map(|part| part.split(']').next());
    ids.filter(|id| *id != "ID").collect()
}

/// Twelve hexadecimal digits that stand alone and are no link to the citations.
fn bare(text: &str) -> Vec<&str> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric();
    let words = text.split(|letter| !is_word(letter));
    let is_hash = |word: &&str| {
        let hex = |letter: char| matches!(letter, '0'..='9' | 'a'..='f');
        word.len() == 12
            && word.chars().all(hex)
            && word.contains(|letter: char| letter.is_ascii_digit())
    };
    let is_linked = |word: &str| text.contains(&format!("[{word}](citations.md#"));
    words
        .filter(is_hash)
        .filter(|word| !is_linked(word))
        .collect()
}

#[test]
fn every_id_is_known_and_used() {
    let table: Citations = toml::from_str(TABLE).unwrap();
    let commits = table.commits.iter().map(|commit| commit.id.as_str());
    let known: Vec<_> = commits
        .chain(table.quotes.iter().map(|quote| quote.id.as_str()))
        .collect();
    let unique: BTreeSet<_> = known.iter().copied().collect();
    assert_eq!(known.len(), unique.len(), "an id is there twice");
    let texts = texts();
    let mut used = BTreeSet::new();
    for (path, text) in &texts {
        for id in cited(text) {
            assert!(
                unique.contains(id),
                "{path}: [c:{id}] is not in docs/citations.toml"
            );
            used.insert(id);
        }
    }
    let unused: Vec<_> = unique.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "docs/citations.toml has what nobody cites: {unused:?}"
    );
}

#[test]
fn no_hash_and_no_quotation_of_a_page_stands_without_an_id() {
    for (path, text) in texts() {
        assert_eq!(
            bare(&text),
            Vec::<&str>::new(),
            "{path}: put it into docs/citations.toml"
        );
        for sign in ["), \"", "): \"", ") \""] {
            let places = text.match_indices(sign).map(|(at, _)| &text[..at]);
            let quoted: Vec<_> = places.filter(|before| names_page(before)).collect();
            let last = quoted.first().and_then(|before| before.lines().last());
            let written = path.starts_with("docs/contract");
            assert!(
                quoted.is_empty() || written,
                "{path}: a quotation without an id after {last:?}"
            );
        }
    }
}

/// Whether a text ends as `execve(2` does.
fn names_page(before: &str) -> bool {
    let mut letters = before.chars().rev();
    letters.next().is_some_and(|digit| digit.is_ascii_digit()) && letters.next() == Some('(')
}

#[test]
fn a_page_leads_to_what_it_cites() {
    for (path, text) in texts().iter().filter(|(path, _)| path.ends_with(".md")) {
        let place = if path.starts_with("docs/") {
            ""
        } else {
            "docs/"
        };
        for id in cited(text) {
            let foot = format!("[c:{id}]: {place}citations.md#{id}");
            assert!(text.contains(&foot), "{path} ends without the line\n{foot}");
        }
    }
}

#[test]
fn the_page_of_citations_has_all_of_them() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/citations.md")).unwrap();
    let table = Citations::ours();
    for commit in &table.commits {
        let row = format!(
            "<a id=\"{}\"></a>{} | {}",
            commit.id, commit.commit, commit.title
        );
        assert!(page.contains(&row), "run vm/citations: {}", commit.id);
    }
    for quote in &table.quotes {
        let row = format!(
            "<a id=\"{}\"></a>{} | {}",
            quote.id, quote.source, quote.text
        );
        assert!(page.contains(&row), "run vm/citations: {}", quote.id);
    }
}

#[test]
fn a_commit_stands_for_its_id() {
    let text =
        "978ffcbf00d8 (\"execve: open the executable file before doing anything else\", 6.8)";
    assert_eq!(expand("Since [c:open-first]."), format!("Since {text}."));
}

#[test]
fn a_quotation_stands_for_its_id() {
    assert_eq!(expand("[c:execve-notes]"), "execve(2), \"NOTES\"");
}

#[test]
fn a_page_has_a_link() {
    assert_eq!(
        linked("[c:execve-notes]"),
        "[execve(2)](citations.md#execve-notes), \"NOTES\""
    );
}

#[test]
fn an_unknown_id_stays() {
    assert_eq!(expand("a [c:none] b"), "a [c:none] b");
}

#[test]
fn a_hash_is_bare_without_its_link() {
    assert_eq!(bare("x 978ffcbf00d8."), ["978ffcbf00d8"]);
    assert!(bare("[978ffcbf00d8](citations.md#a) accepted123 0123456789abc").is_empty());
}

/// Where the links of a page lead, but for those in code and to the web.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let prose = text.split("```").step_by(2);
    for piece in prose.flat_map(|prose| prose.split("](").skip(1)) {
        let (target, _) = piece.split_once(')').unwrap_or((piece, ""));
        if !target.contains("://") && !target.contains(char::is_whitespace) {
            links.push(target);
        }
    }
    links
}

/// What a heading is called in a link: its letters, numbers, hyphens and underscores, with a hyphen for a blank.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        other => other.is_alphanumeric().then(|| other.to_ascii_lowercase()),
    });
    kept.collect()
}

fn has_anchor(text: &str, name: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut headings = headings.map(|line| anchor(line.trim_start_matches('#')));
    headings.any(|heading| heading == name) || text.contains(&format!("id=\"{name}\""))
}

#[test]
fn a_link_of_a_page_leads_somewhere() {
    let root = Path::new(ROOT);
    let mut pages = ["README.md", "SECURITY.md", "CHANGELOG.md", "fuzz/README.md"]
        .map(|name| root.join(name))
        .to_vec();
    files(&root.join("docs"), "md", &mut pages);
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (path, name) = link.split_once('#').unwrap_or((link, ""));
            let place = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let page = page.strip_prefix(root).unwrap().display();
            assert!(place.exists(), "{page}: {path} is not there");
            if !name.is_empty() {
                let there = fs::read_to_string(&place).unwrap();
                assert!(has_anchor(&there, name), "{page}: {path} has no #{name}");
            }
        }
    }
}

#[test]
fn a_heading_is_linked_by_its_letters() {
    let text = "# What *asks*, in `the` middle\n";
    assert!(has_anchor(text, "what-asks-in-the-middle"));
    assert!(!has_anchor(text, "what-asks"));
}

#[test]
fn links_to_the_web_and_in_code_are_left_out() {
    let text = "[a](b.md#c) [d](https://e/f)\n```\n[g](h)\n```\n[i](j)";
    assert_eq!(links(text), ["b.md#c", "j"]);
}
