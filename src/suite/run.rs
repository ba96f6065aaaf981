//! Boots kernels side by side and follows their guests.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::judge::{Judged, judge};
use super::{Stop, Target};
use crate::baseline::{Lineage, Store};
use crate::project::Project;
use crate::scenario::{KernelFacts, Registered};
use crate::trail::{KernelInfo, Lab, Outcome, Record, SCHEMA, Trail};
use crate::vm::accel::{Accel, Choice, choose};
use crate::vm::image::Ingredients;
use crate::vm::machine::{Machine, Terminal};
use crate::vm::session::{self, Breakdown};
use crate::wire::{Failure, Fault, Job, Message, Plan};

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many guests run side by side.
    pub jobs: usize,
    /// Virtual CPUs of a guest.
    pub cpus: u32,
    /// Faults to commit, by scenario; for tests.
    pub faults: BTreeMap<String, Fault>,
    /// Instead of each scenario's own deadline; for tests.
    pub deadline: Option<Duration>,
    /// How much longer than that a guest may be silent before it is given up.
    pub grace: Duration,
}

/// One kernel and what runs on it.
#[derive(Clone, Debug)]
pub struct Work {
    /// The kernel.
    pub target: Target,
    /// The scenarios, in this order.
    pub scenarios: Vec<&'static Registered>,
}

impl Default for Options {
    fn default() -> Options {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            jobs,
            cpus: 1,
            faults: BTreeMap::new(),
            deadline: None,
            grace: Duration::from_secs(20),
        }
    }
}

/// What happens during a run, as it happens.
#[derive(Debug)]
pub enum Event {
    /// A kernel is being booted; again when an earlier guest died.
    Booting {
        /// Index of the kernel in the call.
        kernel: usize,
    },
    /// A scenario begins.
    Running {
        /// Index of the kernel in the call.
        kernel: usize,
        /// Its name.
        scenario: String,
    },
    /// A scenario has ended, one way or the other.
    Recorded {
        /// Index of the kernel in the call.
        kernel: usize,
        /// What was seen and how it compares.
        record: Box<Record>,
        /// The comparison; none without a trail.
        judged: Option<Judged>,
    },
    /// Nothing more comes from this kernel.
    Ended {
        /// Index of the kernel in the call.
        kernel: usize,
    },
}

/// Everything that boots have in common.
#[derive(Debug)]
pub struct Suite {
    ingredients: Ingredients,
    store: Store,
    lineage: Lineage,
    /// How guests run, and why.
    pub accel: Choice,
    /// Said with every result: what is not as the locks ask for.
    pub note: Option<String>,
}

impl Suite {
    /// Prepares runs; `program` becomes PID 1.
    ///
    /// Without a remembered verdict about KVM it boots `trial` under it.
    ///
    /// # Errors
    ///
    /// The fixture is not fetched, or the program cannot be PID 1.
    pub fn prepare(
        project: &Project,
        program: &Path,
        trial: &Target,
        stop: &Stop,
    ) -> Result<Suite> {
        let fixture = project.fixture()?;
        let ingredients = Ingredients::read(program, &fixture.archive)?;
        let accel = choose(&project.cache, || try_kvm(&ingredients, trial, stop))?;
        Ok(Suite {
            ingredients,
            store: project.store(),
            lineage: project.table.lineage(),
            accel,
            note: fixture.substituted,
        })
    }

