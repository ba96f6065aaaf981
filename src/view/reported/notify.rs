//! The view `fanotify-notify`.

use super::Way;
use crate::view::ViewName;

/// `FAN_OPEN_EXEC` without permission.
#[derive(Debug)]
pub struct FanotifyNotify;

impl Way for FanotifyNotify {
    const NAME: ViewName = ViewName::new("fanotify-notify");
    const ABOUT: &'static str = "FAN_OPEN_EXEC events that hold nobody";
}
