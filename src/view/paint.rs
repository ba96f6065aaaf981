//! The styles of a terminal, all plain when there is no colour.

use console::Style;

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Yes,
    /// For everything else.
    No,
}

/// Styles by what they mean.
#[derive(Debug)]
pub struct Paint {
    /// What begins something.
    pub heading: Style,
    /// What is of less interest.
    pub quiet: Style,
    /// A step under the exe that the process had at first.
    pub old: Style,
    /// A step under another exe.
    pub new: Style,
    /// An outcome that is as accepted.
    pub same: Style,
    /// An outcome that is for the reader to judge.
    pub changed: Style,
    /// An outcome that is our failure.
    pub broken: Style,
    /// A line that came.
    pub added: Style,
    /// A line that went.
    pub removed: Style,
}

impl Paint {
    /// Makes the styles.
    #[must_use]
    pub fn new(colour: Colour) -> Paint {
        let style = || Style::new().force_styling(colour == Colour::Yes);
        Paint {
            heading: style().bold(),
            quiet: style().dim(),
            old: style().yellow(),
            new: style().cyan(),
            same: style().green(),
            changed: style().yellow().bold(),
            broken: style().red().bold(),
            added: style().green(),
            removed: style().red(),
        }
    }

    /// A line of a diff, by its sign.
    #[must_use]
    pub fn diff_line(&self, line: &str) -> String {
        let style = match line.as_bytes().first() {
            Some(b'+') => &self.added,
            Some(b'-') => &self.removed,
            _ => &self.quiet,
        };
        style.apply_to(line).to_string()
    }
}
