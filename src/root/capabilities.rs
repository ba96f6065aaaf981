//! File capabilities, which a cpio archive cannot carry: every file that has some is reported.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::case::CAPABILITIES;
use crate::sys;

/// The attribute that holds them (capabilities(7)).
pub const ATTRIBUTE: &str = "security.capability";

/// What is said of a file of this host that has some.
pub fn of_host(host: &Path, place: &str) -> Option<String> {
    let path = CString::new(host.as_os_str().as_bytes()).ok()?;
    let name = CString::new(ATTRIBUTE).ok()?;
    let value = sys::getxattr(&path, &name).ok()?;
    Some(lost(place, &value))
}

/// What is said of a file that has this value of the attribute.
pub fn lost(place: &str, value: &[u8]) -> String {
    format!(
        "warning: /{place} has file capabilities ({}), which do not go along: a case of a suite can give a file some \
         (docs/suites.md)",
        words(value).unwrap_or_else(|| "of an unknown form".to_owned())
    )
}

/// The sets of `struct vfs_cap_data` (linux/capability.h), as a case file names them.
fn words(value: &[u8]) -> Option<String> {
    let words = value.as_chunks::<4>().0.iter();
    let words: Vec<_> = words.map(|word| u32::from_le_bytes(*word)).collect();
    let (first, sets) = words.split_first()?;
    let wide = match first >> 24 {
        1 => 1,
        2 | 3 => 2,
        _ => return None,
    };
    let set = |place: usize| {
        let low = sets.get(place).copied().unwrap_or_default();
        let high = sets.get(place + 2).filter(|_| wide == 2);
        u64::from(low) | u64::from(high.copied().unwrap_or_default()) << 32
    };
    let (permitted, inheritable, effective) = (set(0), set(1), first & 1 == 1);
    let named = (0..64).filter_map(|bit| {
        let has = |set: u64| set >> bit & 1 == 1;
        let letters = [
            (effective, 'e'),
            (has(inheritable), 'i'),
            (has(permitted), 'p'),
        ];
        let letters = letters.iter().filter(|(is_set, _)| *is_set);
        let letters: String = letters.map(|(_, letter)| letter).collect();
        let name = CAPABILITIES.get(bit as usize);
        let name = name.map_or(bit.to_string(), |name| (*name).to_owned());
        (has(permitted) || has(inheritable)).then(|| format!("{name}+{letters}"))
    });
    Some(named.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn capabilities_are_told_as_a_case_names_them() {
        let of = |sets: &[u32]| words(&value(sets));
        let ping = of(&[0x0200_0001, 1 << 13, 0, 0, 0]);
        assert_eq!(ping.as_deref(), Some("net_raw+ep"));
        // One of the second half, and of the form with a user.
        let bpf = of(&[0x0300_0000, 0, 1, 1 << 7, 0, 1000]);
        assert_eq!(bpf.as_deref(), Some("chown+i, bpf+p"));
        assert_eq!(of(&[0x0100_0001, 2, 0]).as_deref(), Some("dac_override+ep"));
        assert_eq!((of(&[0x0900_0000]), of(&[])), (None, None));
    }
}
