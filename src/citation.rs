//! What the project cites: `docs/citations.toml`, each commit and each quotation once.
//!
//! Scenarios and pages say `[c:ID]`. Whoever shows the words of a scenario puts the commit or the
//! quotation in its place ([`expand`], [`linked`]); `vm/citations` looks each of them up and writes what it found to
//! `docs/citations.md`. The tests here hold that every id is known, used and written with a source.

use std::sync::LazyLock;

use serde::Deserialize;

/// The table as it was compiled in; [`Citations::ours`] reads it.
const TABLE: &str = include_str!("../docs/citations.toml");

/// Everything that is cited.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citations {
    /// Commits of the kernel.
    #[serde(rename = "commit")]
    pub commits: Vec<Commit>,
    /// Words of others.
    #[serde(rename = "quote")]
    pub quotes: Vec<Quote>,
}

/// A commit of the kernel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// What a text calls it by.
    pub id: String,
    /// The first twelve digits of its hash, where it is known.
    #[serde(default)]
    pub commit: String,
    /// Its first line.
    pub title: String,
    /// First mainline release.
    pub since: String,
    /// Older series whose sources have it as well.
    #[serde(default)]
    pub stable: Vec<String>,
    /// Where a reader found hash and title together.
    pub seen: Option<String>,
    /// What a tree that has it shows.
    pub sign: Option<Sign>,
}

/// Words in a file of the kernel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// The file.
    pub file: String,
    /// The words, with `!` before them when the commit took them out.
    pub text: String,
}

/// Words of a manual page or of a file of the kernel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    /// What a text calls it by.
    pub id: String,
    /// `execve(2)`, or `fs/exec.c`.
    pub source: String,
    /// The words; ` ... ` leaves something out.
    pub text: String,
}

impl Citations {
    /// The table of this build; an empty one where it cannot be read, which a test excludes.
    pub fn ours() -> &'static Citations {
        static OURS: LazyLock<Citations> = LazyLock::new(|| {
            toml::from_str(TABLE).unwrap_or(Citations {
                commits: Vec::new(),
                quotes: Vec::new(),
            })
        });
        &OURS
    }

    /// What stands for an id: the part that can be a link, and the rest.
    fn words(&self, id: &str) -> Option<(String, String)> {
        let commit = self.commits.iter().find(|commit| commit.id == id);
        let commit = commit.map(|commit| {
            let Commit { title, since, .. } = commit;
            match commit.commit.is_empty() {
                true => (format!("\"{title}\""), format!(" ({since})")),
                false => (commit.commit.clone(), format!(" (\"{title}\", {since})")),
            }
        });
        commit.or_else(|| {
            let quote = self.quotes.iter().find(|quote| quote.id == id)?;
            Some((quote.source.clone(), format!(", \"{}\"", quote.text)))
        })
    }
}

/// A text with commits and quotations in the place of their ids; an unknown id stays as it is.
#[must_use]
pub fn expand(text: &str) -> String {
    replace(text, |_, head, rest| format!("{head}{rest}"))
}

/// The same for a page in `docs/`: each leads to `citations.md`.
#[must_use]
pub fn linked(text: &str) -> String {
    replace(text, |id, head, rest| {
        format!("[{head}](citations.md#{id}){rest}")
    })
}

fn replace(text: &str, show: impl Fn(&str, &str, &str) -> String) -> String {
    let mut parts = text.split("[c:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let found = part.split_once(']').and_then(|(id, after)| {
            let (head, rest) = Citations::ours().words(id)?;
            Some(show(id, &head, &rest) + after)
        });
        out += &found.unwrap_or_else(|| format!("[c:{part}"));
    }
    out
}

#[cfg(test)]
mod tests;
