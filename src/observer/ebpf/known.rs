//! What was there before anybody watched, as `/proc` tells it: programs that keep something of every
//! process are told it when a watch begins, as tools do when they start.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aya::maps::HashMap;
use aya::{Ebpf, Pod};

use crate::files;

/// Tells a map what is known of every process; nothing of one of which there is nothing to tell.
///
/// # Errors
///
/// The programs have no such map, or it takes nothing.
pub fn tell<T: Pod>(
    programs: &mut Ebpf,
    name: &str,
    known: impl Fn(PathBuf) -> Option<T>,
) -> Result<()> {
    let map = programs.map_mut(name);
    let map = map.with_context(|| format!("the eBPF programs have no map {name}"))?;
    let mut map: HashMap<_, u32, T> = HashMap::try_from(map)?;
    for directory in files::list("/proc".as_ref())? {
        let name = directory.file_name().and_then(|name| name.to_str());
        let Some(pid) = name.and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if let Some(known) = known(directory) {
            map.insert(pid, known, 0)
                .with_context(|| format!("failed to tell eBPF programs of process {pid}"))?;
        }
    }
    Ok(())
}

/// Puts a length and bytes where a struct has them; none where there is no room.
#[must_use]
pub fn put(into: &mut [u8], length: usize, at: usize, room: usize, bytes: &[u8]) -> Option<()> {
    if bytes.len() > room {
        return None;
    }
    let number = u32::try_from(bytes.len()).ok()?.to_ne_bytes();
    into.get_mut(length..length + 4)?.copy_from_slice(&number);
    into.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::put;

    #[test]
    fn bytes_have_their_length_at_another_place() {
        let mut into = [0; 10];
        put(&mut into, 0, 6, 4, b"/a").unwrap();
        assert_eq!(into[..4], 2_u32.to_ne_bytes());
        assert_eq!(into[6..], *b"/a\0\0");
    }

    #[test]
    fn bytes_without_room_are_not_put() {
        assert_eq!(put(&mut [0; 10], 0, 6, 1, b"/a"), None);
    }
}