    /// Runs scenarios on kernels; `sink` hears of everything, in the calling thread.
    ///
    /// Returns whether the run came to its end; not so when the user stopped it.
    pub fn run(
        &self,
        work: &[Work],
        options: &Options,
        stop: &Stop,
        sink: &mut dyn FnMut(Event),
    ) -> bool {
        let queue = Mutex::new((0..work.len()).collect::<VecDeque<_>>());
        let next = || queue.lock().ok().and_then(|mut queue| queue.pop_front());
        let (sender, events) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..options.jobs.clamp(1, work.len().max(1)) {
                let sender = sender.clone();
                scope.spawn(move || {
                    while let Some(kernel) = next() {
                        let Work { target, scenarios } = &work[kernel];
                        let guest = Guest {
                            suite: self,
                            target,
                            kernel,
                            options,
                        };
                        guest.run(scenarios, stop, &sender);
                        // A receiver that is gone wants nothing more.
                        let _ = sender.send(Event::Ended { kernel });
                    }
                });
            }
            drop(sender);
            for event in events {
                sink(event);
            }
        });
        !stop.is_asked_for()
    }

    /// Runs one command in one kernel and hands out what it writes; returns its exit status.
    ///
    /// # Errors
    ///
    /// The guest broke down.
    pub fn command(
        &self,
        target: &Target,
        job: Job,
        terminal: Terminal,
        stop: &Stop,
        sink: &mut dyn FnMut(&Message),
    ) -> Result<u8> {
        let plan = Plan {
            job,
            ..Plan::default()
        };
        let mut machine = machine(&self.ingredients, target, self.accel.accel, &plan)?;
        machine.terminal = terminal;
        let mut result = None;
        let end = session::run(machine, stop.as_fd(), &mut |message| {
            if let Message::Exited { status } = message {
                result = Some(status);
            }
            sink(&message);
            None
        });
        match (end, result) {
            (_, Some(status)) => Ok(status),
            (Err(breakdown), None) => Err(breakdown.into()),
            (Ok(()), None) => anyhow::bail!("the guest ended without a status"),
        }
    }
}

fn machine<'a>(
    ingredients: &Ingredients,
    target: &'a Target,
    accel: Accel,
    plan: &Plan,
) -> Result<Machine<'a>> {
    let image = ingredients
        .image(&target.modules, plan)
        .with_context(|| format!("failed to build the image for {}", target.id))?;
    Ok(Machine {
        kernel: &target.kernel,
        image,
        accel,
        cpus: 1,
        terminal: Terminal::None,
    })
}

/// Boots a real kernel under KVM and asks nothing of it but to come up.
fn try_kvm(ingredients: &Ingredients, target: &Target, stop: &Stop) -> Result<()> {
    let plan = Plan::default();
    let machine = machine(ingredients, target, Accel::Kvm, &plan)?;
    session::run(machine, stop.as_fd(), &mut |_| {
        Some(Options::default().grace)
    })?;
    Ok(())
}

/// One kernel's part of a run.
struct Guest<'a> {
    suite: &'a Suite,
    target: &'a Target,
    kernel: usize,
    options: &'a Options,
}

