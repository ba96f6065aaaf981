//! The text of a case file, and where in it a problem is.

use anyhow::{Context as _, Result, anyhow};
use toml::de::{DeTable, DeValue};

use super::{Case, Problem};

/// Reads a case file; `file` names it in errors, with line and column.
///
/// # Errors
///
/// The text is no TOML, has a key that no case has, or says what cannot be.
pub fn read(text: &str, file: &str, needs: &[&str]) -> Result<Case> {
    let case: Case = toml::from_str(text).map_err(|error| refused(text, file, &error))?;
    case.check(needs)
        .and_then(|()| names_a_program(text, &case))
        .map_err(|problem| locate(text, file, &problem))?;
    Ok(case)
}

/// An empty path has to be meant: it is written down, or a descriptor is executed.
fn names_a_program(text: &str, case: &Case) -> Result<(), Problem> {
    let flags = &case.exec.flags;
    let is_descriptor = flags.iter().any(|flag| flag == "AT_EMPTY_PATH");
    let is_written = || {
        let table = DeTable::parse(text).ok()?.into_inner();
        let DeValue::Table(exec) = table.get("exec")?.get_ref() else {
            return None;
        };
        exec.get("path").map(drop)
    };
    match !case.exec.path.is_empty() || is_descriptor || is_written().is_some() {
        true => Ok(()),
        false => Err(Problem {
            at: "exec".to_owned(),
            what: "nothing says what is executed: path, or fd with flags = [\"AT_EMPTY_PATH\"]"
                .to_owned(),
        }),
    }
}

/// An error of the parser as `file:line:column: what`.
pub fn refused(text: &str, file: &str, error: &toml::de::Error) -> anyhow::Error {
    let start = error.span().map_or(0, |span| span.start);
    let (line, column) = position(text, start);
    anyhow!(
        "{file}:{line}:{column}: {}",
        in_words_of_toml(error.message())
    )
}

/// What a parser of Rust's types expected, as who writes TOML knows it.
fn in_words_of_toml(message: &str) -> String {
    let ends = [
        (
            "expected u32",
            "expected a whole number from 0 to 4294967295",
        ),
        ("expected u64", "expected a whole number, not negative"),
        ("expected i32", "expected a whole number"),
        (
            "expected a sequence",
            "expected a list, such as [\"a\", \"b\"]",
        ),
        (
            "expected a map",
            "expected a table, such as { NAME = \"value\" }",
        ),
    ];
    let begins = [
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("unknown variant", "unknown value"),
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: table"),
    ];
    let mut words = message.trim_end().to_owned();
    for (end, instead) in ends {
        if let Some(begin) = words.strip_suffix(end) {
            words = format!("{begin}{instead}");
        }
    }
    for (begin, instead) in begins {
        if let Some(end) = words.strip_prefix(begin) {
            words = format!("{instead}{end}");
        }
    }
    words
}

/// A problem with the line and column of its key.
#[must_use]
pub fn locate(text: &str, file: &str, problem: &Problem) -> anyhow::Error {
    let start = DeTable::parse(text).ok().map(|table| {
        let mut place = table.span().start;
        let mut value = DeValue::Table(table.into_inner());
        for key in keys(&problem.at) {
            let found = match &value {
                DeValue::Table(table) => table.get(key).map(|found| (found.span().start, found)),
                DeValue::Array(array) => {
                    let found = key.parse::<usize>().ok().and_then(|place| array.get(place));
                    found.map(|found| (found.span().start, found))
                }
                _ => None,
            };
            // What a key does not say is wrong where it is missing.
            let Some((start, found)) = found else { break };
            place = start;
            value = found.get_ref().clone();
        }
        place
    });
    let (line, column) = position(text, start.unwrap_or(0));
    anyhow!("{file}:{line}:{column}: {}: {}", problem.at, problem.what)
}

/// The keys of a path; the name of a variable or a setting may have a dot in it and is the last.
fn keys(path: &str) -> Vec<&str> {
    let depth = match path {
        path if path.starts_with("sysctl.") => 2,
        path if path.starts_with("exec.environment.") || path.starts_with("exec.limits.") => 3,
        _ => usize::MAX,
    };
    path.splitn(depth, '.').collect()
}

