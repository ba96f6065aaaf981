//! The view `ld-preload`.

use super::Way;
use crate::view::ViewName;

/// A library before the exec and spawn functions of the C library.
#[derive(Debug)]
pub struct LdPreload;

impl Way for LdPreload {
    const NAME: ViewName = ViewName::new("ld-preload");
    const ABOUT: &'static str =
        "a preloaded library before libc's exec functions, and its footprint";
}
