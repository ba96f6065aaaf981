//! From the tables to the cache: kernels and the fixture, out of Debian packages.
//!
//! `vm/setup` calls it through `exetrail fetch`. A package that the lock names is downloaded by its
//! place in the archive and checked against the lock's sha256, so that no list is needed;
//! when it is gone the signed lists are read and the newest of its series is taken, which is then
//! said with every result. Any other failure is an error: nothing is taken in the place of a package
//! whose checksum is wrong. An entry of the cache is made beside its place and renamed when whole.
//!
//! The cache is not believed either: see [`contents`], [`own`] and [`work`].

mod apt;
mod checksum;
mod contents;
mod deb;
mod elf;
mod fixture;
mod kernel;
mod lock;
mod mirror;
pub(crate) mod own;
mod package;
mod packages;
mod resolve;
mod work;

pub use apt::prepare_root;
pub(crate) use checksum::hexadecimal;
pub(crate) use contents::Contents;
pub use contents::Trust;
pub use deb::{Member, MemberKind, read_deb};
pub use fixture::{Fixture, FixtureTable, fetch_fixture, load_fixture};
pub use kernel::{CachedKernel, fetch_kernel, load_kernel};
pub use lock::{Lock, Pinned};
pub use package::{KernelPackage, read_kernel_package, read_module};
pub use packages::fetch_packages;
pub use resolve::{Archive, Releases, Unavailable};
pub use work::clean_up;
pub(crate) use work::{Work, put_in_place};

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::bound;

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
///
/// It cannot be read.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    checksum::Checksum::of(file).map(|found| found.sha256)
}

/// What an entry of the cache says of itself, `file` in its directory; none when it is not there.
///
/// # Errors
///
/// It cannot be read, or it or a directory above it is another user's.
pub(crate) fn read_description<T: DeserializeOwned>(
    cache: &Path,
    file: &Path,
) -> Result<Option<T>> {
    let above = file.ancestors().take_while(|path| path.starts_with(cache));
    let mut above: Vec<_> = above.collect();
    above.reverse();
    for path in above {
        if own::metadata(path)?.is_none() {
            return Ok(None);
        }
    }
    let context = || format!("failed to read {}", file.display());
    let text = bound::file(file, bound::TEXT)?;
    serde_json::from_slice(&text).with_context(context)
}
