//! Programs of one object: loaded and attached once a boot, heard while they are armed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::{Program, ProgramError};
use aya::{Btf, BtfError, Ebpf, EbpfLoader};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::misses::Misses;
use super::{cgroup, lsm, note};
use crate::event::{self, Raw};
use crate::observer::look::show_cgroups;
use crate::observer::{Held, HeldHook, Observer, OnHeld, Statement, Watch, broken};
use crate::trail::LabKind;
use crate::wire::{Failure, Lost};

/// The compiled programs of an observer.
pub struct Object {
    /// The observer's name.
    pub name: &'static str,
    /// An ELF file for eBPF, aligned to 8 bytes.
    pub bytes: &'static [u8],
    /// Prepares what is kept between events, when a watch begins.
    pub begin: fn(&mut Ebpf) -> Result<()>,
}

/// An observer that consists of such programs.
pub struct Programs {
    object: &'static Object,
    loaded: Option<Loaded>,
}

/// What there is of an object in a boot.
struct Loaded {
    /// Programs and their attachments, which end with it.
    programs: Ebpf,
    notes: RingBuf<MapData>,
    told: Told,
    /// How many notes there was no room for, and how many were begun.
    counted: Array<MapData, u64>,
    misses: Misses,
    /// What was counted before this watch.
    before: Counted,
    absent: Vec<String>,
    deaf: Option<String>,
}

/// What is counted since the programs are there.
#[derive(Clone, Copy, Default)]
struct Counted {
    /// Notes for which there was no room.
    full: u64,
    /// Notes that were begun.
    begun: u64,
    /// Calls that the kernel left out.
    left_out: u64,
}

thread_local! {
    /// The kernel's types, until the first watch begins: observers that are set up together read them once.
    static TYPES: RefCell<Option<Rc<Btf>>> = const { RefCell::new(None) };
}

fn types() -> Result<Rc<Btf>> {
    if let Some(known) = TYPES.with_borrow(Clone::clone) {
        return Ok(known);
    }
    let types = Rc::new(Btf::from_sys_fs().context("failed to read the kernel's types")?);
    TYPES.set(Some(Rc::clone(&types)));
    Ok(types)
}

/// What programs are told: whether they listen, and how many steps there were.
type Told = Rc<RefCell<Array<MapData, [u32; 2]>>>;
const SILENT: [u32; 2] = [0, 0];
const LISTEN: [u32; 2] = [1, 0];

impl Programs {
    /// Nothing is loaded yet.
    #[must_use]
    pub fn of(object: &'static Object) -> Programs {
        Programs {
            object,
            loaded: None,
        }
    }

    fn loaded(&mut self) -> Result<&mut Loaded, Failure> {
        let loaded = self.loaded.as_mut();
        loaded.ok_or_else(|| Failure::Broken("the programs were not loaded".to_owned()))
    }
}

impl Observer for Programs {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        show_cgroups().map_err(broken)?;
        self.loaded = Some(unlimited(|| Loaded::load(self.object)).map_err(broken)?);
        Ok(())
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let observer = self.object.name;
        let begin = self.object.begin;
        TYPES.take();
        let loaded = self.loaded()?;
        begin(&mut loaded.programs).map_err(broken)?;
        let told = loaded.begin().map_err(broken)?;
        watch.hooks.push(HeldHook {
            observer,
            call: Box::new(Steps(told)),
        });
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<Statement>, Failure> {
        let loaded = self.loaded()?;
        let (mut raw, lost) = loaded.end(watch.deadline).map_err(broken)?;
        cgroup::name(&mut raw);
        let report = event::Report {
            deaf: loaded.deaf.clone(),
            absent: loaded.absent.clone(),
            events: event::place(&watch.run, raw),
            ..event::Report::default()
        };
        Statement::told(&report, lost)
    }

    fn abandon(&mut self) {
        if let Some(loaded) = &mut self.loaded {
            // What a broken scenario left is taken out before the next watch.
            let _ = loaded.tell(SILENT);
        }
    }
}

impl Loaded {
    fn load(object: &Object) -> Result<Loaded> {
        let types = types()?;
        let mut programs = EbpfLoader::new()
            .btf(Some(&types))
            .load(object.bytes)
            .context("failed to load the maps of eBPF programs")?;
        let (mut absent, mut deaf) = (Vec::new(), None);
        for (name, program) in programs.programs_mut() {
            if matches!(program, Program::Lsm(_)) {
                deaf = lsm::deaf()?;
            }
            match attach(name, program, &types) {
                Ok(true) => {}
                Ok(false) => absent.push(name.to_owned()),
                Err(error) => bail!(
                    "failed to attach the eBPF program {name}: {}",
                    brief(&error)
                ),
            }
        }
        absent.sort();
        let mut map = |name| {
            let map = programs.take_map(name);
            map.with_context(|| format!("the eBPF programs have no map {name}"))
        };
        let (notes, told, counted) = (map("NOTES")?, map("TOLD")?, map("COUNTED")?);
        Ok(Loaded {
            notes: RingBuf::try_from(notes).context("failed to map the ring of notes")?,
            told: Rc::new(RefCell::new(Array::try_from(told)?)),
            counted: Array::try_from(counted)?,
            before: Counted::default(),
            misses: Misses::of(&programs)?,
            absent,
            deaf,
            programs,
        })
    }

