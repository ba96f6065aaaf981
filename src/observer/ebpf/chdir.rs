//! `exec-fork-chdir`: full paths from working directories that are kept beside the kernel.

use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::maps::HashMap;

use super::{Object, Programs, needs};
use crate::files;
use crate::observer::Kind;

/// Its programs are those of `chdir.bpf.c`.
pub const KIND: Kind = Kind {
    name: "exec-fork-chdir",
    needs: needs::BTF,
    takes: None,
    make: || Box::new(Programs::of(&OBJECT)),
};

static OBJECT: Object = Object {
    name: KIND.name,
    bytes: super::object!("chdir"),
    begin: places,
};

/// `struct place` of `chdir.bpf.c`: the length, and the path.
type Place = [u8; 4 + LONGEST];
const LONGEST: usize = 512;

/// Puts in where processes are that were started before anybody watched, as `/proc` tells it.
fn places(programs: &mut Ebpf) -> Result<()> {
    let map = programs
        .map_mut("PLACES")
        .context("there is no map PLACES")?;
    let mut map: HashMap<_, u32, Place> = HashMap::try_from(map)?;
    for directory in files::list("/proc".as_ref())? {
        let name = directory.file_name().and_then(|name| name.to_str());
        let Some(pid) = name.and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that ends meanwhile is nowhere.
        let Ok(path) = std::fs::read_link(directory.join("cwd")) else {
            continue;
        };
        if let Some(place) = place(path.as_os_str().as_bytes()) {
            map.insert(pid, place, 0)
                .with_context(|| format!("failed to tell where process {pid} is"))?;
        }
    }
    Ok(())
}

/// A path as the programs keep it; none for one that they have no room for.
fn place(path: &[u8]) -> Option<Place> {
    let mut place = [0; 4 + LONGEST];
    place[..4].copy_from_slice(&u32::try_from(path.len()).ok()?.to_ne_bytes());
    place[4..].get_mut(..path.len())?.copy_from_slice(path);
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, place};

    #[test]
    fn a_path_has_its_length_before_it() {
        let place = place(b"/tmp").unwrap();
        assert_eq!(place[..4], 4_u32.to_ne_bytes());
        assert_eq!(place[4..9], *b"/tmp\0");
    }

    #[test]
    fn a_path_that_is_too_long_is_left_out() {
        assert!(place(&[b'a'; LONGEST + 1]).is_none());
    }
}
