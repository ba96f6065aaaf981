//! A program that a user brings: it says on its standard output what it sees
//! (`docs/observer-protocol.md`).
//!
//! It is started before the first scenario and lives on, under a keeper ([`keeper`]) whose tree is spared
//! when a scenario's processes are ended, and whose own opens the monitor answers and does not tell. When
//! a watch is over, a program is executed on each CPU that is no scenario's: once the agent has told of
//! those, it has told of everything before. Where it does not, a time limit ends the wait.

mod keeper;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::look::show_cgroups;
use super::{Kind, Observer, Statement, Watch, broken};
use crate::event::{self, AgentSaid, Cost, Raw};
use crate::need::{Host, Need};
use crate::subject::{ROLE, Role};
use crate::trail::LabKind;
use crate::wire::{self, Failure, GuestPlan, Lost, SUBJECT};
use keeper::{Keeper, Until, Words};

/// Armed before everybody else: its keeper has no descriptor of theirs.
pub const KIND: Kind = Kind {
    name: "agent",
    needs: &[Need {
        what: "a virtual machine: an agent watches the whole of it",
        host: Host::Vm,
        probe: |lab| lab == LabKind::Vm,
    }],
    wants: &[],
    takes: None,
    make: || Box::new(AgentObserver::default()),
};

/// How long it may take until it is ready; less than the host waits for a word of the guest.
const READY: Duration = Duration::from_secs(15);
/// How long is waited for what it tells late.
const LATE: Duration = Duration::from_secs(2);
/// How long the keeper itself may take to answer.
const KEEPER: Duration = Duration::from_secs(3);
/// How many execs are measured; the median counts.
const EXECS: usize = 15;
/// How long nothing is done before each of them: what an agent does about one is not counted for the next.
const PAUSE: Duration = Duration::from_millis(30);

#[derive(Debug, Default)]
struct AgentObserver {
    brought: Option<wire::AgentCommand>,
    running: Option<Running>,
    /// Why there is none, for good.
    failed: Option<String>,
}

#[derive(Debug)]
struct Running {
    keeper: Keeper,
    alone: Duration,
    beside: Duration,
}

impl Observer for AgentObserver {
    fn plan(&mut self, plan: &GuestPlan) {
        self.brought.clone_from(&plan.agent);
        self.start(Instant::now() + READY);
    }

    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        Ok(())
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        // One that was ended with a scenario that broke begins anew.
        if self.running.is_none() && self.failed.is_none() {
            self.start(watch.deadline.min(Instant::now() + READY));
        }
        if let Some(reason) = &self.failed {
            return Err(Failure::Broken(reason.clone()));
        }
        let Some(running) = &mut self.running else {
            return Err(Failure::Broken("there is no agent".to_owned()));
        };
        // What it says of what was before is nobody's.
        let heard = running.keeper.hear(Until::Now, Duration::ZERO);
        heard.and_then(alive).map_err(broken)?;
        watch.quiet = Some(running.keeper.pid());
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<Statement>, Failure> {
        let Some(running) = &mut self.running else {
            return Ok(None);
        };
        running.report(watch).map(Some).map_err(broken)
    }

    fn abandon(&mut self) {
        // Somebody may wait for an answer of its own.
        self.running = None;
    }

    fn spares(&self) -> Option<i32> {
        self.running.as_ref().map(|running| running.keeper.pid())
    }
}

impl AgentObserver {
    fn start(&mut self, deadline: Instant) {
        let Some(brought) = &self.brought else { return };
        match Running::start(brought, deadline) {
            Ok(running) => self.running = Some(running),
            Err(error) => self.failed = Some(format!("{error:#}")),
        }
    }
}

impl Running {
    fn start(brought: &wire::AgentCommand, deadline: Instant) -> Result<Running> {
        show_cgroups()?;
        let alone = execs()?;
        let mut keeper = Keeper::start(brought)?;
        let limit = deadline.saturating_duration_since(Instant::now());
        let heard = keeper.hear(Until::First, limit)?;
        match heard.lines.first().map(|line| event::said(line)) {
            Some(Ok(AgentSaid::Ready)) => {}
            Some(Ok(_)) => bail!(
                "the first line of the agent is not {{\"ready\":{}}}{}",
                event::PROTOCOL,
                last(&heard)
            ),
            Some(Err(reason)) => bail!(
                "the first line of the agent is not {{\"ready\":{}}}: {reason}{}",
                event::PROTOCOL,
                last(&heard)
            ),
            None => {
                alive(heard)?;
                bail!(
                    "the agent did not say within {} s that it is ready",
                    limit.as_secs()
                );
            }
        }
        alive(heard)?;
        Ok(Running {
            keeper,
            alone,
            beside: execs()?,
        })
    }

    fn report(&mut self, watch: &Watch) -> Result<Statement> {
        let fences = fences()?;
        let heard = self.keeper.hear(Until::Pids(fences), LATE)?;
        let came = heard.came;
        let mut lost = Lost::default();
        let mut raw: Vec<Raw> = Vec::new();
        for line in &heard.lines {
            match event::said(line) {
                Ok(AgentSaid::Happened(event)) => raw.push(*event),
                Ok(AgentSaid::Lost(count)) => lost.missed += count,
                Ok(AgentSaid::Ready) => bail!("the agent says a second time that it is ready"),
                Err(reason) => {
                    let line: String = line.chars().take(200).collect();
                    bail!("a line of the agent is none of the protocol: {reason}\n{line}");
                }
            }
        }
        alive(heard)?;
        let report = event::Report {
            events: event::place(&watch.run, raw),
            cost: Some(Cost {
                alone_us: micros(self.alone),
                beside_us: micros(self.beside),
                opens: watch.quiet_opens,
                late: !came,
            }),
            ..event::Report::default()
        };
        Statement::of(&report, lost)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// An agent that has ended sees nothing any more.
fn alive(heard: Words) -> Result<()> {
    match &heard.end {
        None => Ok(()),
        Some(end) => bail!("the agent {end}{}", last(&heard)),
    }
}

fn last(heard: &Words) -> String {
    match heard.last.is_empty() {
        true => "; it said nothing".to_owned(),
        false => format!("; its last lines:\n{}", heard.last.join("\n")),
    }
}

/// Executes a program on each CPU and returns the processes: per CPU, a tracer's buffer is in order.
fn fences() -> Result<Vec<i32>> {
    let own = Pid::from_raw(0);
    let before = sched_getaffinity(own).context("failed to ask for the CPUs")?;
    let cpus = (0..CpuSet::count()).filter(|cpu| before.is_set(*cpu).unwrap_or(false));
    let mut pids = Vec::new();
    for cpu in cpus {
        let mut one = CpuSet::new();
        one.set(cpu).context("no such CPU")?;
        sched_setaffinity(own, &one).context("failed to choose a CPU")?;
        pids.push(exec()?);
    }
    sched_setaffinity(own, &before).context("failed to go back to all CPUs")?;
    Ok(pids)
}

/// The median of the start and end of a small program.
fn execs() -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..EXECS {
        std::thread::sleep(PAUSE);
        let begin = Instant::now();
        exec()?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(times[EXECS / 2])
}

/// Executes our own program, on a file system that nobody watches.
fn exec() -> Result<i32> {
    let mut command = Command::new(SUBJECT);
    command.env_clear().env(ROLE, Role::Exit.name());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.spawn();
    let mut child = child.with_context(|| format!("failed to execute {SUBJECT}"))?;
    let status = child.wait().context("failed to reap a program")?;
    ensure!(status.success(), "{SUBJECT} ended with {status}");
    Ok(child.id().cast_signed())
}
