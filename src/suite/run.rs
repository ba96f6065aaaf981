//! Boots kernels side by side and follows their guests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::guest::Guest;
use super::machine::{Begin, Ears, Errand, cold};
use super::talk::Talk;
use super::{ReadyKernel, Stop, USUAL};
use crate::baseline::{Lineage, Store};
use crate::native;
use crate::observer::Kind;
use crate::own;
use crate::project::Project;
use crate::scenario::Registered;
use crate::trail::{KernelId, LabKind};
use crate::view::reported::Agent;
use crate::view::{Record, ViewName};
use crate::vm::accel::{Accel, Choice, Trial, choose};
use crate::vm::image::{Ingredients, Load};
use crate::vm::machine::Terminal;
use crate::vm::programs::Programs;
use crate::vm::session::{self, Breakdown, FOR_EVER, Limits};
use crate::wire::{self, Fault, GuestPlan, Input, Job, Message, Written};

/// An agent that a user brings.
#[derive(Clone, Debug)]
pub struct Brought {
    /// What is started.
    pub agent: wire::AgentCommand,
    /// What guests carry: the fixture, and what the agent is made of.
    pub load: Load,
    /// Where its accepted reports are; none where it is held against what is known alone.
    pub store: Option<Store>,
}

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many guests run side by side.
    pub jobs: usize,
    /// Virtual CPUs of a guest.
    pub cpus: u32,
    /// Parameters of the kernels beside ours.
    pub parameters: String,
    /// Faults to commit, by scenario; for tests.
    pub faults: BTreeMap<String, Fault>,
    /// Instead of a scenario's own deadline, by its name; for tests.
    pub deadlines: BTreeMap<String, Duration>,
    /// How much longer than that a guest may be silent before it is given up.
    pub grace: Duration,
    /// How long a kernel may take to PID 1.
    pub boot: Duration,
    /// The views whose observers are armed, where they apply; the trail always is.
    pub observe: Vec<ViewName>,
    /// Kernels on which those of them are armed that have a pass of their own; none stands for all.
    pub intruded: Option<Vec<KernelId>>,
    /// How machines begin.
    pub begin: Begin,
    /// What becomes of what programs write.
    pub output: Written,
}

/// One kernel and what runs on it.
#[derive(Clone, Debug)]
pub struct Work {
    /// The kernel.
    pub target: ReadyKernel,
    /// The scenarios, in this order.
    pub scenarios: Vec<&'static Registered>,
}

impl Default for Options {
    fn default() -> Options {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            jobs,
            cpus: 1,
            parameters: String::new(),
            faults: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            grace: Duration::from_secs(20),
            boot: session::BOOT,
            observe: USUAL.to_vec(),
            intruded: None,
            begin: Begin::Warm,
            output: Written::Dropped,
        }
    }
}

impl Options {
    /// The views whose observers are armed on a kernel.
    #[must_use]
    pub fn observed(&self, id: &KernelId) -> Vec<ViewName> {
        let everybody = self.intruded.as_ref().is_none_or(|ids| ids.contains(id));
        let apart = |name: &ViewName| Kind::find(name.as_str()).is_some_and(Kind::has_own_pass);
        let names = self.observe.iter().copied();
        names.filter(|name| everybody || !apart(name)).collect()
    }
}

/// What happens during a run, as it happens.
#[derive(Debug)]
pub enum RunEvent {
    /// A kernel is being booted; again when an earlier guest died.
    Booting {
        /// Index of the kernel in the call.
        kernel: usize,
        /// Which of several boots, and why there are several; none for one that all observers share.
        part: Option<String>,
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
    },
    /// Something is to be said that is no result: of a state that is not as it was kept.
    Note {
        /// Index of the kernel in the call.
        kernel: usize,
        /// What.
        text: String,
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
    pub(super) ingredients: Ingredients,
    pub(super) store: Store,
    pub(super) lineage: Lineage,
    /// An agent of a user's, which watches beside the observers.
    pub(super) brought: Option<Brought>,
    /// What guests carry for scenarios that are a user's, by name, or why there is none for one.
    pub(super) loads: BTreeMap<String, Result<Load, String>>,
    pub(super) cache: PathBuf,
    /// How guests run, and why; none before that is chosen.
    accel: Mutex<Option<Choice>>,
    /// Kernels of which the cache took no state: the rest of their guests are booted.
    pub(super) stateless: Mutex<BTreeSet<String>>,
    /// SHA-256 of the fixture.
    pub fixture: String,
    /// Said with every result: what is not as the locks ask for.
    pub note: Option<String>,
}

impl Suite {
    /// Prepares runs; `command` is the executable of the command, beside which the launcher lies.
    ///
    /// Where only a boot tells whether KVM works it boots `trial` under it; the running kernel is no
    /// trial for that, and then the first one that is booted is.
    ///
    /// # Errors
    ///
    /// The fixture is not fetched, or the launcher is missing, of another build or cannot be PID 1.
    pub fn prepare(
        project: &Project,
        command: &Path,
        trial: &ReadyKernel,
        stop: &Stop,
    ) -> Result<Suite> {
        let fixture = project.fixture()?;
        let ingredients = Ingredients::new(Programs::beside(command)?, fixture.archives);
        let suite = Suite {
            ingredients,
            cache: project.cache.clone(),
            accel: Mutex::new(None),
            stateless: Mutex::default(),
            store: project.store(),
            lineage: project.table.lineage(),
            brought: None,
            loads: match own::chosen() {
                Some(own) => own.loads(&project.cache),
                None => BTreeMap::new(),
            },
            fixture: fixture.digest,
            note: fixture.substituted,
        };
        if trial.lab() == LabKind::Vm {
            suite.choose(trial, stop)?;
        }
        Ok(suite)
    }

