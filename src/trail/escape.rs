//! Text that stays on its line, whatever bytes a path or a comm holds.

use alloc::string::String;
use core::fmt::Write as _;

/// Writes bytes as text: what is no UTF-8, backslashes and characters that are not seen become `\xNN`.
///
/// A path may hold any byte but NUL, and so may a comm. Not seen are
/// control characters, but also those that turn the direction of writing, part lines and paragraphs,
/// take no room, or are not assigned.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' || !is_visible(character) {
                escape(&mut text, character);
            } else {
                text.push(character);
            }
        }
        hex(&mut text, chunk.invalid());
    }
    text
}

/// Whether a reader sees a character where it stands.
#[must_use]
pub fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_control();
    }
    if is_ignorable(character) {
        return false;
    }
    // What Rust's own `{:?}` writes as it is. A mark that combines is seen only after a letter.
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().count() == 2
}

/// Whether a character that Rust's own `{:?}` writes as it is shows nothing by itself (`Default_Ignorable_Code_Point`).
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Adds the bytes of a character as `\xNN`.
pub fn escape(text: &mut String, character: char) {
    hex(text, character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn plain_text_is_kept() {
        assert_eq!(
            printable("/usr/bin/größe (deleted)".as_bytes()),
            "/usr/bin/größe (deleted)"
        );
    }

    #[test]
    fn a_newline_cannot_end_the_line() {
        assert_eq!(printable(b"a\nb"), "a\\x0ab");
    }

    #[test]
    fn what_turns_or_parts_the_text_unseen_is_shown() {
        assert_eq!(printable("a\u{202e}b".as_bytes()), "a\\xe2\\x80\\xaeb");
        for hidden in [
            '\u{2028}',
            '\u{200b}',
            '\u{feff}',
            '\u{9b}',
            '\u{e0041}',
            '\u{378}',
            '\u{34f}',
            '\u{fe0f}',
            '\u{3164}',
        ] {
            assert!(!super::is_visible(hidden), "{hidden:?}");
        }
    }

    #[test]
    fn a_mark_that_combines_is_kept() {
        assert_eq!(printable("e\u{301}".as_bytes()), "e\u{301}");
    }

    #[test]
    fn a_byte_that_is_no_utf8_is_shown() {
        assert_eq!(printable(b"a\xffb"), "a\\xffb");
    }

    #[test]
    fn a_backslash_is_escaped_so_that_the_text_is_unambiguous() {
        assert_eq!(printable(b"a\\x0ab"), "a\\x5cx0ab");
    }
}
