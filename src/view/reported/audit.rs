//! The view `audit`.

use super::Way;
use crate::view::ViewName;

/// Records of the audit subsystem, by its multicast group.
#[derive(Debug)]
pub struct Audit;

impl Way for Audit {
    const NAME: ViewName = ViewName::new("audit");
    const ABOUT: &'static str = "audit records of execve and execveat, by multicast";
}
