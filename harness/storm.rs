//! The monitor under a storm of short-lived programs, which goes on whatever becomes of it.
//!
//! Needs root; everything happens on a tmpfs in a mount namespace of its own, or in a guest. Short by
//! default, with hostile neighbours on the newest kernel alone; `EXETRAIL_STORM_SECONDS=60
//! EXETRAIL_STORM_ROUNDS=50` is the long form.

#[path = "storm/asked.rs"]
mod asked;
mod call;
#[path = "storm/ending.rs"]
mod ending;
#[path = "storm/heard.rs"]
mod heard;
#[path = "storm/locked.rs"]
mod locked;
#[path = "storm/neighbour.rs"]
mod neighbour;
#[path = "storm/place.rs"]
mod place;
#[path = "storm/rig.rs"]
mod rig;
#[path = "storm/vm.rs"]
mod vm;

use std::collections::{BTreeMap, HashSet};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use call::{Gate, Need};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use rig::{Rig, Storm, Watch, number, rss};
use vm::KERNELS;

/// One storm with what is done to the monitor in it.
type Test = fn(&Rig) -> Result<()>;

/// What a monitor may grow by once it has warmed up, in kB.
const FLAT: u64 = 2048;

fn main() -> ExitCode {
    if let Some(played) = neighbour::play() {
        return match played {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("neighbour: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let mut args = Arguments::from_args();
    // A lease of ours that has to be broken is told by this signal, whose default ends us.
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGIO);
    let _ = mask.thread_block();
    // One storm at a time takes the whole machine.
    args.test_threads = Some(1);
    match Trials::new(&args) {
        Ok(trials) => libtest_mimic::run(&args, trials.all()).exit_code(),
        Err(error) => {
            eprintln!("storm: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What happens on the running kernel.
const HERE: [(&str, Test); 33] = [
    ("complete", complete),
    ("killed", killed),
    ("stopped_then_killed", stopped_then_killed),
    ("killed_with_command", killed_with_command),
    ("full_pipe", full_pipe),
    ("stalled_syslog", stalled_syslog),
    ("full_disk", full_disk),
    ("dies_of_a_core_signal", dies_of_a_core_signal),
    ("stopped_at_the_terminal", stopped_at_the_terminal),
    ("leased_file", leased_file),
    ("monitor_killed", ending::monitor_killed),
    (
        "killed_where_ends_are_ignored",
        ending::killed_where_ends_are_ignored,
    ),
    ("guard_killed", ending::guard_killed),
    ("syslog_is_told", ending::syslog_is_told),
    ("monitor_stopped", ending::monitor_stopped),
    ("guard_stopped", ending::guard_stopped),
    ("both_stopped", ending::both_stopped),
    ("job_stopped", ending::job_stopped),
    ("longest_hold", ending::longest_hold),
    ("cgroup_frozen", ending::cgroup_frozen),
    ("unmounted", place::unmounted),
    ("part_of_a_mount", place::part_of_a_mount),
    ("path_without_a_name", place::path_without_a_name),
    ("served_by_a_process", place::served_by_a_process),
    (
        "command_that_cannot_start",
        place::command_that_cannot_start,
    ),
    ("locked_neighbour", locked::locked_neighbour),
    ("command_alone", asked::command_alone),
    ("counted", asked::counted),
    ("one_process", asked::one_process),
    ("one_program", asked::one_program),
    ("signalled_at_once", asked::signalled_at_once),
    ("silent_mount", neighbour::silent_mount),
    ("failing_way", failing_way),
];

/// What happens in guests of [`KERNELS`].
const IN_GUESTS: [(&str, Test); 3] = [
    ("core_to_a_helper", vm::core_to_a_helper),
    ("stands_still", vm::stands_still),
    ("hostile_neighbour", neighbour::hostile),
];

/// What all trials stand on.
struct Trials {
    gate: Gate,
    /// None without root, and where nothing is run.
    rig: Option<Arc<Rig>>,
    root: bool,
    /// Why nothing is run in guests.
    no_kernel: Option<String>,
}

impl Trials {
    fn new(args: &Arguments) -> Result<Trials> {
        let root = nix::unistd::geteuid().is_root();
        let gate = Gate::of_environment()?;
        // A rig is in another directory, from which a relative path of a cache is another one.
        let no_kernel = Need::Kernels(&KERNELS).lack()?;
        let rig = (root && !args.list).then(Rig::new).transpose()?;
        let rig = rig.map(Arc::new);
        Ok(Trials {
            gate,
            rig,
            root,
            no_kernel,
        })
    }

    fn all(&self) -> Vec<Trial> {
        let silence = || heard::silence_is_given_up().map_err(told);
        let mut trials = vec![Trial::test("storm::silence_is_given_up", silence)];
        trials.extend(HERE.map(|named| self.one(named, None)));
        trials.extend(IN_GUESTS.map(|named| self.one(named, self.no_kernel.clone())));
        trials
    }

    fn one(&self, (name, test): (&str, Test), lack: Option<String>) -> Trial {
        let (gate, rig) = (self.gate, self.rig.clone());
        let run = move || match rig {
            Some(rig) => gate.run(lack.as_deref(), || test(&rig).map_err(told)),
            None => Err("not run: this takes root".into()),
        };
        // Whoever asks for it all the same, or for everything, is told.
        let is_left_out = !self.root && matches!(gate, Gate::Open);
        let trial = Trial::ignorable_test(format!("storm::{name}"), run);
        trial.with_ignored_flag(is_left_out)
    }
}

fn told(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}

/// Every program that was started has its `execute` line, once; memory does not grow.
fn complete(rig: &Rig) -> Result<()> {
    let seconds = number("EXETRAIL_STORM_SECONDS", 3);
    // On the very mount that is watched: a write is no open.
    let path = rig.watched().join("out.json");
    let out = std::fs::File::create(&path).context("failed to make the output file")?;
    let watch = Watch::start(rig, &["--format", "json"], out.into())?;
    let storm = Storm::start(rig);
    storm.last(Duration::from_millis(seconds * 250))?;
    let early = rss(watch.monitor()?)?;
    storm.last(Duration::from_millis(seconds * 750))?;
    let late = rss(watch.monitor()?)?;
    let started = storm.end()?;
    let said = watch.end(Signal::SIGTERM)?;

    let text = std::fs::read_to_string(&path).context("failed to read the output")?;
    std::fs::remove_file(&path).context("failed to remove the output")?;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut lines = HashSet::new();
    for line in text.lines() {
        let json: serde_json::Value =
            serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        ensure!(json.get("lost").is_none(), "lines were lost: {line}");
        if json["perm"] == "execute" {
            ensure!(lines.insert(line), "doubled: {line}");
            *seen
                .entry(json["path"].as_str().unwrap_or_default().to_owned())
                .or_default() += 1;
        }
    }
    let all: u64 = started.values().sum();
    eprintln!(
        "{all} programs in {seconds} s, {} lines, memory {early} kB then {late} kB; {said}",
        text.lines().count()
    );
    ensure!(seen == started, "started {started:?}, seen {seen:?}");
    ensure!(
        late < early + FLAT,
        "memory grew from {early} kB to {late} kB"
    );
    Ok(())
}

fn killed(rig: &Rig) -> Result<()> {
    rounds(
        rig,
        |_| Stdio::null().into_result(),
        &[],
        |watch| {
            watch.kill(Signal::SIGKILL);
            Ok(())
        },
    )
}

fn stopped_then_killed(rig: &Rig) -> Result<()> {
    rounds(
        rig,
        |_| Stdio::null().into_result(),
        &[],
        |watch| {
            watch.kill(Signal::SIGSTOP);
            std::thread::sleep(rig::moment());
            watch.kill(Signal::SIGKILL);
            Ok(())
        },
    )
}

/// Killed at any moment of starting its own command, which must end as well.
fn killed_with_command(rig: &Rig) -> Result<()> {
    let storm = Storm::start(rig);
    for _ in 0..number("EXETRAIL_STORM_ROUNDS", 3) {
        let mut watch = Watch::spawn(rig, &[], Stdio::null(), Some(rig.way(0)))?;
        std::thread::sleep(rig::moment() / 20);
        watch.kill(Signal::SIGKILL);
        watch.wait()?;
        // The command has this end of the pipe as well.
        watch.said()?;
        storm.goes_on()?;
    }
    storm.end().map(drop)
}

/// A way that fails is told as such, and not as one that hangs.
fn failing_way(rig: &Rig) -> Result<()> {
    let storm = Storm::start(rig);
    let (program, aside) = (rig.way(3), rig.watched().join("aside"));
    std::fs::rename(&program, &aside).context("failed to take a program away")?;
    // It may have started one just before.
    let said = (0..2).find_map(|_| storm.goes_on().err());
    std::fs::rename(&aside, &program).context("failed to put it back")?;
    ensure!(storm.end().is_err(), "the storm ended as if nothing was");
    let said = format!("{:#}", said.context("nobody missed the program")?);
    ensure!(said.contains("failed to start"), "it says {said}");
    Ok(())
}

/// The reader of a pipe stops reading: the storm goes on, and what was lost is said.
fn full_pipe(rig: &Rig) -> Result<()> {
    let mut pipes = Vec::new();
    stalled(rig, &[], move |_| {
        let (read, write) = std::io::pipe().context("failed to make a pipe")?;
        pipes.push(read);
        Ok(write.into())
    })
}

/// The daemon behind syslog's socket stops reading.
fn stalled_syslog(rig: &Rig) -> Result<()> {
    let _daemon = UnixDatagram::bind("/dev/log").context("failed to make /dev/log")?;
    let result = stalled(rig, &["--syslog"], |_| Stdio::null().into_result());
    std::fs::remove_file("/dev/log").context("failed to remove /dev/log")?;
    result
}

/// The disk below the output file is full.
fn full_disk(rig: &Rig) -> Result<()> {
    stalled(rig, &[], |rig| {
        let file = std::fs::File::create(rig.small().join("out"));
        Ok(file.context("failed to make the output file")?.into())
    })
}

/// A signal that dumps core ends the monitor without a dump, and everybody goes on.
fn dies_of_a_core_signal(rig: &Rig) -> Result<()> {
    setrlimit(Resource::RLIMIT_CORE, u64::MAX, u64::MAX).context("failed to allow core dumps")?;
    // The control: another program does dump core here.
    let mut control = Command::new("/bin/sh");
    control
        .args(["-c", "kill -ABRT $$"])
        .current_dir(rig.small());
    let control = control.status().context("failed to run sh")?;
    let storm = Storm::start(rig);
    for signal in [Signal::SIGABRT, Signal::SIGQUIT, Signal::SIGTRAP] {
        let mut command = Watch::command(&[], &rig.watched());
        // A shell has what it starts in the background ignore SIGQUIT, and so do all that come of that.
        exetrail::sys::with_clean_signals(&mut command);
        let mut watch = Watch::of(command, Stdio::null())?;
        watch.begins()?;
        watch.kill_monitor(signal)?;
        let said = watch.ends_unwatched();
        let said = said.with_context(|| format!("after {signal}"))?;
        ensure!(said.contains(signal.as_str()), "{signal}: {said}");
        ensure!(!said.contains("dumped"), "{signal}: it dumped core");
        storm.goes_on()?;
    }
    storm.end()?;
    if !control.core_dumped() {
        eprintln!("core dumps are not made here, so that nothing was shown of them");
    }
    Ok(())
}

/// What stops a job at its terminal does not stop the monitor, nor who waits for it.
fn stopped_at_the_terminal(rig: &Rig) -> Result<()> {
    let storm = Storm::start(rig);
    let watch = Watch::start(rig, &[], Stdio::null())?;
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        watch.kill(signal);
        watch.kill_monitor(signal)?;
        storm.goes_on()?;
    }
    let said = watch.end(Signal::SIGTERM)?;
    ensure!(said.contains("events of"), "it ended otherwise: {said}");
    storm.end().map(drop)
}

/// A file under a write lease is opened: that open is denied, and nobody else waits for the lease.
fn leased_file(rig: &Rig) -> Result<()> {
    let path = rig.watched().join("leased");
    let file = std::fs::File::create(&path).context("failed to make a file")?;
    exetrail::sys::lease(&file).context("failed to take a lease")?;
    let storm = Storm::start(rig);
    let watch = Watch::start(rig, &[], Stdio::null())?;
    let begun = Instant::now();
    let mut cat = Command::new("cat");
    let cat = cat.arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
    let mut cat = cat.spawn().context("failed to run cat")?;
    for _ in 0..10 {
        storm.goes_on()?;
    }
    let took = begun.elapsed();
    // Its open was denied; were it allowed, it would wait for the lease itself.
    let denied = rig::reap(&mut cat).context("cat does not end")?;
    drop(file);
    let said = watch.end(Signal::SIGTERM)?;
    eprintln!("ten rounds beside a lease took {took:?}; {said}");
    ensure!(
        took < Duration::from_secs(5),
        "somebody waited for the lease: {took:?}"
    );
    ensure!(!denied.success(), "the leased file was opened: {denied}");
    std::fs::remove_file(&path).context("failed to remove the file")?;
    storm.end().map(drop)
}

/// Output that goes nowhere: everybody goes on, the end comes in time and says what was lost.
fn stalled(rig: &Rig, args: &[&str], mut output: impl FnMut(&Rig) -> Result<Stdio>) -> Result<()> {
    let storm = Storm::start(rig);
    let mut last = String::new();
    for _ in 0..number("EXETRAIL_STORM_ROUNDS", 3) {
        let watch = Watch::start(rig, args, output(rig)?)?;
        // More than any pipe, socket or disk of ours takes.
        storm.starts(2000)?;
        last = watch.end(Signal::SIGTERM)?;
        ensure!(!last.contains(" 0 lines lost"), "nothing was lost: {last}");
        storm.goes_on()?;
    }
    eprintln!("{last}");
    storm.end().map(drop)
}

/// A storm in which monitors come and go by a fault.
fn rounds(
    rig: &Rig,
    output: impl Fn(&Rig) -> Result<Stdio>,
    args: &[&str],
    fault: impl Fn(&mut Watch) -> Result<()>,
) -> Result<()> {
    let storm = Storm::start(rig);
    for _ in 0..number("EXETRAIL_STORM_ROUNDS", 3) {
        let mut watch = Watch::start(rig, args, output(rig)?)?;
        std::thread::sleep(rig::moment());
        fault(&mut watch)?;
        watch.wait()?;
        storm.goes_on()?;
    }
    if storm.end()?.values().sum::<u64>() == 0 {
        bail!("the storm started nothing");
    }
    Ok(())
}

/// So that closures of one type can also fail.
trait IntoResult {
    fn into_result(self) -> Result<Stdio>;
}

impl IntoResult for Stdio {
    fn into_result(self) -> Result<Stdio> {
        Ok(self)
    }
}
