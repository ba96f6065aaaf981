//! Text that stays on its line, whatever bytes a path or a comm holds.

use alloc::string::String;
use core::fmt::Write as _;

/// Writes bytes as text: control characters, backslashes and what is no UTF-8 become `\xNN`.
///
/// A path may hold any byte but NUL and `/` (path_resolution(7)), a comm any byte but NUL.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                let mut buffer = [0; 4];
                hex(&mut text, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                text.push(character);
            }
        }
        hex(&mut text, chunk.invalid());
    }
    text
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
    fn a_byte_that_is_no_utf8_is_shown() {
        assert_eq!(printable(b"a\xffb"), "a\\xffb");
    }

    #[test]
    fn a_backslash_is_escaped_so_that_the_text_is_unambiguous() {
        assert_eq!(printable(b"a\\x0ab"), "a\\x5cx0ab");
    }
}