impl Guest<'_> {
    fn run(&self, scenarios: &[&'static Registered], stop: &Stop, sender: &mpsc::Sender<Event>) {
        let mut left: VecDeque<&'static Registered> = scenarios.iter().copied().collect();
        while !left.is_empty() && !stop.is_asked_for() {
            let _ = sender.send(Event::Booting {
                kernel: self.kernel,
            });
            let before = left.len();
            let mut running = None;
            let end = self.boot(&mut left, &mut running, stop, sender);
            let Err(Breakdown::Broken(reason)) = end else {
                continue;
            };
            // The scenario that ran pays; when none did, this kernel is of no use at all.
            let lost = match running {
                Some(running) => left.iter().position(|scenario| scenario.name == running),
                None if left.len() < before => continue,
                None => None,
            };
            let lost = match lost {
                Some(place) => left.remove(place).into_iter().collect(),
                None => std::mem::take(&mut left),
            };
            for scenario in lost {
                let record = self.failed(scenario, Outcome::Broken, reason.clone());
                self.send(sender, record, None);
            }
        }
    }

    fn boot(
        &self,
        left: &mut VecDeque<&'static Registered>,
        running: &mut Option<String>,
        stop: &Stop,
        sender: &mpsc::Sender<Event>,
    ) -> Result<(), Breakdown> {
        let plan = Plan {
            job: Job::Scenarios(
                left.iter()
                    .map(|scenario| scenario.name.to_owned())
                    .collect(),
            ),
            faults: self.options.faults.clone(),
            deadline_ms: self.options.deadline.map(|time| time.as_millis() as u64),
        };
        let grace = self.options.grace;
        let broken = |error: anyhow::Error| Breakdown::Broken(format!("{error:#}"));
        let mut machine = machine(
            &self.suite.ingredients,
            self.target,
            self.suite.accel.accel,
            &plan,
        )
        .map_err(broken)?;
        machine.cpus = self.options.cpus;
        let mut release = self.target.release.clone();
        session::run(machine, stop.as_fd(), &mut |message| match message {
            Message::Hello { release: seen, .. } => {
                release = seen;
                Some(grace)
            }
            Message::Started { scenario } => {
                let found = left.iter().find(|registered| registered.name == scenario);
                let own = found.map_or(Duration::ZERO, |found| found.scenario.deadline);
                let patience = self.options.deadline.unwrap_or(own) + grace;
                *running = Some(scenario.clone());
                let _ = sender.send(Event::Running {
                    kernel: self.kernel,
                    scenario,
                });
                Some(patience)
            }
            Message::Finished { scenario, result } => {
                *running = None;
                if let Some(place) = left.iter().position(|found| found.name == scenario)
                    && let Some(registered) = left.remove(place)
                {
                    let (mut record, judged) = self.judge(registered, result);
                    record.kernel.release.clone_from(&release);
                    self.send(sender, record, judged);
                }
                Some(grace)
            }
            _ => Some(grace),
        })
    }

    fn judge(
        &self,
        registered: &'static Registered,
        result: Result<Trail, Failure>,
    ) -> (Record, Option<Judged>) {
        let facts = KernelFacts {
            release: &self.target.upstream,
            config: self.target.config.as_deref(),
            lab: Lab::Vm,
        };
        let needs = registered.scenario.needs.iter();
        let unmet: Vec<_> = needs
            .filter(|need| need.on_host(&facts) == Some(false))
            .map(|need| need.what.to_owned())
            .collect();
        match result {
            Ok(trail) if unmet.is_empty() => {
                let (store, lineage) = (&self.suite.store, &self.suite.lineage);
                let judged = judge(store, lineage, &self.target.id, registered.name, &trail);
                let reason = judged.reason.clone();
                let record = Record {
                    trail,
                    ..self.failed(registered, judged.outcome, String::new())
                };
                (Record { reason, ..record }, Some(judged))
            }
            Ok(_) => {
                let reason = format!(
                    "by its configuration this kernel lacks {}, but the scenario ran",
                    unmet.join(", ")
                );
                (self.failed(registered, Outcome::Broken, reason), None)
            }
            Err(Failure::Unsupported(missing)) => {
                // Without a configuration the guest's own word has to do.
                let known = self.target.config.is_some();
                if known && missing != unmet {
                    let reason = format!(
                        "the guest finds no {}, but by its configuration this kernel has it",
                        missing.join(", ")
                    );
                    return (self.failed(registered, Outcome::Broken, reason), None);
                }
                let reason = format!("needs {}", missing.join(", "));
                (self.failed(registered, Outcome::Unsupported, reason), None)
            }
            Err(Failure::Broken(reason)) => {
                (self.failed(registered, Outcome::Broken, reason), None)
            }
        }
    }

    fn failed(&self, registered: &Registered, outcome: Outcome, reason: String) -> Record {
        Record {
            schema: SCHEMA,
            scenario: registered.name.to_owned(),
            kernel: KernelInfo {
                id: self.target.id.to_string(),
                release: self.target.release.clone(),
                lab: Lab::Vm,
            },
            outcome,
            reason: Some(reason),
            trail: Trail::default(),
        }
    }

    fn send(&self, sender: &mpsc::Sender<Event>, record: Record, judged: Option<Judged>) {
        let record = Box::new(record);
        // A receiver that is gone wants nothing more.
        let _ = sender.send(Event::Recorded {
            kernel: self.kernel,
            record,
            judged,
        });
    }
}
