//! A comparison of one scenario on two kernels, as text, JSON or markdown.

use std::fmt::Write as _;

use serde::Serialize;
use similar::TextDiff;

use super::{Change, compare};
use crate::trail::{KernelInfo, Trail, markdown as plain};

/// One scenario on two kernels.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "exetrail diff"))]
pub struct Comparison {
    /// `family/name`.
    pub scenario: String,
    /// The first kernel.
    pub old: Side,
    /// The second kernel.
    pub new: Side,
    /// What differs, in order; of the trail alone.
    pub changes: Vec<Change>,
    /// The same differences in words, line for line.
    pub words: Vec<String>,
    /// The texts of the trails against each other; empty when they are equal.
    pub diff: String,
}

/// What one side of a comparison is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Side {
    /// The kernel as the user named it.
    pub kernel: String,
    /// Where its trail comes from: "snapshot of 5.10", "seen on 6.12.1-acme".
    pub source: String,
}

impl Side {
    /// That of a kernel, where nobody is told where its trail comes from.
    #[must_use]
    pub fn of(kernel: &str) -> Side {
        Side {
            kernel: kernel.to_owned(),
            source: String::new(),
        }
    }

    /// What was seen on a kernel.
    #[must_use]
    pub fn seen(kernel: &KernelInfo) -> Side {
        Side {
            kernel: kernel.label().to_owned(),
            source: format!("seen on {}", kernel.release),
        }
    }
}

/// Forms of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Words, with the text diff under them
    Text,
    /// One JSON object a scenario, a line each
    Json,
    /// For a pull request or a job summary
    Markdown,
}

impl Comparison {
    /// Compares two trails of one scenario.
    #[must_use]
    pub fn new(scenario: &str, old: (Side, &Trail), new: (Side, &Trail)) -> Comparison {
        let ((old, before), (new, after)) = (old, new);
        let changes = compare(before, after);
        // Where only one process is in the trails its name says nothing.
        let one = |trail: &Trail| {
            let cases = trail.cases.iter().map(|case| case.trail.started.len());
            cases.fold(trail.started.len(), usize::max) < 2
        };
        let alone = one(before) && one(after);
        let words = changes.iter().map(|change| match alone {
            true => Change {
                process: None,
                ..change.clone()
            }
            .to_string(),
            false => change.to_string(),
        });
        let names = (old.title(), new.title());
        Comparison {
            scenario: scenario.to_owned(),
            words: words.collect(),
            changes,
            diff: unified(&before.to_string(), &after.to_string(), &names.0, &names.1),
            old,
            new,
        }
    }

    /// Compares two texts of a view other than the trail; the words are the view's, and may be none.
    #[must_use]
    pub fn of_texts(
        scenario: &str,
        old: (Side, &str),
        new: (Side, &str),
        words: Vec<String>,
    ) -> Comparison {
        let ((old, before), (new, after)) = (old, new);
        Comparison {
            scenario: scenario.to_owned(),
            changes: Vec::new(),
            words,
            diff: unified(before, after, &old.title(), &new.title()),
            old,
            new,
        }
    }

    /// Whether there is any difference, be it one that has no words.
    #[must_use]
    pub fn is_different(&self) -> bool {
        !self.diff.is_empty()
    }

    /// Writes it in a form; ends with a line break.
    #[must_use]
    pub fn show(&self, form: Form) -> String {
        match form {
            Form::Text => self.text(),
            Form::Json => serde_json::to_string(self).unwrap_or_default() + "\n",
            Form::Markdown => self.markdown(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.scenario);
        for words in &self.words {
            let _ = writeln!(text, "  {words}");
        }
        if self.is_different() {
            text.push('\n');
        }
        for line in self.diff.lines() {
            let _ = writeln!(text, "    {line}");
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n", plain(&self.scenario));
        for words in &self.words {
            let _ = writeln!(text, "- {}", plain(words));
        }
        let _ = writeln!(text, "\n```diff\n{}```", self.diff);
        text
    }
}

impl Side {
    fn title(&self) -> String {
        format!("{} ({})", self.kernel, self.source)
    }
}

/// A unified diff with three lines around each change; empty for equal texts.
#[must_use]
pub fn unified(old: &str, new: &str, old_name: &str, new_name: &str) -> String {
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(old_name, new_name)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::parse;

    fn comparison() -> Comparison {
        let side = |kernel: &str| Side {
            kernel: kernel.to_owned(),
            source: "snapshot of 5.10".to_owned(),
        };
        let text = "start p1 by launcher: execve /a_b\nend p1: exit 0\n";
        let old = parse(text).unwrap();
        let new = parse(&text.replace("exit 0", "exit 1")).unwrap();
        Comparison::new("start/a", (side("6.1"), &old), (side("6.12"), &new))
    }

    #[test]
    fn the_text_has_the_words_and_the_diff_under_them() {
        let text = comparison().show(Form::Text);
        assert!(
            text.starts_with("start/a\n  ends otherwise: exit 0 -> exit 1\n"),
            "{text}"
        );
        assert!(
            text.contains("    -end p1: exit 0\n    +end p1: exit 1\n"),
            "{text}"
        );
    }

    #[test]
    fn equal_trails_are_not_different() {
        let side = || Side {
            kernel: "6.1".to_owned(),
            source: "snapshot of 5.10".to_owned(),
        };
        let trail = parse("start p1 by launcher: execve /a\nend p1: exit 0\n").unwrap();
        let same = Comparison::new("start/a", (side(), &trail), (side(), &trail));
        assert!(!same.is_different() && comparison().is_different());
        assert_eq!(same.show(Form::Text), "start/a\n");
    }

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("diff", &schemars::schema_for!(Comparison));
    }

    #[test]
    fn json_names_both_sides() {
        let json: serde_json::Value = serde_json::from_str(&comparison().show(Form::Json)).unwrap();
        assert_eq!(json["new"]["kernel"], "6.12");
        assert_eq!(json["changes"][0]["change"], "end");
    }

    #[test]
    fn markdown_has_the_words_and_the_diff_with_both_sides() {
        let wanted = "### start/a\n\n- ends otherwise: exit 0 -\\> exit 1\n\n```diff\n\
                      --- 6.1 (snapshot of 5.10)\n+++ 6.12 (snapshot of 5.10)\n@@ -1,2 +1,2 @@\n \
                      start p1 by launcher: execve /a_b\n-end p1: exit 0\n+end p1: exit 1\n```\n";
        assert_eq!(comparison().show(Form::Markdown), wanted);
    }

    #[test]
    fn a_process_is_named_where_there_are_two() {
        let side = || Side {
            kernel: "6.1".to_owned(),
            source: "snapshot of 5.10".to_owned(),
        };
        let text =
            "start p1 by launcher: execve /a\nend p1: exit 0\n\nstart p2 by p1\nend p2: exit 0\n";
        let (old, new) = (
            parse(text).unwrap(),
            parse(&text.replace("p2: exit 0", "p2: exit 1")),
        );
        let two = Comparison::new("start/a", (side(), &old), (side(), &new.unwrap()));
        assert_eq!(two.words, ["p2: ends otherwise: exit 0 -> exit 1"]);
    }
}
