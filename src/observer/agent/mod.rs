//! A program that a user brings: it says on its standard output what it sees
//! (`docs/observer-protocol.md`).
//!
//! It is started before the first scenario and lives on, under a keeper ([`keeper`]) whose tree is spared
//! when a scenario's processes are ended, and whose own opens the monitor answers and does not tell. When
//! a watch is over, a program is executed on each CPU that is no scenario's: once the agent has told of
//! those, nothing more is waited for. Where it does not, a time limit ends the wait.

mod heard;
mod keeper;
mod listener;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::look::show_cgroups;
use super::{Kind, Observer, Statement, Watch, broken};
use crate::event::{self, AgentSaid, Cost, Raw, Round};
use crate::need::{Host, Need};
use crate::subject::{ROLE, Role};
use crate::trail::LabKind;
use crate::wire::{self, Failure, GuestPlan, Lost, SUBJECT};
use heard::Until;
use keeper::{Keeper, Words};

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

/// How long is waited for what it tells late.
const LATE: Duration = Duration::from_secs(2);
/// How long the keeper itself may take to answer.
const KEEPER: Duration = Duration::from_secs(3);
/// How long our own programs may take beside it, all of one look together: some thirty, of 10 ms under emulation.
const OWN: Duration = Duration::from_secs(10);
/// How long it has to be silent at the end of that time: who goes on to talk has more to tell.
const SILENT: Duration = Duration::from_millis(500);
/// How many execs are measured in a round, of which the quickest counts, and how many rounds there are.
const EXECS: usize = 5;
const ROUNDS: usize = 5;
/// How many execs come before the first round: the first ones are slow, because nothing is cached.
const WARM_UP: usize = 3;
/// How long nothing is done before each of them: what an agent does about one is not counted for the next.
const PAUSE: Duration = Duration::from_millis(20);

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
    rounds: Vec<Round>,
    /// What it has written to standard error outside of scenarios.
    errors: Vec<String>,
}

impl Observer for AgentObserver {
    fn plan(&mut self, plan: &GuestPlan) {
        self.brought.clone_from(&plan.agent);
        // With all of its time, so that what fails is kept.
        let _ = self.start(Duration::MAX);
    }

    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        Ok(())
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        // One that was ended with a scenario that broke begins anew.
        if self.running.is_none() && self.failed.is_none() {
            let left = watch.deadline.saturating_duration_since(Instant::now());
            self.start(left)?;
        }
        if let Some(reason) = &self.failed {
            return Err(Failure::Broken(reason.clone()));
        }
        let Some(running) = &mut self.running else {
            return Err(Failure::Broken("there is no agent".to_owned()));
        };
        // Also where the next line fails: the agent goes on beside the scenario.
        watch.quiet = Some(running.keeper.pid());
        running.clear().map_err(broken)
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<Statement>, Failure> {
        let Some(running) = &mut self.running else {
            return Ok(None);
        };
        let report = running.report(watch).map(Some);
        if report.is_err() && !running.keeper.is_there() {
            // The next scenario begins it anew, and says what becomes of that.
            self.running = None;
        }
        report.map_err(broken)
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
    /// Starts it, with as much time as it may take, and no more than is left: then it may come about the next time.
    fn start(&mut self, left: Duration) -> Result<(), Failure> {
        let Some(brought) = &self.brought else {
            return Ok(());
        };
        let ready = brought.ready();
        match Running::start(brought, left.min(ready)) {
            Ok(running) => self.running = Some(running),
            Err(error) if left < ready => return Err(broken(error)),
            Err(error) => self.failed = Some(format!("{error:#}")),
        }
        Ok(())
    }
}

impl Running {
    fn start(brought: &wire::AgentCommand, limit: Duration) -> Result<Running> {
        show_cgroups()?;
        for _ in 0..WARM_UP {
            exec()?;
        }
        let alone = rounds()?;
        let mut keeper = Keeper::start(brought)?;
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
                alive(&heard)?;
                bail!(
                    "the agent did not say within {:.0} s that it is ready{}",
                    limit.as_secs_f64(),
                    last(&heard)
                );
            }
        }
        // What it has said since then is nobody's, and has to be of the protocol all the same.
        events(&heard.lines[1..])?;
        alive(&heard)?;
        let beside = keeper.while_let_go(OWN, rounds)?;
        let pairs = alone.into_iter().zip(beside);
        let rounds = pairs.map(|(alone, beside)| Round {
            alone_us: micros(alone),
            beside_us: micros(beside),
        });
        Ok(Running {
            keeper,
            rounds: rounds.collect(),
            errors: heard.errors,
        })
    }

    /// Hears what it says of what was before a scenario: it is nobody's, and has to be of the protocol all the same.
    fn clear(&mut self) -> Result<()> {
        let heard = self.keeper.hear(Until::Now, Duration::ZERO)?;
        events(&heard.lines)?;
        alive(&heard)?;
        self.errors.extend(heard.errors);
        Ok(())
    }

    fn report(&mut self, watch: &Watch) -> Result<Statement> {
        let fences = self.keeper.while_let_go(OWN, fences)?;
        let heard = self.keeper.hear(Until::Pids(fences), LATE)?;
        let came = heard.came;
        let (raw, lost) = events(&heard.lines)?;
        if lost.missed == 0 && talks_on(&heard) {
            bail!(
                "the agent was still talking when its {} s for late lines were over, and had not told of the last \
                 exec: it has more to tell, or floods{}",
                LATE.as_secs(),
                last(&heard)
            );
        }
        alive(&heard)?;
        let mut errors = std::mem::take(&mut self.errors);
        errors.extend(heard.errors);
        let report = event::Report {
            events: event::place(&watch.run, raw),
            cost: Some(Cost {
                rounds: self.rounds.clone(),
                opens: watch.quiet_opens,
                late: !came,
                errors,
            }),
            ..event::Report::default()
        };
        Statement::of(&report, lost)
    }
}

