//! The view `kprobes`.

use super::Way;
use crate::view::ViewName;

/// Probes on hooks of the security modules, by `kprobe_events`.
#[derive(Debug)]
pub struct Kprobes;

impl Way for Kprobes {
    const NAME: ViewName = ViewName::new("kprobes");
    const ABOUT: &'static str = "kprobes on the hooks of the security modules, without eBPF";
}
