//! What a guest or a kept record says, made fit to be shown: the one place where their strings enter.
//!
//! A guest is a kernel that somebody gave us, a record a file that somebody sent us. Whatever stands
//! in their strings, no terminal obeys it and no line of a report is forged with it.

use serde_json::{Map, Value};

use super::escape::{escape, is_visible};

/// Keys of texts that have several lines by nature; formats indent or quote them. Of all other
/// strings each stays on its line.
const SEVERAL_LINES: [&str; 5] = ["broken", "diff", "reason", "source", "trail"];

/// Makes every string in a message or a record printable, keys included.
///
/// What honest ones hold came through [`super::printable`] and stays as it is: a backslash is not
/// escaped once more.
#[must_use]
pub fn foreign(json: Value) -> Value {
    value(json, &[])
}

fn value(json: Value, kept: &[char]) -> Value {
    match json {
        Value::String(text) => Value::String(string(text, kept)),
        Value::Array(all) => all.into_iter().map(|one| value(one, &[])).collect(),
        Value::Object(all) => {
            let member = |(key, one): (String, Value)| {
                let kept: &[char] = match SEVERAL_LINES.contains(&key.as_str()) {
                    true => &['\n'],
                    false => &[],
                };
                (string(key, &[]), value(one, kept))
            };
            Value::Object(all.into_iter().map(member).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Makes a text that is shown printable: an error, which may quote a file, or a list of lines.
#[must_use]
pub fn shown(text: &str) -> String {
    string(text.to_owned(), &['\n'])
}

fn string(text: String, kept: &[char]) -> String {
    let fits = |character| is_visible(character) || kept.contains(&character);
    if text.chars().all(fits) {
        return text;
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match fits(character) {
            true => clean.push(character),
            false => escape(&mut clean, character),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_string_anywhere_is_made_printable() {
        let clean = foreign(json!({"a": ["\u{1b}[2J", {"b": "x\u{202e}y"}]}));
        let expected = json!({"a": ["\\x1b[2J", {"b": "x\\xe2\\x80\\xaey"}]});
        assert_eq!(clean, expected);
    }

    #[test]
    fn a_key_is_made_printable_too() {
        assert_eq!(foreign(json!({"a\n": 1})), json!({"a\\x0a": 1}));
    }

    #[test]
    fn what_a_guest_escaped_stays_as_it_is() {
        let escaped = super::super::printable(b"a\n\\b\xff");
        assert_eq!(foreign(json!(escaped)), json!(escaped));
    }

    #[test]
    fn a_reason_has_lines_and_a_path_has_none() {
        let clean = foreign(json!({"reason": "a\nb", "path": "a\nb"}));
        assert_eq!(clean, json!({"reason": "a\nb", "path": "a\\x0ab"}));
    }

    #[test]
    fn lines_are_those_of_the_text_and_not_of_what_is_in_it() {
        let clean = foreign(json!({"trail": [{"path": "a\nb"}]}));
        assert_eq!(clean, json!({"trail": [{"path": "a\\x0ab"}]}));
    }

    #[test]
    fn an_error_keeps_its_lines_and_nothing_else() {
        assert_eq!(shown("a\nb\r\u{1b}c"), "a\nb\\x0d\\x1bc");
    }
}
