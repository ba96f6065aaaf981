//! The machine of a guest: booted, or restored from a state that is made when there is none.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use super::run::{Options, Suite};
use super::{ReadyKernel, Stop};
use crate::arch::QEMU;
use crate::vm::accel::Accel;
use crate::vm::image::{Ingredients, Load};
use crate::vm::machine::{self, Kernel, Machine, Start, Terminal};
use crate::vm::session::{self, Breakdown, Hear, Limits, Patience};
use crate::vm::{sandbox, tsc};
use crate::warm::{Draft, Key, LIMIT, State, Store, load, new_memory};
use crate::wire::{GuestPlan, Job, Message, Order};

/// The largest order that is sent over a guest's serial port, which drops what its buffer does not take while nobody
/// reads it (`tty_buffer_alloc` in drivers/tty/tty_buffer.c). A larger plan stands in the image.
const CHANNEL: usize = 48 << 10;

/// How the machines of a run begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// From a state in the cache, which is made when there is none.
    Warm,
    /// With a boot.
    Cold,
}

/// What a guest is wanted for.
pub(super) struct Errand<'a> {
    /// Its root.
    pub load: &'a Load,
    /// What it does.
    pub plan: GuestPlan,
    /// How long it may take, from its start to its end.
    pub limit: Duration,
}

/// What is told while a guest is followed.
pub(super) struct Ears<'a> {
    /// Hears what the guest says, and says how long it may be silent then.
    pub heard: &'a mut dyn FnMut(Message) -> Patience,
    /// Hears what is to be said of states.
    pub told: &'a mut dyn FnMut(String),
}

/// A machine without a terminal that boots with this image.
pub(super) fn cold<'a>(
    ingredients: &Ingredients,
    target: &'a ReadyKernel,
    accel: Accel,
    load: &Load,
    plan: Option<&GuestPlan>,
) -> Result<Machine<'a>> {
    let image = ingredients
        .image(&target.modules, load, plan)
        .with_context(|| format!("failed to build the image for {}", target.id))?;
    let kernel = target.kernel.as_ref();
    let kernel = kernel.context("the running kernel takes no command: run it here")?;
    Ok(Machine {
        memory: machine::memory(image.size),
        start: Start::Boot(kernel, image),
        accel,
        cpus: 1,
        parameters: "",
        terminal: Terminal::None,
    })
}

/// A guest whose state is found, made and restored.
struct Warm<'a> {
    suite: &'a Suite,
    target: &'a ReadyKernel,
    errand: &'a Errand<'a>,
    options: &'a Options,
    accel: Accel,
    store: Store,
    key: Key,
    /// Memory in MiB.
    memory: u64,
}

impl Suite {
    /// Has a machine follow a plan, and hands out what the guest says.
    pub(super) fn follow_machine(
        &self,
        target: &ReadyKernel,
        errand: &Errand<'_>,
        options: &Options,
        stop: &Stop,
        heard: &mut Hear<'_>,
        told: &mut dyn FnMut(String),
    ) -> Result<(), Breakdown> {
        let limits = Limits {
            boot: options.boot,
            whole: errand.limit,
        };
        let accel = self.choose(target, stop).map_err(broken)?;
        let order = order(&errand.plan).map_err(broken)?;
        let size = serde_json::to_vec(&order).map_or(usize::MAX, |text| text.len());
        let fits = size <= CHANNEL;
        let warm = match fits {
            true => self.warm(target, errand, options, accel).map_err(broken)?,
            false => None,
        };
        if let Some(warm) = warm {
            match warm.follow(&order, limits, stop, heard, told) {
                ControlFlow::Break(end) => return end,
                // A later guest would find the same, after a boot in vain, and tell it again.
                ControlFlow::Continue(()) => {
                    if let Ok(mut stateless) = self.stateless.lock() {
                        stateless.insert(target.label());
                    }
                }
            }
        }
        let plan = (!fits).then_some(&errand.plan);
        let machine = cold(&self.ingredients, target, accel, errand.load, plan);
        let mut machine = machine.map_err(broken)?;
        machine.cpus = options.cpus;
        machine.parameters = &options.parameters;
        // A guest whose plan stands in the image and that asks for an order all the same lies.
        let orders = if fits { vec![order] } else { Vec::new() };
        session::run(machine, &orders, limits, stop.as_fd(), heard)
    }

