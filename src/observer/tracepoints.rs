//! The tracepoints that an exec passes, as a tool reads them from tracefs.

use anyhow::{Result, anyhow};

use super::tracefs::{BUFFER, Instance, SYSCALLS};
use super::{HeldHook, Kind, Observer, Watch, broken};
use crate::event::{self, Report};
use crate::need::Need;
use crate::trail::LabKind;
use crate::wire::{Failure, Lost};

/// Armed before the monitor, which lays a marker into the trace at each step.
pub const KIND: Kind = Kind {
    name: "tracepoints",
    needs: &[
        Need::vm("a virtual machine: the tracer of the running system is not ours"),
        SYSCALLS,
    ],
    wants: &[],
    takes: None,
    make: || Box::new(Tracepoints::default()),
};

/// What is listened to, where it is there.
const EVENTS: [&str; 8] = [
    "syscalls/sys_enter_execve",
    "syscalls/sys_enter_execveat",
    "sched/sched_prepare_exec",
    "sched/sched_process_exec",
    "syscalls/sys_exit_execve",
    "syscalls/sys_exit_execveat",
    "task/task_newtask",
    "sched/sched_process_exit",
];

/// A tracepoint that surveys name and that no kernel of the table has, in whatever group.
const NAMED: &str = "open_exec";

/// An instance of the tracer for the whole boot.
#[derive(Debug, Default)]
struct Tracepoints {
    instance: Option<Instance>,
    absent: Vec<String>,
}

impl Tracepoints {
    fn make(&mut self) -> Result<()> {
        let mut instance = Instance::make(KIND.name, BUFFER)?;
        for event in EVENTS {
            match instance.has(event) {
                true => instance.enable(event)?,
                false => self
                    .absent
                    .push(event.rsplit('/').next().unwrap_or(event).to_owned()),
            }
        }
        if !instance.has_anywhere(NAMED) {
            self.absent.push(NAMED.to_owned());
        }
        self.instance = Some(instance);
        Ok(())
    }

    fn instance(&mut self) -> Result<&mut Instance, Failure> {
        let instance = self.instance.as_mut();
        instance.ok_or_else(|| Failure::Broken("the tracer was not set up".to_owned()))
    }
}

impl Observer for Tracepoints {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        self.make().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let marker = self.instance()?.begin().map_err(broken)?;
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(marker),
        });
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let lines = self.instance()?.end().map_err(broken)?;
        let raw = event::events(&lines).map_err(|what| broken(anyhow!("the trace is {what}")))?;
        let report = Report {
            absent: self.absent.clone(),
            events: event::place(&watch.run, raw),
            ..Report::default()
        };
        super::Statement::told(&report, Lost::default())
    }

    fn abandon(&mut self) {
        if let Some(instance) = &mut self.instance {
            // What a broken scenario left in the buffer is nobody's.
            let _ = instance.end();
        }
    }
}