    /// How guests run, and why; none before that is chosen.
    #[must_use]
    pub fn accel(&self) -> Option<Choice> {
        self.accel.lock().ok().and_then(|choice| choice.clone())
    }

    /// Has the guests of one scenario carry this, and holds it to nothing: it has no snapshots, whatever has those of its
    /// name.
    pub fn bring_alone(&mut self, scenario: &str, load: Load) {
        self.loads.insert(scenario.to_owned(), Ok(load));
        self.store = Store::Empty;
    }

    /// Has an agent watch beside the observers, in guests that carry it.
    pub fn bring(&mut self, brought: Brought) {
        Agent::bring();
        self.brought = Some(brought);
    }

    /// The fixture with all its parts.
    #[must_use]
    pub fn whole(&self) -> Load {
        self.ingredients.whole()
    }

    pub(super) fn choose(&self, trial: &ReadyKernel, stop: &Stop) -> Result<Accel> {
        let known = self.accel.lock();
        let mut known = known.map_err(|_| anyhow::anyhow!("a trial of KVM panicked"))?;
        if let Some(choice) = &*known {
            return Ok(choice.accel);
        }
        let choice = choose(&self.cache, || {
            let went = trial_of(try_kvm(&self.ingredients, trial, stop))?;
            Ok(match went {
                Trial::Unclear(why) if trial.is_of_table() => Trial::Failed(why),
                went => went,
            })
        })?;
        Ok(known.insert(choice).accel)
    }