    /// Whether guests of this kernel begin with a state: under hardware virtualisation a boot is as
    /// fast, and a kernel that a user names is mostly booted once.
    pub(super) fn is_warm(&self, target: &ReadyKernel, options: &Options) -> bool {
        let emulated = self
            .accel()
            .is_some_and(|choice| choice.accel == Accel::Tcg);
        let stateless = self.stateless.lock();
        let stateless = stateless.is_ok_and(|known| known.contains(&target.label()));
        options.begin == Begin::Warm && emulated && target.is_of_table() && !stateless
    }

    /// What a state of this guest would be; none where none is kept.
    fn warm<'a>(
        &'a self,
        target: &'a ReadyKernel,
        errand: &'a Errand<'a>,
        options: &'a Options,
        accel: Accel,
    ) -> Result<Option<Warm<'a>>> {
        let Some(Kernel::File(kernel)) = &target.kernel else {
            return Ok(None);
        };
        if !self.is_warm(target, options) {
            return Ok(None);
        }
        let root = self.ingredients.root(errand.load)?;
        let pieces = self.ingredients.pieces(&target.modules, &root);
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        let memory = machine::memory(size);
        let made_from = [
            machine::hardware(accel, options.cpus, memory).join(" "),
            options.parameters.clone(),
            wanted_by_all(&errand.plan).join(" "),
            stamp(kernel),
            qemu_stamp(),
        ];
        let made_from = made_from.iter().map(String::as_bytes);
        let parts: Vec<_> = made_from.chain(pieces).collect();
        Ok(Some(Warm {
            suite: self,
            target,
            errand,
            options,
            accel,
            store: Store::of(&self.cache),
            key: Key::of(&target.label(), &parts),
            memory,
        }))
    }
}

