//! A monitor that stands still, a guard that does, and both: everybody goes on, unwatched.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill, killpg};

use crate::rig::{Rig, Storm, Watch};

/// What `docs/monitor.md` states, and what a busy machine may add to it.
const BOUND: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_secs(2);

/// Whoever kills the monitor alone reads in the guard's end that nothing is watched.
pub fn monitor_killed(rig: &Rig) -> Result<()> {
    let storm = Storm::start(rig);
    // A shell knows the one of the signals that nix has no name for.
    for (number, name) in [(9, "SIGKILL"), (42, "SIGRTMIN+8")] {
        let mut watch = Watch::start(rig, &[], Stdio::null())?;
        let script = format!("kill -{number} {}", watch.monitor()?);
        let sent = Command::new("/bin/sh").args(["-c", &script]).status();
        ensure!(sent.context("failed to run sh")?.success(), "{script}");
        let said = watch.ends_unwatched()?;
        ensure!(said.contains(name), "it says {said}");
        storm.goes_on()?;
    }
    storm.end().map(drop)
}

/// Who started it may ignore SIGCHLD, which is inherited: the guard hears of the monitor's end all the same.
pub fn killed_where_ends_are_ignored(rig: &Rig) -> Result<()> {
    let own = Watch::command(&[], &rig.watched());
    let mut command = Command::new("env");
    command.arg("--ignore-signal=CHLD").arg(own.get_program());
    command.args(own.get_args());
    let mut watch = Watch::of(command, Stdio::null())?;
    watch.begins()?;
    watch.kill_monitor(Signal::SIGKILL)?;
    watch.ends_unwatched().map(drop)
}

/// Without a guard the monitor ends, and says why.
pub fn guard_killed(rig: &Rig) -> Result<()> {
    let mut watch = Watch::start(rig, &[], Stdio::null())?;
    watch.kill(Signal::SIGKILL);
    watch.wait()?;
    // The monitor has the other end of what is read here until it ends.
    let said = watch.said()?;
    ensure!(
        said.contains("unwatched: the guard has ended"),
        "it says {said}"
    );
    Ok(())
}

/// Where lines go to syslog, that nothing is watched any more does as well.
pub fn syslog_is_told(rig: &Rig) -> Result<()> {
    let daemon = UnixDatagram::bind("/dev/log").context("failed to make /dev/log")?;
    let mut watch = Watch::start(rig, &["--syslog"], Stdio::null())?;
    watch.kill_monitor(Signal::SIGKILL)?;
    let ended = watch.ends_unwatched();
    fs::remove_file("/dev/log").context("failed to remove /dev/log")?;
    ended?;
    daemon
        .set_nonblocking(true)
        .context("failed to prepare the socket")?;
    let mut buffer = [0; 1000];
    let mut last = String::new();
    while let Ok(length) = daemon.recv(&mut buffer) {
        last = String::from_utf8_lossy(&buffer[..length]).into_owned();
    }
    ensure!(last.contains("unwatched: "), "the daemon heard {last}");
    Ok(())
}

pub fn monitor_stopped(rig: &Rig) -> Result<()> {
    let said = stood_still(rig, |watch| watch.kill_monitor(Signal::SIGSTOP), |_| Ok(()))?;
    ensure!(said.contains("killed by its guard"), "it says {said}");
    Ok(())
}

pub fn guard_stopped(rig: &Rig) -> Result<()> {
    let stop = |watch: &Watch| {
        watch.kill(Signal::SIGSTOP);
        Ok(())
    };
    let said = stood_still(rig, stop, go_on)?;
    ensure!(said.contains("the guard stands still"), "it says {said}");
    Ok(())
}

/// With nobody left to notice, the kernel's timer ends the monitor.
pub fn both_stopped(rig: &Rig) -> Result<()> {
    let stop = |watch: &Watch| {
        watch.kill_monitor(Signal::SIGSTOP)?;
        watch.kill(Signal::SIGSTOP);
        Ok(())
    };
    let said = stood_still(rig, stop, go_on)?;
    ensure!(said.contains("SIGKILL"), "it says {said}");
    Ok(())
}

/// What a shell's `kill -STOP %1` does: it reaches the guard, and the monitor is not in that group.
pub fn job_stopped(rig: &Rig) -> Result<()> {
    let stop = |watch: &Watch| killpg(watch.guard(), Signal::SIGSTOP).context("no such group");
    let said = stood_still(rig, stop, go_on)?;
    ensure!(said.contains("the guard stands still"), "it says {said}");
    Ok(())
}