/// Line and column, from 1, of a place in a text.
fn position(text: &str, place: usize) -> (usize, usize) {
    let before = text.get(..place).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

/// The text of a case, as [`read`] takes it.
///
/// # Errors
///
/// None that a case has whose strings are UTF-8.
pub fn print(case: &Case) -> Result<String> {
    let mut text = toml::to_string(case).context("failed to write a case as TOML")?;
    let context = "failed to read a case that was written as TOML";
    let table = DeTable::parse(&text).context(context)?;
    let files = table.get_ref().get("file");
    let files = files.and_then(|files| files.get_ref().as_array());
    let modes = files.into_iter().flat_map(|files| files.iter());
    let modes = modes.filter_map(|file| Some(file.get_ref().as_table()?.get("mode")?.span()));
    let modes: Vec<_> = modes.collect();
    // As everybody writes a mode; from the end on, so that the places before it stay what they are.
    let values = case.files.iter().filter_map(|file| file.mode);
    for (place, mode) in modes
        .into_iter()
        .zip(values)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        text.replace_range(place, &format!("0o{mode:o}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_in_words_of_toml() {
        let told = error("[exec]\npath = \"/a\"\nuser = \"root\"\n");
        let wanted = "invalid type: string \"root\", expected a whole number from 0 to 4294967295";
        assert_eq!(told, format!("a.toml:3:8: {wanted}"));
        let told = error("[exec]\npath = \"/a\"\nenvironment = [\"A=b\"]\n");
        assert!(
            told.contains("invalid type: list, expected a table"),
            "{told}"
        );
        assert!(error("").contains("missing key `exec`"));
    }

    fn error(text: &str) -> String {
        read(text, "a.toml", &["overlay"]).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line_and_column() {
        let text = error("summary = \"x\"\n[exec]\npath = \"/a\"\n  argumens = []\n");
        assert!(
            text.starts_with("a.toml:4:3: unknown key `argumens`"),
            "{text}"
        );
    }

    #[test]
    fn an_empty_path_has_to_be_written_down() {
        let text = error("summary = \"x\"\n[exec]\narguments = [\"a\"]\n");
        assert!(
            text.starts_with("a.toml:2:1: exec: nothing says what is executed"),
            "{text}"
        );
        let is_read = |text: &str| read(text, "a.toml", &[]).is_ok();
        assert!(is_read("[exec]\npath = \"\"\n"));
        let descriptor = "fd = { path = \"/b\" }\nflags = [\"AT_EMPTY_PATH\"]";
        assert!(is_read(&format!(
            "[exec]\ncall = \"execveat\"\n{descriptor}\n"
        )));
    }

    #[test]
    fn what_cannot_be_is_an_error_where_it_is_said() {
        let cases = [
            (
                "needs = [\"x\"]\n[exec]\npath = \"/a\"\n",
                "a.toml:1:10: needs.0: there is no need \"x\": overlay",
            ),
            (
                "[exec]\npath = \"/a\"\nflags = [\"0\", \"AT_X\"]\ncall = \"execveat\"\n",
                "a.toml:3:15: exec.flags.1: there is no flag \"AT_X\"",
            ),
            (
                "[exec]\npath = \"/a\"\nuser = 4294967295\n",
                "a.toml:3:8: exec.user: 4294967295 is no id of a user or group",
            ),
            (
                "[exec]\npath = \"/a\"\n[[file]]\npath = \"/b\"\ntext = \"\"\nowner = [0, 4294967295]\n",
                "a.toml:6:9: file.0.owner: 4294967295 is no id",
            ),
            (
                "[exec]\npath = \"/a\"\n[[mount]]\nkind = \"tmpfs\"\nat = \"/proc/x\"\n",
                "a.toml:5:6: mount.0.at: nothing is mounted over /proc",
            ),
            (
                "summary = \"a\\u001bb\"\n[exec]\npath = \"/a\"\n",
                "a.toml:1:11: summary: a summary is one line",
            ),
            (
                "docs = \"a\\u202eb\"\n[exec]\npath = \"/a\"\n",
                "a.toml:1:8: docs: control characters",
            ),
            (
                "deadline = 0\n[exec]\npath = \"/a\"\n",
                "a.toml:1:12: deadline: a deadline has 1 to 3600 seconds",
            ),
            (
                "[exec]\npath = \"/a\"\nfd = { path = \"/b\" }\n",
                "a.toml:3:6: exec.fd: a descriptor is for",
            ),
            (
                "[exec]\npath = \"/a\"\n[[file]]\npath = \"/b\"\ntext = \"\"\n[[file]]\npath = \"c\"\ntext = \"\"\n",
                "a.toml:7:8: file.1.path: \"c\" is no absolute path",
            ),
            (
                "[exec]\npath = \"/a\"\n[[file]]\npath = \"/b\"\ntext = \"\"\nsymlink = \"/c\"\n",
                "it is several things at once",
            ),
            (
                "[exec]\npath = \"/a\"\n[[file]]\npath = \"/b\"\n",
                "nothing says what it is",
            ),
            (
                "[exec]\npath = \"/a\"\n[exec.limits]\nfiles = 3\n",
                "a.toml:4:9: exec.limits.files: there is no limit",
            ),
            (
                "deny = { event = 0 }\n[exec]\npath = \"/a\"\n",
                "events count from 1",
            ),
            (
                "[exec]\npath = \"/a\"\n[[binfmt]]\nname = \"x\"\nrule = \"M::a\"\n",
                "a.toml:5:8: binfmt.0.rule: \"M::a\" is no rule: it has six fields",
            ),
            (
                "[exec]\npath = \"/a\"\n[[mount]]\nkind = \"overlay\"\nat = \"/m\"\n",
                "from says which directory",
            ),
        ];
        for (text, wanted) in cases {
            let found = error(text);
            assert!(found.contains(wanted), "{found}\nand not: {wanted}");
        }
    }

    #[test]
    fn a_working_directory_may_be_the_root() {
        let text = "[exec]\npath = \"/a\"\ndirectory = \"/\"\nchroot = \"/\"\n";
        let case = read(text, "a.toml", &[]).unwrap();
        assert_eq!(case.exec.directory.as_deref(), Some("/"));
    }

    #[test]
    fn a_file_is_not_the_root() {
        let text = error("[exec]\npath = \"/a\"\n[[file]]\npath = \"/\"\ntext = \"\"\n");
        assert!(
            text.contains("file.0.path: \"/\" is no absolute path"),
            "{text}"
        );
    }

    #[test]
    fn what_is_printed_is_read() {
        let text = "summary = \"x\"\ndeny = \"each\"\n[exec]\npath = \"/a\"\n[exec.environment]\nK = \"V\"\n\
                    [[file]]\npath = \"/a\"\ntext = \"#!/bin/sh\\n\"\nmode = 0o4755\nowner = [1, 2]\n";
        let case = read(text, "a.toml", &[]).unwrap();
        let printed = print(&case).unwrap();
        assert!(printed.contains("\nmode = 0o4755\n"), "{printed}");
        assert_eq!(read(&printed, "b.toml", &[]).unwrap(), case);
    }

    #[test]
    fn what_looks_like_a_mode_inside_of_a_string_is_printed_as_it_is() {
        let text = "[exec]\npath = \"/a\"\n[exec.environment]\nK = \"a\\nmode = 493\\nb\"\n";
        let case = read(text, "a.toml", &[]).unwrap();
        let printed = print(&case).unwrap();
        assert_eq!(read(&printed, "b.toml", &[]).unwrap(), case);
    }

    #[test]
    fn a_nul_is_refused_wherever_a_call_takes_a_string() {
        let file = "[[file]]\npath = \"/b\"\n";
        for (at, rest) in [
            ("exec.argv0", "argv0 = \"a\\u0000\""),
            (
                "exec.fd.path",
                "call = \"execveat\"\nfd = { path = \"/a\\u0000\" }",
            ),
            ("file.0.symlink", &format!("{file}symlink = \"a\\u0000\"")),
            ("file.0.copy", &format!("{file}copy = \"/a\\u0000\"")),
            (
                "file.0.hardlink",
                &format!("{file}hardlink = \"/a\\u0000\""),
            ),
            (
                "mount.0.from",
                "[[mount]]\nkind = \"bind\"\nat = \"/m\"\nfrom = \"/a\\u0000\"",
            ),
        ] {
            let told = error(&format!("[exec]\npath = \"/a\"\n{rest}\n"));
            assert!(
                told.contains(&format!("{at}: no call takes a NUL")),
                "{told}"
            );
        }
    }
}