/// What lines tell of, and how many events they say are lost.
fn events(lines: &[String]) -> Result<(Vec<Raw>, Lost)> {
    let mut lost = Lost::default();
    let mut raw: Vec<Raw> = Vec::new();
    for line in lines {
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
    Ok((raw, lost))
}

/// Whether it has not told of the last exec, and has not fallen silent either.
fn talks_on(heard: &Words) -> bool {
    let silent = heard.silent_ms.map(Duration::from_millis);
    !heard.came && heard.end.is_none() && silent.is_some_and(|silent| silent < SILENT)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// An agent that has ended sees nothing any more.
fn alive(heard: &Words) -> Result<()> {
    match &heard.end {
        None => Ok(()),
        Some(end) => bail!("the agent {end}{}", last(heard)),
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
    let on = |cpu| {
        let mut one = CpuSet::new();
        one.set(cpu).context("no such CPU")?;
        sched_setaffinity(own, &one).context("failed to choose a CPU")?;
        exec()
    };
    let pids = cpus.map(on).collect();
    // Also where one failed: whoever is started by us has our CPUs.
    sched_setaffinity(own, &before).context("failed to go back to all CPUs")?;
    pids
}

/// What the start and end of a small program takes, round by round.
fn rounds() -> Result<Vec<Duration>> {
    (0..ROUNDS).map(|_| quickest(timed)).collect()
}

/// What the quickest takes of some: the host, busy with something else, can only add to one.
fn quickest(mut one: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    (1..EXECS).try_fold(one()?, |least, _| Ok(least.min(one()?)))
}

/// What the start and end of a small program takes once.
fn timed() -> Result<Duration> {
    std::thread::sleep(PAUSE);
    let begin = Instant::now();
    exec()?;
    Ok(begin.elapsed())
}

/// Executes our own program, on a file system that the monitor does not watch.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(came: bool, silent_ms: Option<u64>) -> bool {
        talks_on(&Words {
            came,
            silent_ms,
            ..Words::default()
        })
    }

    #[test]
    fn who_has_told_of_the_last_exec_may_go_on() {
        assert!(!heard(true, Some(0)));
    }

    #[test]
    fn who_has_fallen_silent_has_nothing_more_to_tell() {
        assert!(!heard(false, Some(900)));
        assert!(!heard(false, None));
    }

    #[test]
    fn who_talks_on_has_more_to_tell() {
        assert!(heard(false, Some(20)));
    }

    #[test]
    fn a_host_that_is_busy_most_of_the_time_is_not_taken_for_the_cost_of_an_agent() {
        let mut times = [70, 90, 20, 300, 80].into_iter();
        let least = quickest(|| Ok(Duration::from_millis(times.next().unwrap()))).unwrap();
        assert_eq!(least, Duration::from_millis(20));
        assert_eq!(times.next(), None);
    }

    #[test]
    fn a_line_of_no_protocol_is_quoted() {
        let lines = [
            r#"{"pid":7}"#.to_owned(),
            r#"{"pid":7,"result":"bad"}"#.to_owned(),
        ];
        let error = events(&lines).unwrap_err().to_string();
        assert!(error.contains(&lines[1]), "{error}");
        assert_eq!(events(&lines[..1]).unwrap().0.len(), 1);
    }
}
