//! Looks up what `docs/citations.toml` cites and writes `docs/citations.md`: `vm/citations` fetches the manual pages
//! and sources, and calls the one ignored test here. Not part of CI, which has no network.
//!
//! Wording is compared without what fonts, comments and line breaks do to it: letters and digits alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use exetrail::citation::{Citations, Commit, Quote};
use exetrail::trail::Release;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The kernel series whose sources are looked at, oldest first.
const SERIES: [&str; 5] = ["5.10", "6.1", "6.12", "7.2", "7.3"];

/// What was found of one thing, for its row; nothing found is said in bold.
fn row(found: &[String]) -> String {
    match found {
        [] => "**unchecked**".to_owned(),
        found => found.join("; "),
    }
}

/// Letters and digits alone.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Whether a text has these words; " ... " leaves some of it out.
fn has(text: &str, words: &str) -> bool {
    let text = letters(text);
    let mut rest = text.as_str();
    words.split(" ... ").all(|part| {
        let part = letters(part);
        let found = rest.find(&part).map(|at| &rest[at + part.len()..]);
        rest = found.unwrap_or_default();
        found.is_some()
    })
}

/// The words of a manual page's source, without requests, fonts and escapes.
fn plain(roff: &str) -> String {
    let lines = roff
        .lines()
        .filter(|line| !line.starts_with(".\\\"") && !line.starts_with("'\\\""));
    let words = lines.map(|line| match line.starts_with(['.', '\'']) {
        true => line.split_once(' ').map_or("", |(_, rest)| rest),
        false => line,
    });
    let mut out = String::new();
    for line in words {
        let mut letters = line.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => escape(&mut letters),
                other => out.push(other),
            }
        }
        out.push(' ');
    }
    out
}

/// Passes what follows a backslash: `fB`, `f[B]`, `(aq`, `[aq]` or one sign; none of them is a letter of the text.
fn escape(letters: &mut std::str::Chars<'_>) {
    match letters.next() {
        Some('f') => escape(letters),
        Some('(') => drop(letters.by_ref().take(2).count()),
        Some('[') => drop(letters.by_ref().take_while(|letter| *letter != ']').count()),
        _ => {}
    }
}