impl Warm<'_> {
    fn machine<'a>(&'a self, start: Start<'a>) -> Machine<'a> {
        Machine {
            start,
            accel: self.accel,
            cpus: self.options.cpus,
            parameters: &self.options.parameters,
            terminal: Terminal::None,
            memory: self.memory,
        }
    }

    /// What a restored machine maps. QEMU opens a file for writing, which is refused where it is nobody or
    /// the cache is read-only; it has a copy then.
    fn memory_of(&self, kept: File) -> Result<OwnedFd> {
        let again = format!("/proc/self/fd/{}", kept.as_raw_fd());
        let nobody = sandbox::drops_root(self.accel);
        match nobody || File::options().write(true).open(again).is_err() {
            true => Ok(load(&kept)?.into()),
            false => Ok(kept.into()),
        }
    }

    /// Has a machine follow an order from a state that is found or made; goes on where there is none that restores.
    fn follow(
        &self,
        order: &Order,
        limits: Limits,
        stop: &Stop,
        heard: &mut Hear<'_>,
        told: &mut dyn FnMut(String),
    ) -> ControlFlow<Result<(), Breakdown>> {
        // A new one that does not restore either is not tried a third time.
        for _ in 0..2 {
            let found = match self.find(stop, told) {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(breakdown) => return ControlFlow::Break(Err(breakdown)),
            };
            let mut reached = false;
            let end = self.restore(found, order, limits, stop, told, &mut |said| {
                reached = true;
                heard(said)
            });
            match end {
                Err(Breakdown::Broken(why)) if !reached => {
                    let first = why.lines().next().unwrap_or_default();
                    told(format!(
                        "the warm state of {} does not restore and is made anew: {first}",
                        self.target.label()
                    ));
                    if !self.discard(told) {
                        break;
                    }
                }
                end => return ControlFlow::Break(end),
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes the state away; false where the cache does not let us, which is told.
    fn discard(&self, told: &mut dyn FnMut(String)) -> bool {
        let discarded = self.store.discard(&self.key);
        if let Err(error) = &discarded {
            told(format!("it stays, and kernels are booted: {error:#}"));
        }
        discarded.is_ok()
    }

    /// The state in the cache, or a new one; none where none can be made.
    fn find(&self, stop: &Stop, told: &mut dyn FnMut(String)) -> Result<Option<Found>, Breakdown> {
        let name = self.target.label();
        let now = tsc::khz();
        match self.store.find(&self.key) {
            Ok(Some(state)) if tsc::is_alike(state.counter, now) => {
                return Ok(Some(Found::Kept(state)));
            }
            Ok(Some(state)) => {
                let mhz = |khz: Option<u64>| {
                    khz.map_or_else(|| "unknown".to_owned(), |khz| (khz / 1000).to_string())
                };
                told(format!(
                    "the warm state of {name} is made anew: it is of a machine whose time stamp counter has {} MHz, not {}",
                    mhz(state.counter),
                    mhz(now)
                ));
                if !self.discard(told) {
                    return Ok(None);
                }
            }
            Ok(None) => {}
            Err(error) => {
                told(format!("the warm state of {name} is made anew: {error:#}"));
                if !self.discard(told) {
                    return Ok(None);
                }
            }
        }
        match self.make(stop) {
            Ok((draft, memory)) => Ok(Some(Found::Made(draft, memory))),
            Err(Unmade::Guest(breakdown)) => Err(breakdown),
            Err(Unmade::Cache(error)) => {
                told(unkept(&name, &error));
                Ok(None)
            }
        }
    }

    /// Has a machine go on from a state. A new one is kept beside that: nobody waits for it before the
    /// first verdict.
    fn restore(
        &self,
        found: Found,
        order: &Order,
        limits: Limits,
        stop: &Stop,
        told: &mut dyn FnMut(String),
        heard: &mut Hear<'_>,
    ) -> Result<(), Breakdown> {
        let (memory, machine, made) = match found {
            Found::Kept(state) => {
                let memory = self.memory_of(state.memory).map_err(broken)?;
                (memory, state.machine, None)
            }
            Found::Made(draft, memory) => {
                // It is mapped privately, so what is kept meanwhile does not change.
                let same = memory.as_fd().try_clone_to_owned();
                let same = same.context("no descriptor").map_err(broken)?;
                let machine = draft.written().map_err(broken)?;
                (same, machine, Some((draft, memory)))
            }
        };
        let machine = self.machine(Start::Saved(memory, machine.into()));
        let (store, key, name) = (&self.store, &self.key, self.target.label());
        let (end, kept) = std::thread::scope(|scope| {
            let keeping = made.map(|(draft, memory)| {
                scope.spawn(move || {
                    let kept = store.keep(key, draft, &memory, tsc::khz());
                    kept.map_err(|error| unkept(&name, &error))?;
                    let pruned = store.prune(LIMIT, key);
                    pruned.map_err(|error| unpruned(&error))
                })
            });
            let orders = std::slice::from_ref(order);
            let end = session::run(machine, orders, limits, stop.as_fd(), heard);
            let kept = keeping.map(|thread| {
                let panicked = |_| Err("the thread that keeps a warm state panicked".to_owned());
                thread.join().unwrap_or_else(panicked)
            });
            (end, kept)
        });
        if let Some(Err(text)) = kept {
            told(text);
        }
        end
    }

    /// Boots a machine and has it saved, in a file that is not in its place yet and one in memory.
    fn make(&self, stop: &Stop) -> Result<(Draft, File), Unmade> {
        let draft = self.store.begin().map_err(Unmade::Cache)?;
        let memory = new_memory(self.memory).map_err(Unmade::Cache)?;
        let shared = memory.as_fd().try_clone_to_owned();
        let shared: OwnedFd = shared.context("no descriptor").map_err(Unmade::Cache)?;
        let (suite, load) = (self.suite, self.errand.load);
        let booted = cold(&suite.ingredients, self.target, self.accel, load, None);
        let booted = booted.map_err(|error| Unmade::Guest(broken(error)))?;
        let start = match booted.start {
            Start::Boot(kernel, image) => Start::ToBeSaved(kernel, image, shared),
            other => other,
        };
        let orders = [Order::Prepare(wanted_by_all(&self.errand.plan))];
        let boot = self.options.boot;
        let machine = self.machine(start);
        session::save(machine, &orders, boot, stop.as_fd(), draft.machine()).map_err(
            |breakdown| match breakdown {
                Breakdown::Unsaved(reason) => Unmade::Cache(anyhow::anyhow!(reason)),
                other => Unmade::Guest(other),
            },
        )?;
        Ok((draft, memory))
    }
}

/// A state to begin with.
enum Found {
    /// It lies in the cache.
    Kept(State),
    /// It was made just now and is to be kept, with the memory of its machine.
    Made(Draft, File),
}

/// What is said where a state is not kept.
fn unkept(name: &str, error: &anyhow::Error) -> String {
    format!("no warm state of {name} is kept: {error:#}")
}

/// What is said where old states are not removed.
fn unpruned(error: &anyhow::Error) -> String {
    format!("warm states take more than {} MiB: {error:#}", LIMIT >> 20)
}

/// Why there is no state.
enum Unmade {
    /// The guest did not come so far: a boot would not either.
    Guest(Breakdown),
    /// The cache does not take it: a boot does without.
    Cache(anyhow::Error),
}

/// What an error is to who follows a guest; a breakdown stays what it is.
fn broken(error: anyhow::Error) -> Breakdown {
    let other = |error| Breakdown::Broken(format!("{error:#}"));
    error.downcast().unwrap_or_else(other)
}

/// The order that has a guest follow a plan, from now on.
#[expect(
    clippy::disallowed_methods,
    reason = "a guest is told the time of day once"
)]
fn order(plan: &GuestPlan) -> Result<Order> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut seed = vec![0; 32];
    let mut random = File::open("/dev/urandom").context("failed to open /dev/urandom")?;
    std::io::Read::read_exact(&mut random, &mut seed).context("failed to read /dev/urandom")?;
    Ok(Order::Run {
        plan: plan.clone(),
        now: now.context("the clock is before 1970")?,
        seed,
    })
}

