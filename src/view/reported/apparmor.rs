//! The view `apparmor`.

use super::Way;
use crate::view::ViewName;

/// Records of a profile in complain mode that allows nothing.
#[derive(Debug)]
pub struct AppArmor;

impl Way for AppArmor {
    const NAME: ViewName = ViewName::new("apparmor");
    const ABOUT: &'static str = "what AppArmor would refuse, in complain mode, and its footprint";
}
