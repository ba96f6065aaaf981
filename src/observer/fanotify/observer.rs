//! The embedded monitor as an observer: the one that holds, and in whose run all others are placed.

use anyhow::Result;

use super::count;
use super::monitor::Monitor;
use crate::observer::{Kind, Observer, Statement, Watch, broken};
use crate::trail::LabKind;
use crate::wire::Failure;

/// Armed last, when the hooks of all others are known.
pub const KIND: Kind = Kind {
    name: "trail",
    needs: &[],
    wants: &[],
    takes: None,
    make: || Box::new(Fanotify::default()),
};

/// A monitor process, for as many watches of a scenario as it can serve.
#[derive(Debug, Default)]
struct Fanotify {
    monitor: Option<Monitor>,
    /// One whose watch is over, and which can begin another.
    idle: Option<Monitor>,
}

impl Observer for Fanotify {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        count::share().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let hooks = std::mem::take(&mut watch.hooks);
        let idle = self.idle.take().filter(|_| hooks.is_empty());
        let mut monitor = match idle {
            Some(monitor) => monitor,
            None => Monitor::start(hooks).map_err(broken)?,
        };
        let armed = monitor.arm(&watch.paths, watch.policy, watch.quiet, watch.deadline);
        armed.map_err(broken)?;
        watch.holder = Some(monitor.pid());
        self.monitor = Some(monitor);
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<Statement>, Failure> {
        let Some(mut monitor) = self.monitor.take() else {
            return Ok(None);
        };
        let seen = monitor.end(watch.helper.take(), watch.deadline);
        let seen = seen.map_err(broken)?;
        self.idle = Some(monitor).filter(Monitor::can_begin_another);
        watch.run.sightings = seen.sightings;
        watch.run.parents = seen.parents;
        watch.failed = seen.failed;
        watch.quiet_opens = seen.quiet;
        Ok(None)
    }

    fn abandon(&mut self) {
        self.monitor = None;
    }

    fn end_scenario(&mut self) {
        self.idle = None;
    }
}
