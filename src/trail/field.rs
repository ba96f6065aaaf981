//! Fields of one line: written so that no value can be taken for the word that parts two of them.
//!
//! A comm may hold ` : path=`, an argument ` | `. Their first character is then written as `\xNN`,
//! which no value holds by itself: [`super::printable`] writes a backslash as `\x5c`, and escapes no
//! other character that a reader sees.

use std::borrow::Cow;

/// What stands for something that is not there.
pub const NONE: &str = "none";

/// What of the characters that part fields is escaped, and how.
const ESCAPES: [(&str, char); 3] = [("\\x20", ' '), ("\\x6e", 'n'), ("\\x7c", '|')];

/// A value before one of these words.
pub fn before<'a>(value: &'a str, words: &[&str]) -> Cow<'a, str> {
    let mut value = Cow::Borrowed(value);
    for word in words {
        if value.contains(word) {
            value = Cow::Owned(value.replace(word, &escaped(word)));
        }
    }
    value
}

/// A value that may be missing.
pub fn or_none(value: Option<&str>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed(NONE),
        Some(NONE) => Cow::Owned(escaped(NONE)),
        Some(value) => Cow::Borrowed(value),
    }
}

/// A value without this character.
pub fn without(value: &str, character: char) -> String {
    let mut place = [0; 4];
    let character = character.encode_utf8(&mut place);
    value.replace(&*character, &escaped(character))
}

/// Undoes what the other functions did.
pub fn read(text: &str) -> String {
    let mut value = text.to_owned();
    if text.contains('\\') {
        for (escape, character) in ESCAPES {
            value = value.replace(escape, character.encode_utf8(&mut [0; 4]));
        }
    }
    value
}

/// Undoes [`or_none`].
pub fn read_or_none(text: &str) -> Option<String> {
    (text != NONE).then(|| read(text))
}

/// A word whose first character is escaped.
fn escaped(word: &str) -> String {
    let mut rest = word.chars();
    let first = rest.next();
    let escape = ESCAPES
        .iter()
        .find(|(_, character)| Some(*character) == first);
    let escape = escape.map_or("", |(escape, _)| escape);
    format!("{escape}{}", rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_value_is_as_it_was() {
        assert_eq!(before("/usr/bin/a b", &[" comm="]), "/usr/bin/a b");
        assert_eq!(or_none(Some("nonesuch")), "nonesuch");
    }

    #[test]
    fn a_word_in_a_value_is_escaped_and_read_back() {
        let written = before("a : path=b", &[" : path="]);
        assert_eq!(written, "a\\x20: path=b");
        assert_eq!(read(&written), "a : path=b");
    }

    #[test]
    fn what_is_called_none_is_not_missing() {
        assert_eq!(
            read_or_none(&or_none(Some("none"))),
            Some("none".to_owned())
        );
        assert_eq!(read_or_none(&or_none(None)), None);
    }

    #[test]
    fn a_character_that_must_not_be_there_is_escaped_and_read_back() {
        assert_eq!(without("a|b", '|'), "a\\x7cb");
        assert_eq!(read(&without("a|b", '|')), "a|b");
    }

    #[test]
    fn what_a_guest_escaped_is_left_alone() {
        assert_eq!(read("a\\x0a\\x5cx20"), "a\\x0a\\x5cx20");
    }
}
