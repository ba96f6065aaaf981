//! The view `proc-connector`.

use super::Way;
use crate::view::ViewName;

/// Messages of the process connector, with what `/proc` then says.
#[derive(Debug)]
pub struct ProcConnector;

impl Way for ProcConnector {
    const NAME: ViewName = ViewName::new("proc-connector");
    const ABOUT: &'static str = "the process connector's messages, and /proc at the next step";
}