    fn tell(&self, what: [u32; 2]) -> Result<()> {
        let told = self.told.borrow_mut().set(0, what, 0);
        told.context("failed to tell eBPF programs whether they listen")
    }

    fn counted(&self) -> Result<Counted> {
        let count = |at: u32| self.counted.get(&at, 0);
        let (full, begun) = (count(0), count(1));
        let context = "failed to read what eBPF programs counted";
        Ok(Counted {
            full: full.context(context)?,
            begun: begun.context(context)?,
            left_out: self.misses.count()?,
        })
    }

    /// Empties the ring and begins to listen.
    fn begin(&mut self) -> Result<Told> {
        while self.notes.next().is_some() {}
        self.before = self.counted()?;
        self.tell(LISTEN)?;
        Ok(Rc::clone(&self.told))
    }

    /// Ends listening; what was noted, and how much was lost.
    fn end(&mut self, deadline: Instant) -> Result<(Vec<Raw>, Lost)> {
        self.tell(SILENT)?;
        let mut raw = Vec::new();
        loop {
            while let Some(note) = self.notes.next() {
                let read = note::parse(&note);
                raw.push(read.ok_or_else(|| {
                    anyhow!(
                        "a note of {} bytes is cut, or has a name that is unknown here",
                        note.len()
                    )
                })?);
            }
            let (now, before) = (self.counted()?, &self.before);
            if raw.len() as u64 >= now.begun.wrapping_sub(before.begun) {
                let lost = Lost {
                    missed: now.full.wrapping_sub(before.full),
                    left_out: now.left_out.wrapping_sub(before.left_out),
                };
                return Ok((raw, lost));
            }
            // Somebody else is just writing one on another CPU.
            if Instant::now() > deadline {
                bail!("an eBPF program does not end its note");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The hook that tells programs how many steps there were.
struct Steps(Told);

impl OnHeld for Steps {
    fn held(&mut self, event: Held<'_>) -> Result<()> {
        let steps = u32::try_from(event.number).context("too many steps")?;
        let told = self.0.borrow_mut().set(0, [LISTEN[0], steps], 0);
        told.context("failed to tell eBPF programs of a step")
    }
}

/// Loads a program and attaches it to what it is named for; false where this kernel has no such place,
/// or does not allow it there what it does.
fn attach(name: &str, program: &mut Program, types: &Btf) -> Result<bool, ProgramError> {
    let attached = match program {
        Program::BtfTracePoint(program) => {
            let loaded = program.load(name, types);
            loaded.and_then(|()| program.attach().map(drop))
        }
        Program::KProbe(program) => {
            let loaded = program.load();
            loaded.and_then(|()| program.attach(name, 0).map(drop))
        }
        Program::FEntry(program) => {
            let loaded = program.load(name, types);
            loaded.and_then(|()| program.attach().map(drop))
        }
        Program::Lsm(program) => {
            let loaded = program.load(name, types);
            loaded.and_then(|()| program.attach().map(drop))
        }
        Program::TracePoint(program) => {
            let loaded = program.load();
            loaded.and_then(|()| program.attach("syscalls", name).map(drop))
        }
        _ => return Ok(false),
    };
    match attached {
        Ok(()) => Ok(true),
        Err(ProgramError::Btf(BtfError::UnknownBtfTypeName { .. })) => Ok(false),
        Err(ProgramError::LoadError { verifier_log, .. })
            if verifier_log.to_string().contains(NOT_HERE) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// An error in a few words: of the verifier's log, which is long, the end.
fn brief(error: &ProgramError) -> String {
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return error.to_string();
    };
    let log = verifier_log.to_string();
    let lines: Vec<_> = log.lines().filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST)..];
    format!("{io_error}: {}", last.join("; "))
}

/// Lines of the verifier's log that are said: what is wrong, and three of statistics.
const LAST: usize = 6;

/// The verifier's words for a helper that a program may not call where it is attached
/// (`check_helper_call` in kernel/bpf/verifier.c).
const NOT_HERE: &str = "helper call is not allowed in probe";

/// Does something without a limit on locked memory, against which a kernel before 5.11 counts maps.
pub(super) fn unlimited<T>(act: impl FnOnce() -> Result<T>) -> Result<T> {
    let context = "failed to set the limit of locked memory";
    let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK).context(context)?;
    setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).context(context)?;
    let result = act();
    setrlimit(Resource::RLIMIT_MEMLOCK, soft, hard).context(context)?;
    result
}
