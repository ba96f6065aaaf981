//! Values as reports have them: nothing that a program chose reads as a word of ours.
//!
//! Texts come printable, so that a backslash of theirs is `\x5c`, and `\xNN` can stand for any other character.

/// What parts arguments, and further names.
pub(super) const BAR: &str = " | ";
/// What stands for a text that could not be read.
const FAULT: &str = "(fault)";
/// What stands where there was no room for the beginning or the end of a text.
pub const CUT: &str = "...";

/// A text that is all there, or could not be read: what looks like one of our words has its dot or its bracket escaped.
#[must_use]
pub fn told(text: Option<&str>) -> String {
    let Some(text) = text else {
        return FAULT.to_owned();
    };
    if text == FAULT {
        return text.replace('(', "\\x28");
    }
    let (head, text) = match text.strip_prefix('.') {
        Some(rest) if text.starts_with(CUT) => ("\\x2e", rest),
        _ => ("", text),
    };
    match text.strip_suffix('.') {
        Some(rest) if text.ends_with(CUT) => format!("{head}{rest}\\x2e"),
        _ => format!("{head}{text}"),
    }
}

/// Arguments, or names, with a bar between them; one of their own is escaped.
#[must_use]
pub fn listed(words: impl IntoIterator<Item = String>) -> String {
    let words = words.into_iter().map(|word| word.replace('|', "\\x7c"));
    words.collect::<Vec<_>>().join(BAR)
}

/// A value without these escapes, as whoever chose it had it.
#[must_use]
pub(super) fn meant(value: &str) -> String {
    let mut meant = value.to_owned();
    for (escape, character) in [("\\x28", "("), ("\\x2e", "."), ("\\x7c", "|")] {
        meant = meant.replace(escape, character);
    }
    meant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_word_of_ours_is_told_from_it() {
        assert_eq!(told(None), "(fault)");
        assert_eq!(told(Some("(fault)")), "\\x28fault)");
        assert_eq!(told(Some(".../a...")), "\\x2e../a..\\x2e");
        for text in ["", ".", "..", "../a", "a..", "a...b", "/usr/bin/ls"] {
            assert_eq!(told(Some(text)), text);
        }
        assert_eq!(told(Some("...")), "\\x2e..");
        assert_eq!(meant(&told(Some(".../a..."))), ".../a...");
    }

    #[test]
    fn a_bar_of_an_argument_parts_nothing() {
        let words = |words: &[&str]| listed(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(words(&["a | b", "|", ""]), "a \\x7c b | \\x7c | ");
        assert_ne!(words(&["a | b"]), words(&["a", "b"]));
    }
}
