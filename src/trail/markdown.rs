//! Text in Markdown, which a name, a path or a reason is no part of.

use alloc::string::String;

/// A text as Markdown that shows it as it is: no markup, no tags, no mention of somebody, no reference.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_[]<>&|~#!@".contains(character) {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn what_has_a_meaning_in_markdown_has_none_here() {
        assert_eq!(markdown("6.1_[x](y)<b>"), "6.1\\_\\[x\\](y)\\<b\\>");
        assert_eq!(markdown("~~@a!&amp;#1"), "\\~\\~\\@a\\!\\&amp;\\#1");
    }
}