fn unpacked(path: &Path) -> String {
    let mut text = Vec::new();
    let file = fs::File::open(path).unwrap();
    flate2::read::MultiGzDecoder::new(file)
        .read_to_end(&mut text)
        .unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// A package of manual pages.
struct Package {
    name: String,
    version: String,
    root: PathBuf,
}

impl Package {
    fn all(place: &Path) -> Vec<Package> {
        let entries = fs::read_dir(place.join("pages")).unwrap();
        let package = |entry: std::io::Result<fs::DirEntry>| {
            let root = entry.unwrap().path();
            Package {
                name: root.file_name().unwrap().to_string_lossy().into_owned(),
                version: fs::read_to_string(root.join(".version"))
                    .unwrap()
                    .trim()
                    .to_owned(),
                root,
            }
        };
        let mut all: Vec<_> = entries.map(package).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// The source of `name(section)`.
    fn page(&self, page: &str) -> Option<String> {
        let (name, section) = page.strip_suffix(')')?.split_once('(')?;
        let directory = self
            .root
            .join(format!("usr/share/man/man{}", &section[..1]));
        let file = directory.join(format!("{name}.{section}.gz"));
        file.exists().then(|| unpacked(&file))
    }

    fn named(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// The sources of a kernel series.
struct Tree {
    series: &'static str,
    release: String,
    root: PathBuf,
    changes: String,
}

impl Tree {
    fn all(place: &Path) -> Vec<Tree> {
        let tree = |series| {
            let root = place.join("sources").join(series);
            let version = fs::read_to_string(root.join(".version")).unwrap();
            let release = version.split('-').next().unwrap().to_owned();
            let changes = format!("usr/share/doc/linux-source-{series}/changelog.Debian.gz");
            let changes = unpacked(&root.join(changes));
            Tree {
                series,
                release,
                root,
                changes,
            }
        };
        SERIES.map(tree).into()
    }

    /// The stable release whose list in the changelog has this title.
    fn listed(&self, title: &str) -> Option<String> {
        listed(&self.changes, title)
    }

    fn shows(&self, file: &str, sign: &str) -> bool {
        let text = fs::read_to_string(self.root.join(file));
        text.is_ok_and(|text| text.contains(sign))
    }

    fn file_has(&self, file: &str, words: &str) -> bool {
        let text = fs::read_to_string(self.root.join(file));
        text.is_ok_and(|text| has(&text, words))
    }
}

/// The stable release, or else Debian's, under which a changelog lists a title.
fn listed(changes: &str, title: &str) -> Option<String> {
    let (before, _) = changes.split_once(&format!(" {title}\n"))?;
    let stanza = before.rfind("\nlinux (").map_or(before, |at| &before[at..]);
    let upstream = stanza.rsplit_once("ChangeLog-").map(|(_, rest)| rest);
    let debian = stanza
        .split_once("linux (")
        .and_then(|(_, rest)| rest.split(')').next());
    let release = upstream.and_then(|rest| rest.lines().next()).or(debian);
    release.map(|release| release.trim().to_owned())
}

fn of_commit(
    commit: &Commit,
    trees: &[Tree],
    packages: &[Package],
    manual: &BTreeSet<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    for tree in trees {
        if let Some(release) = tree.listed(&commit.title) {
            found.push(format!(
                "title in the changelog of linux-source-{}, under {release}",
                tree.series
            ));
        }
    }
    if let Some(sign) = &commit.sign {
        let (words, is_there) = match sign.text.strip_prefix('!') {
            Some(words) => (words, false),
            None => (sign.text.as_str(), true),
        };
        let since = Release::of(&commit.since).unwrap();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for tree in trees {
            let has = tree.shows(&sign.file, words) == is_there;
            let series = Release::of(tree.series).unwrap();
            let expected =
                !series.is_before(since) || commit.stable.iter().any(|one| one == tree.series);
            assert_eq!(
                has, expected,
                "{}: {} in {}",
                commit.id, sign.file, tree.release
            );
            if has { &mut with } else { &mut without }.push(tree.release.as_str());
        }
        let place = format!("{} shows it in {}", sign.file, with.join(", "));
        found.push(match without.is_empty() {
            true => place,
            false => format!("{place}, not in {}", without.join(", ")),
        });
    }
    for page in manual {
        if commit.commit.is_empty() {
            break;
        }
        let names = |package: &&Package| {
            package
                .page(page)
                .is_some_and(|text| text.contains(&commit.commit))
        };
        if let Some(package) = packages.iter().find(names) {
            found.push(format!("hash in the source of {page}, {}", package.named()));
        }
    }
    found.extend(
        commit
            .seen
            .as_ref()
            .map(|seen| format!("hash and title read together in {seen}")),
    );
    found
}

fn of_quote(quote: &Quote, trees: &[Tree], packages: &[Package]) -> Vec<String> {
    if quote.source.ends_with(')') {
        let has = |package: &&Package| {
            package
                .page(&quote.source)
                .is_some_and(|page| has(&plain(&page), &quote.text))
        };
        return packages
            .iter()
            .find(has)
            .map(Package::named)
            .into_iter()
            .collect();
    }
    let trees = trees
        .iter()
        .filter(|tree| tree.file_has(&quote.source, &quote.text));
    let releases: Vec<_> = trees.map(|tree| tree.release.clone()).collect();
    match releases.is_empty() {
        true => Vec::new(),
        false => vec![format!("source of {}", releases.join(", "))],
    }
}

/// The manual pages that pages and scenarios name.
fn named() -> BTreeSet<String> {
    fn walk(path: &Path, found: &mut BTreeSet<String>) {
        if path.is_dir() {
            fs::read_dir(path)
                .unwrap()
                .for_each(|entry| walk(&entry.unwrap().path(), found));
            return;
        }
        let Ok(text) = fs::read_to_string(path) else {
            return;
        };
        let is_page =
            path.extension().is_some_and(|own| own == "md") && !path.ends_with("citations.md");
        let lines = text
            .lines()
            .filter(|line| is_page || line.starts_with("//!"));
        lines.for_each(|line| found.extend(pages(line)));
    }
    let mut found = BTreeSet::new();
    for path in ["README.md", "CHANGELOG.md", "docs", "scenarios"] {
        walk(&Path::new(ROOT).join(path), &mut found);
    }
    found
}

/// Every `name(section)` of a line.
fn pages(line: &str) -> Vec<String> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let parts: Vec<_> = line.split('(').collect();
    let named = parts.windows(2).filter_map(|pair| {
        let start = pair[0]
            .rfind(|letter| !is_name(letter))
            .map_or(0, |at| at + 1);
        let name = &pair[0][start..];
        let (section, _) = pair[1].split_once(')')?;
        let is_section = section.len() == 1 && ("1"..="8").contains(&section);
        let is_page = is_section && name.starts_with(|letter: char| letter.is_ascii_lowercase());
        is_page.then(|| format!("{name}({section})"))
    });
    named.collect()
}

#[test]
#[ignore = "vm/citations calls it, with what it has fetched"]
fn look_up() {
    let place = PathBuf::from(std::env::var("EXETRAIL_SOURCES").unwrap());
    let (packages, trees, manual) = (Package::all(&place), Tree::all(&place), named());
    let table = fs::read_to_string(Path::new(ROOT).join("docs/citations.toml")).unwrap();
    let table: Citations = toml::from_str(&table).unwrap();
    let mut page = String::from(
        "# Citations\n\nWhat pages and scenarios cite by `[c:ID]`, with where it was found. `vm/citations` writes this page; do not edit \
         it.\n\n## Commits\n\n| id | commit | title | since | checked |\n|---|---|---|---|---|\n",
    );
    for commit in &table.commits {
        let Commit {
            id,
            commit: hash,
            title,
            since,
            ..
        } = commit;
        let checked = row(&of_commit(commit, &trees, &packages, &manual));
        writeln!(
            page,
            "| `{id}` | <a id=\"{id}\"></a>{hash} | {title} | {since} | {checked} |"
        )
        .unwrap();
    }
    page += "\n## Quotations\n\n| id | source | words | checked |\n|---|---|---|---|\n";
    for quote in &table.quotes {
        let Quote { id, source, text } = quote;
        let checked = row(&of_quote(quote, &trees, &packages));
        writeln!(
            page,
            "| `{id}` | <a id=\"{id}\"></a>{source} | {text} | {checked} |"
        )
        .unwrap();
    }
    page += "\n## Manual pages\n\nThose that are named, and the package that has them.\n\n| page | checked |\n|---|---|\n";
    for name in &manual {
        let package = packages.iter().find(|package| package.page(name).is_some());
        let checked = row(&package.map(Package::named).into_iter().collect::<Vec<_>>());
        writeln!(page, "| {name} | {checked} |").unwrap();
    }
    fs::write(Path::new(ROOT).join("docs/citations.md"), page).unwrap();
}

#[test]
fn fonts_and_line_breaks_are_no_words() {
    let page = plain(".\\\" no\n.BR execve (2)\nis \\fBnot\\fP \\f[I]a\\f[] call\\(aqs\n");
    assert!(has(&page, "execve(2) is not a call's"), "{page}");
}

#[test]
fn what_is_left_out_is_between_the_parts() {
    assert!(has("one two three", "one ... three"));
    assert!(!has("three one", "one ... three"));
}

#[test]
fn a_title_is_listed_under_its_release() {
    let changes = "linux (6.1.2-1) x\n\n  * New\n    https://ChangeLog-6.1.1\n    - exec: a\n    https://ChangeLog-6.1.2\n    - exec: b\n";
    assert_eq!(listed(changes, "exec: a").as_deref(), Some("6.1.1"));
    assert_eq!(listed(changes, "exec: c"), None);
}

#[test]
fn a_manual_page_is_named_by_its_section() {
    assert_eq!(
        pages("see execve(2) and ld.so(8); a(x) b(20)"),
        ["execve(2)", "ld.so(8)"]
    );
}