    /// Runs scenarios on kernels; `sink` hears of everything, in the calling thread.
    ///
    /// Returns whether the run came to its end; not so when the user stopped it.
    pub fn run(
        &self,
        work: &[Work],
        options: &Options,
        stop: &Stop,
        sink: &mut dyn FnMut(RunEvent),
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
                        let _ = sender.send(RunEvent::Ended { kernel });
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

    /// Runs one command in one kernel and hands out what it writes; returns its exit status, or none when
    /// its time was over.
    ///
    /// # Errors
    ///
    /// The guest broke down.
    pub fn command(
        &self,
        target: &ReadyKernel,
        bench: &Bench,
        stop: &Stop,
        sink: &mut dyn FnMut(Message) -> ControlFlow<()>,
    ) -> Result<Option<u8>> {
        let plan = GuestPlan {
            job: bench.job.clone(),
            ..GuestPlan::default()
        };
        let accel = self.choose(target, stop)?;
        let mut machine = cold(&self.ingredients, target, accel, &bench.load, Some(&plan))?;
        machine.terminal = match &bench.job {
            Job::Command { input, .. } => match input {
                Input::None => Terminal::None,
                Input::Host => Terminal::Host,
                Input::Terminal { .. } => Terminal::Ours,
            },
            _ => Terminal::None,
        };
        machine.cpus = bench.cpus;
        machine.parameters = &bench.parameters;
        machine.memory = bench.memory.unwrap_or(machine.memory);
        let mut result = None;
        let mut until: Option<Instant> = None;
        let mut talk = Talk::new(&plan.job);
        let limits = Limits {
            boot: session::BOOT,
            whole: FOR_EVER,
        };
        let end = session::run(machine, &[], limits, stop.as_fd(), &mut |message| {
            talk.hear(&message)?;
            if let Message::Hello { .. } = message {
                until = bench.limit.map(|limit| Instant::now() + limit);
            }
            if let Message::Exited { status } = message {
                result = Some(status);
                let end = Instant::now() + ENDING;
                until = Some(until.map_or(end, |until| until.min(end)));
            }
            if sink(message).is_break() {
                until = Some(Instant::now());
            }
            Ok(until.map(|until| until.saturating_duration_since(Instant::now())))
        });
        let over = until.is_some_and(|until| Instant::now() >= until);
        match (end, result) {
            (_, Some(status)) => Ok(Some(status)),
            (Err(Breakdown::Broken(_)), None) if over => Ok(None),
            (Err(breakdown), None) => Err(breakdown.into()),
            (Ok(()), None) => anyhow::bail!("the guest ended without a status"),
        }
    }

    /// The archives of the fixture, by part.
    #[must_use]
    pub fn fixture(&self) -> &BTreeMap<String, PathBuf> {
        self.ingredients.fixture()
    }
}

/// How long a guest may take to end whose command has ended: its status is known, and stands.
const ENDING: Duration = Duration::from_secs(20);

/// What one command is run with.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The command.
    pub job: Job,
    /// The guest's root.
    pub load: Load,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Parameters of the kernel beside ours.
    pub parameters: String,
    /// Memory in MiB; by what is in the image where none is said.
    pub memory: Option<u64>,
    /// How long the command may take.
    pub limit: Option<Duration>,
}

impl Suite {
    /// Follows a plan in a machine or in the native lab, and hands out what the guest says. One that says
    /// what this plan gives no reason for is broken.
    pub(super) fn follow(
        &self,
        target: &ReadyKernel,
        errand: &Errand<'_>,
        options: &Options,
        stop: &Stop,
        ears: &mut Ears<'_>,
    ) -> Result<(), Breakdown> {
        let mut talk = Talk::new(&errand.plan.job);
        let mut heard = |message| {
            talk.hear(&message)?;
            Ok((ears.heard)(message))
        };
        match target.lab() {
            LabKind::Vm => {
                let told = &mut *ears.told;
                self.follow_machine(target, errand, options, stop, &mut heard, told)
            }
            LabKind::Native => {
                let root = self.ingredients.root(errand.load);
                let root = root.map_err(|error| Breakdown::Broken(format!("{error:#}")))?;
                let lab = native::Lab {
                    executable: self.ingredients.programs().executable(),
                    launcher: self.ingredients.programs().launcher(),
                    root: &root,
                    plan: &errand.plan,
                    limit: errand.limit,
                };
                native::run(&lab, stop.as_fd(), &mut heard)
            }
        }
    }
}

/// Under hardware virtualisation a kernel is up in a second or two.
const KVM_TRIAL: Duration = Duration::from_secs(30);

/// What such a boot tells of KVM, whatever its kernel is.
///
/// # Errors
///
/// There was none, or it was interrupted.
fn trial_of(end: Result<()>) -> Result<Trial> {
    let Err(error) = end else {
        return Ok(Trial::Booted);
    };
    let why = match error.downcast()? {
        Breakdown::Interrupted => return Err(Breakdown::Interrupted.into()),
        Breakdown::Broken(why) | Breakdown::Unsaved(why) => why,
    };
    // The words of QEMU (accel/kvm/kvm-all.c, accel/accel-system.c).
    let refused = ["initialize kvm", "access KVM", "invalid accelerator"];
    Ok(match refused.iter().any(|words| why.contains(words)) {
        true => Trial::Failed(why),
        false => Trial::Unclear(why),
    })
}

/// Boots a real kernel under KVM and asks nothing of it but to come up.
fn try_kvm(ingredients: &Ingredients, target: &ReadyKernel, stop: &Stop) -> Result<()> {
    let plan = GuestPlan::default();
    let load = Load::default();
    let machine = cold(ingredients, target, Accel::Kvm, &load, Some(&plan))?;
    let mut talk = Talk::new(&plan.job);
    let limits = Limits {
        boot: KVM_TRIAL,
        whole: 2 * KVM_TRIAL,
    };
    session::run(machine, &[], limits, stop.as_fd(), &mut |message| {
        talk.hear(&message).map(|()| Some(KVM_TRIAL))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reason: &str) -> Trial {
        trial_of(Err(Breakdown::Broken(reason.to_owned()).into())).unwrap()
    }

    #[test]
    fn a_kernel_of_the_users_that_does_not_boot_says_nothing_of_kvm() {
        assert!(matches!(of("it hangs"), Trial::Unclear(_)));
        let refused = "QEMU ended\nQEMU says:\n  failed to initialize kvm: Permission denied";
        assert!(matches!(of(refused), Trial::Failed(_)));
    }

    #[test]
    fn a_trial_that_was_interrupted_is_none() {
        let error = trial_of(Err(Breakdown::Interrupted.into())).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Breakdown::Interrupted)));
    }
}