/// The observers that every scenario of a plan wants: they are set up before it comes.
fn wanted_by_all(plan: &GuestPlan) -> Vec<String> {
    let asks = match &plan.job {
        Job::Scenarios(asks) => asks.as_slice(),
        _ => &[],
    };
    let Some((first, rest)) = asks.split_first() else {
        return Vec::new();
    };
    let all = |name: &&String| rest.iter().all(|ask| ask.observe.contains(name));
    first.observe.iter().filter(all).cloned().collect()
}

/// What changes with a file, and not with the symlinks on the way to it, such as one to the cache.
fn stamp(file: &Path) -> String {
    let Ok((path, data)) = file.canonicalize().and_then(|path| {
        let data = path.metadata()?;
        Ok((path, data))
    }) else {
        return String::new();
    };
    let (seconds, nanoseconds) = (data.mtime(), data.mtime_nsec());
    let (path, size, inode) = (path.display(), data.size(), data.ino());
    format!("{path} {size} {inode} {seconds}.{nanoseconds}")
}

/// What changes with QEMU: asking it for its version takes longer than to restore a state.
fn qemu_stamp() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|place| place.join(QEMU));
    let found = places.find(|place| place.is_file());
    found.map_or_else(String::new, |place| stamp(&place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Ask, Written};

    #[test]
    fn a_cache_behind_a_symlink_has_the_same_states() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache");
        std::fs::create_dir(&cache).unwrap();
        std::fs::write(cache.join("kernel"), "x").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&cache, &link).unwrap();
        let own = stamp(&cache.join("kernel"));
        assert!(own.contains("/kernel 1 "), "{own}");
        assert_eq!(stamp(&link.join("kernel")), own);
    }

    fn plan(observe: &[&[&str]]) -> GuestPlan {
        let ask = |names: &&[&str]| Ask {
            scenario: "start/a".to_owned(),
            observe: names.iter().map(ToString::to_string).collect(),
            case: None,
            output: Written::Dropped,
        };
        GuestPlan {
            job: Job::Scenarios(observe.iter().map(ask).collect()),
            ..GuestPlan::default()
        }
    }

    #[test]
    fn an_observer_that_one_scenario_does_not_want_is_not_set_up_beforehand() {
        let plan = plan(&[&["trail", "stages"], &["trail"]]);
        assert_eq!(wanted_by_all(&plan), ["trail"]);
    }

    #[test]
    fn who_interrupts_a_trial_of_kvm_interrupts_the_run() {
        let interrupted = broken(Breakdown::Interrupted.into());
        assert!(matches!(interrupted, Breakdown::Interrupted));
    }

    #[test]
    fn a_plan_without_scenarios_wants_nobody() {
        assert!(wanted_by_all(&GuestPlan::default()).is_empty());
    }
}
