//! Cgroups by the numbers that the kernel tells of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::event::{Field, Raw};
use crate::files;
use crate::trail::printable;

/// Where the one hierarchy is mounted (`crate::observer::look`).
const PLACE: &str = "/sys/fs/cgroup";

/// Puts the path of each cgroup in the place of its number: the inode of its directory
/// (`cgroup_id` in include/linux/cgroup.h). One that is gone has none.
pub fn name(raw: &mut [Raw]) {
    let mut known = BTreeMap::new();
    gather(Path::new(PLACE), &mut known);
    for raw in raw {
        if let Some(cgroup) = raw.fields.get_mut(&Field::Cgroup) {
            let path = known.get(cgroup.as_str()).cloned();
            *cgroup = path.unwrap_or_else(|| "gone".to_owned());
        }
    }
}

fn gather(directory: &Path, known: &mut BTreeMap<String, String>) {
    let Ok(found) = fs::metadata(directory) else {
        return;
    };
    let path = directory.strip_prefix(PLACE).unwrap_or(directory);
    let path = format!("/{}", path.display());
    known.insert(found.ino().to_string(), printable(path.as_bytes()));
    let inside = files::list(directory).unwrap_or_default();
    for inside in inside.iter().filter(|path| path.is_dir()) {
        gather(inside, known);
    }
}
