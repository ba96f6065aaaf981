//! A comm, and the words that may stand in its place.
//!
//! Wherever a comm of a program comes in (`/proc`, the kernel's trace, what a program says of itself, what the model predicts) it
//! goes through [`own_comm`], so that the same comm is the same text everywhere.

/// What stands for the comm of a process of which there is nothing to read.
pub(super) const GONE: &str = "gone";
/// What stands for that of a worker of the kernel.
pub(super) const WORKER: &str = "kworker";

/// A comm that a program has, or may have chosen, made printable: one that reads as a word of ours has its first letter
/// escaped.
pub(crate) fn own_comm(comm: &str) -> String {
    match comm {
        GONE => "\\x67one".to_owned(),
        WORKER => "\\x6bworker".to_owned(),
        _ => comm.to_owned(),
    }
}

/// The bytes that [`super::printable`] has made a text of.
pub(crate) fn unprintable(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match after {
            [b'x', a, b, after @ ..] if *first == b'\\' => {
                let digits = [*a, *b];
                let digits = std::str::from_utf8(&digits).ok();
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                byte.map(|byte| (byte, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::printable;

    #[test]
    fn a_word_of_ours_is_no_comm_of_a_program() {
        assert_eq!(unprintable(&own_comm(GONE)), GONE.as_bytes());
        assert_eq!(unprintable(&own_comm(WORKER)), WORKER.as_bytes());
        assert!(own_comm(GONE) != GONE && own_comm(WORKER) != WORKER);
        assert_eq!(own_comm("kworker/0:1"), "kworker/0:1");
    }

    #[test]
    fn the_bytes_come_back() {
        for bytes in [
            &b"a\n\\x0a\\"[..],
            b"\xff\xc3",
            "größe\u{202e}".as_bytes(),
            b"",
        ] {
            assert_eq!(unprintable(&printable(bytes)), bytes);
        }
    }
}