/// A monitor that stood still for a while, and not for long enough to be ended, says so.
pub fn longest_hold(rig: &Rig) -> Result<()> {
    let path = rig.place("held");
    let out = fs::File::create(&path).context("failed to make the output file")?;
    let watch = Watch::start(rig, &["--format", "json"], out.into())?;
    let time = Duration::from_secs(1);
    // While it has nothing to do: what comes meanwhile is readable, and it does not know since when.
    let begun = Instant::now();
    watch.kill_monitor(Signal::SIGSTOP)?;
    let storm = Storm::start(rig);
    std::thread::sleep(time);
    watch.kill_monitor(Signal::SIGCONT)?;
    let stopped = begun.elapsed();
    storm.goes_on()?;
    watch.end(Signal::SIGTERM)?;
    storm.end()?;
    let text = fs::read_to_string(&path).context("failed to read the output")?;
    let last = text.lines().last().context("no output")?;
    let json: serde_json::Value = serde_json::from_str(last).context("no JSON")?;
    let held = json["summary"]["longest_hold_us"].as_u64();
    let held = Duration::from_micros(held.context("no longest hold")?);
    ensure!(
        held > time * 9 / 10 && held < stopped + SLACK,
        "stopped for {stopped:?}, it tells of {held:?}"
    );
    Ok(())
}

/// The cgroup that both were started in is frozen: the guard has left it (v2), or both have (v1).
pub fn cgroup_frozen(rig: &Rig) -> Result<()> {
    let mut tried = 0;
    if let Some(unified) = hierarchy("cgroup2", "") {
        let group = Cgroup::new(&unified)?;
        let said = frozen(rig, &group, "cgroup.freeze", ["1", "0"])?;
        ensure!(said.contains("killed by its guard"), "it says {said}");
        tried += 1;
    }
    if let Some(freezer) = hierarchy("cgroup", "freezer") {
        let group = Cgroup::new(&freezer)?;
        let storm = Storm::start(rig);
        let mut watch = group.start(rig)?;
        watch.begins()?;
        fs::write(group.0.join("freezer.state"), "FROZEN").context("failed to freeze")?;
        let went_on = storm.last(BOUND);
        // Nobody in it can be killed before.
        fs::write(group.0.join("freezer.state"), "THAWED").context("failed to thaw")?;
        went_on?;
        let said = watch.end(Signal::SIGTERM)?;
        ensure!(said.contains("events of"), "it did not go on: {said}");
        storm.end()?;
        tried += 1;
    }
    ensure!(
        tried > 0,
        "no cgroup hierarchy that can be frozen is mounted"
    );
    eprintln!("{tried} hierarchies were frozen");
    Ok(())
}

fn frozen(rig: &Rig, group: &Cgroup, file: &str, [freeze, thaw]: [&str; 2]) -> Result<String> {
    let storm = Storm::start(rig);
    let mut watch = group.start(rig)?;
    watch.begins()?;
    fs::write(group.0.join(file), freeze).context("failed to freeze")?;
    let result = storm.last(BOUND).and_then(|()| watch.ends_unwatched());
    fs::write(group.0.join(file), thaw).context("failed to thaw")?;
    storm.goes_on()?;
    storm.end()?;
    result
}

/// Stops something with a storm going on, which must go on within the bound.
fn stood_still(
    rig: &Rig,
    stop: impl Fn(&Watch) -> Result<()>,
    mend: impl Fn(&Watch) -> Result<()>,
) -> Result<String> {
    let storm = Storm::start(rig);
    let mut command = Watch::command(&[], &rig.watched());
    // As a shell starts a job.
    command.process_group(0);
    let mut watch = Watch::of(command, Stdio::null())?;
    watch.begins()?;
    let ended = exetrail::sys::pidfd_open(watch.monitor()?.as_raw());
    let ended = ended.context("no such monitor")?;
    stop(&watch)?;
    let begun = Instant::now();
    crate::rig::ends(&ended, BOUND + SLACK).context("the monitor stands still")?;
    storm.goes_on()?;
    eprintln!("it stood still for {:?}", begun.elapsed());
    mend(&watch)?;
    let said = watch.ends_unwatched()?;
    storm.end()?;
    Ok(said)
}

fn go_on(watch: &Watch) -> Result<()> {
    kill(watch.guard(), Signal::SIGCONT).context("failed to continue the guard")
}

/// A cgroup of this test's.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(hierarchy: &Path) -> Result<Cgroup> {
        let path = hierarchy.join(format!("exetrail-storm-{}", std::process::id()));
        fs::create_dir(&path).context("failed to make a cgroup")?;
        Ok(Cgroup(path))
    }

    /// Starts a watch in it.
    fn start(&self, rig: &Rig) -> Result<Watch> {
        let mut command = std::process::Command::new("/bin/sh");
        let script = "echo 0 > \"$0\" && exec \"$@\"";
        command
            .args(["-c", script])
            .arg(self.0.join("cgroup.procs"));
        let watch = Watch::command(&[], &rig.watched());
        command.arg(watch.get_program()).args(watch.get_args());
        Watch::of(command, Stdio::null())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whoever is still in it keeps it.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Where a hierarchy's root is mounted.
fn hierarchy(kind: &str, controller: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (mount, rest) = line.split_once(" - ")?;
        let fields: Vec<&str> = mount.split(' ').collect();
        let mut rest = rest.split(' ');
        let fits = rest.next()? == kind
            && (controller.is_empty() || rest.nth(1)?.split(',').any(|name| name == controller));
        (fits && fields.get(3) == Some(&"/")).then(|| fields[4].into())
    })
}
