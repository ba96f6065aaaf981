//! The raw 64-bit mask of a fanotify event.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The event mask as the kernel reported it, all 64 bits.
///
/// Source: `struct fanotify_event_metadata` in fanotify(7), bits in `include/uapi/linux/fanotify.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(into = "String", try_from = "String")]
pub struct Mask(pub u64);

impl Mask {
    /// `FAN_OPEN_PERM`: a file is about to be opened.
    pub const OPEN: Mask = Mask(0x0001_0000);
    /// `FAN_OPEN_EXEC_PERM`: a file is about to be opened so that it can be executed.
    pub const EXECUTE: Mask = Mask(0x0004_0000);

    const NAMES: [(u64, &'static str); 5] = [
        (Self::EXECUTE.0, "execute"),
        (Self::OPEN.0, "open"),
        (0x0002_0000, "access"),
        (0x0010_0000, "pre-access"),
        (0x4000_0000, "dir"),
    ];

    /// The names of its bits joined by `+`; bits without a name are shown as one number.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        if let Some((_, name)) = Self::NAMES.iter().find(|(bit, _)| *bit == self.0) {
            return Cow::Borrowed(name);
        }
        let mut parts = Vec::new();
        let mut rest = self.0;
        for (bit, name) in Self::NAMES {
            if rest & bit != 0 {
                parts.push(Cow::Borrowed(name));
                rest &= !bit;
            }
        }
        if rest != 0 || parts.is_empty() {
            parts.push(Cow::Owned(format!("{rest:#x}")));
        }
        Cow::Owned(parts.join("+"))
    }

    /// Reads what [`Mask::name`] wrote.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Mask> {
        let mut mask = 0;
        for part in text.split('+') {
            mask |= match Self::NAMES.iter().find(|(_, name)| *name == part) {
                Some((bit, _)) => *bit,
                None => u64::from_str_radix(part.strip_prefix("0x")?, 16).ok()?,
            };
        }
        Some(Mask(mask))
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl From<Mask> for String {
    fn from(mask: Mask) -> String {
        mask.to_string()
    }
}

impl TryFrom<String> for Mask {
    type Error = String;

    fn try_from(text: String) -> Result<Mask, String> {
        text.strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Mask)
            .ok_or_else(|| format!("\"{text}\" is no mask, expected a number such as \"0x40000\""))
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn an_exec_open_is_called_execute() {
        assert_eq!(Mask(0x40000).name(), "execute");
    }

    #[test]
    fn two_bits_are_both_shown() {
        assert_eq!(Mask(0x50000).name(), "execute+open");
    }

    #[test]
    fn an_unknown_bit_is_shown_and_never_dropped() {
        assert_eq!(
            Mask(0x8000_0000_0001_0000).name(),
            "open+0x8000000000000000"
        );
    }

    #[test]
    fn no_bit_at_all_is_shown() {
        assert_eq!(Mask(0).name(), "0x0");
    }

    #[test]
    fn a_name_reads_back_as_its_mask() {
        for mask in [0, 0x40000, 0x50000, 0x8000_0000_0001_0000] {
            assert_eq!(Mask::from_name(&Mask(mask).name()), Some(Mask(mask)));
        }
    }

    #[test]
    fn a_foreign_name_is_refused() {
        assert_eq!(Mask::from_name("opne"), None);
    }

    #[test]
    fn a_bit_that_is_named_twice_is_set() {
        assert_eq!(Mask::from_name("open+open"), Some(Mask::OPEN));
        assert_eq!(Mask::from_name("open+0x10001"), Some(Mask(0x10001)));
    }
}
