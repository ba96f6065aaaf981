//! What a state depends on, as a name.

use sha2::{Digest as _, Sha256};

use crate::fetch::hexadecimal;

/// The form of states; another number makes all of them anew.
const FORM: u8 = 2;

/// The name of a state: its kernel's label, and a hash of everything that it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key of a state that was made from these parts, in this order.
    #[must_use]
    pub fn of(label: &str, parts: &[&[u8]]) -> Key {
        let mut digest = Sha256::new();
        digest.update([FORM]);
        for part in parts {
            // With its length before it, so that no two lists are the same bytes.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Key(format!("{label}-{}", hexadecimal(&digest.finalize()[..12])))
    }

    /// As it stands in the cache.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn what_moves_from_one_part_to_the_next_is_another_key() {
        assert_ne!(
            Key::of("6.12", &[b"ab", b"c"]),
            Key::of("6.12", &[b"a", b"bc"])
        );
    }

    #[test]
    fn a_key_begins_with_its_kernel() {
        assert!(Key::of("6.12", &[]).name().starts_with("6.12-"));
    }
}
