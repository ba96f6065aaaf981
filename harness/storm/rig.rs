//! What storms are made with: a watched tmpfs, programs on it, ways that start them, a monitor.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use exetrail::sys::pidfd_open;
use exetrail::wire::until;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::heard::Heard;

/// How many start programs side by side.
const WAYS: usize = 8;
/// When somebody who should go on does not for so long, he hangs.
pub const HANGS: Duration = Duration::from_secs(20);

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// A random while, of at most 100 ms: a fault comes at any moment, and nothing waits for it.
pub fn moment() -> Duration {
    Duration::from_micros(fastrand::u64(0..100_000))
}

/// The resident memory of a process, in kB.
pub fn rss(pid: Pid) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("no status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .context("no VmRSS")?
        .parse()
        .context("VmRSS is not a number")
}

/// A small static program: `exit(0)`, 129 bytes of ELF (elf(5)).
fn program() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    // mov eax, 60; xor edi, edi; syscall
    const CODE: [u8; 9] = [0xb8, 0x3c, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let size = 120 + CODE.len() as u64;
    let half = |file: &mut Vec<u8>, numbers: &[u16]| {
        numbers
            .iter()
            .for_each(|number| file.extend(number.to_le_bytes()));
    };
    half(&mut file, &[2, 62, 1, 0]);
    for number in [BASE + 120, 64, 0] {
        file.extend(number.to_le_bytes());
    }
    half(&mut file, &[0, 0, 64, 56, 1, 0, 0, 0]);
    // PT_LOAD, readable and executable.
    half(&mut file, &[1, 0, 5, 0]);
    for number in [0, BASE, BASE, size, size, 4096] {
        file.extend(number.to_le_bytes());
    }
    file.extend(CODE);
    file
}

/// A mount namespace of our own with what is watched, a small disk, and a `/dev` for a socket.
pub struct Rig {
    directory: TempDir,
}

impl Rig {
    /// Makes it; nobody else sees these mounts.
    pub fn new() -> Result<Rig> {
        unshare(CloneFlags::CLONE_NEWNS).context("failed to make a mount namespace")?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
            .context("failed to make mounts private")?;
        let directory = tempfile::tempdir().context("failed to make a directory")?;
        // A monitor that dumps core, which none should, leaves the dump where it goes away.
        std::env::set_current_dir(directory.path()).context("failed to change to a directory")?;
        let rig = Rig { directory };
        tmpfs(&rig.watched(), "size=2g")?;
        tmpfs(&rig.small(), "size=64k")?;
        for way in 0..WAYS {
            let path = rig.way(way);
            fs::write(&path, program()).context("failed to write a program")?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        mount(
            Some("tmpfs"),
            "/dev",
            Some("tmpfs"),
            MsFlags::empty(),
            None::<&str>,
        )
        .context("failed to cover /dev")?;
        for (name, major, minor) in [
            ("null", 1, 3),
            ("zero", 1, 5),
            ("urandom", 1, 9),
            ("fuse", 10, 229),
        ] {
            let mode = Mode::from_bits_truncate(0o666);
            mknod(
                format!("/dev/{name}").as_str(),
                SFlag::S_IFCHR,
                mode,
                makedev(major, minor),
            )
            .context("failed to make a device")?;
        }
        std::os::unix::fs::symlink("/proc/self/fd", "/dev/fd").context("failed to make /dev/fd")?;
        Ok(rig)
    }

    /// The mount that is watched.
    pub fn watched(&self) -> PathBuf {
        self.directory.path().join("watched")
    }

    /// A disk that is soon full.
    pub fn small(&self) -> PathBuf {
        self.directory.path().join("small")
    }

    /// A place for further mounts.
    pub fn place(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The program of one way.
    pub fn way(&self, way: usize) -> PathBuf {
        self.watched().join(format!("way{way}"))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for path in [self.watched(), self.small()] {
            // The namespace ends with us, and its mounts with it.
            let _ = umount(&path);
        }
    }
}

/// Mounts one on a directory that it makes.
pub fn tmpfs(place: &Path, options: &str) -> Result<()> {
    fs::create_dir(place).context("failed to make a directory")?;
    let kind = Some("tmpfs");
    mount(kind, place, kind, MsFlags::empty(), Some(options)).context("failed to mount a tmpfs")
}

/// Ways that start programs as fast as they can.
pub struct Storm {
    stop: Arc<AtomicBool>,
    counts: Vec<(PathBuf, Arc<AtomicU64>)>,
    ways: Vec<JoinHandle<Result<()>>>,
    bell: Arc<Bell>,
    fate: Arc<Fate>,
}

/// What has become of the ways.
#[derive(Default)]
struct Fate {
    /// How many have ended.
    ended: AtomicU64,
    /// Why the first one failed.
    failed: Mutex<Option<String>>,
}

impl Fate {
    fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    fn fail(&self, error: &anyhow::Error) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert_with(|| format!("{error:#}"));
    }

    /// Why a way has ended before it was to; none while all go on.
    fn failure(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failed
            .clone()
            .unwrap_or_else(|| "a way panicked".to_owned());
        (self.ended() > 0).then_some(known)
    }
}

/// Rung at every program that has ended, and at the end of a way.
#[derive(Default)]
struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// Waits until something is so, looking at each ring; false when it is not in time.
    fn wait_until(&self, deadline: Instant, done: impl Fn() -> bool) -> bool {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        while !done() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.rung.wait_timeout(rings, left);
            rings = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Rings when a way ends, however it does.
struct AtEnd(Arc<Bell>, Arc<Fate>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.1.ended.fetch_add(1, Ordering::Relaxed);
        self.0.ring();
    }
}

/// One that starts programs as fast as it can.
struct Way {
    path: PathBuf,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    bell: Arc<Bell>,
}

impl Way {
    fn blow(&self) -> Result<()> {
        let path = &self.path;
        while !self.stop.load(Ordering::Relaxed) {
            let status = Command::new(path).status();
            let status = status.with_context(|| format!("failed to start {path:?}"))?;
            ensure!(status.success(), "{path:?} ended with {status}");
            self.count.fetch_add(1, Ordering::Relaxed);
            self.bell.ring();
        }
        Ok(())
    }
}

impl Storm {
    /// Lets it loose.
    pub fn start(rig: &Rig) -> Storm {
        let (stop, bell) = (Arc::default(), Arc::<Bell>::default());
        let fate = Arc::<Fate>::default();
        let counts = (0..WAYS).map(|way| (rig.way(way), Arc::default()));
        let counts: Vec<(PathBuf, Arc<AtomicU64>)> = counts.collect();
        let ways = counts.iter().map(|(path, count)| {
            let at_end = AtEnd(Arc::clone(&bell), Arc::clone(&fate));
            let way = Way {
                path: path.clone(),
                count: Arc::clone(count),
                stop: Arc::clone(&stop),
                bell: Arc::clone(&bell),
            };
            std::thread::spawn(move || {
                let blown = way.blow();
                if let Err(error) = &blown {
                    at_end.1.fail(error);
                }
                blown
            })
        });
        let ways = ways.collect();
        Storm {
            stop,
            counts,
            ways,
            bell,
            fate,
        }
    }

    /// Lets it blow for a while.
    pub fn last(&self, time: Duration) -> Result<()> {
        std::thread::sleep(time);
        self.goes_on()
    }

    /// Every way starts one more program.
    pub fn goes_on(&self) -> Result<()> {
        self.until("a way hangs", |before, now| {
            before.iter().zip(now).all(|(a, b)| b > a)
        })
    }

    /// All ways together start so many programs.
    pub fn starts(&self, programs: u64) -> Result<()> {
        self.until("the storm has died down", |before, now| {
            now.iter().sum::<u64>() >= before.iter().sum::<u64>() + programs
        })
    }

    fn until(&self, otherwise: &str, done: impl Fn(&[u64], &[u64]) -> bool) -> Result<()> {
        let before = self.now();
        let so = || self.fate.ended() > 0 || done(&before, &self.now());
        let in_time = self.bell.wait_until(Instant::now() + HANGS, so);
        // Whoever has failed starts nothing more, and is no one who hangs.
        match (self.fate.failure(), in_time) {
            (Some(failure), _) => bail!(failure),
            (None, true) => Ok(()),
            (None, false) => bail!("{otherwise}: {before:?} then {:?}", self.now()),
        }
    }

    fn now(&self) -> Vec<u64> {
        self.counts
            .iter()
            .map(|(_, count)| count.load(Ordering::Relaxed))
            .collect()
    }

    /// Ends it; how often each program was started.
    pub fn end(mut self) -> Result<BTreeMap<String, u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let all = WAYS as u64;
        let ended = || self.fate.ended() == all;
        ensure!(
            self.bell.wait_until(Instant::now() + HANGS, ended),
            "the storm does not end"
        );
        for way in self.ways.drain(..) {
            way.join()
                .map_err(|_| anyhow::anyhow!("a way panicked"))??;
        }
        let count = |(path, count): &(PathBuf, Arc<AtomicU64>)| {
            (path.display().to_string(), count.load(Ordering::Relaxed))
        };
        Ok(self.counts.iter().map(count).collect())
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A monitor.
pub struct Watch {
    child: Child,
    stderr: Heard<ChildStderr>,
    /// The monitor, once it watches: it can outlive its guard.
    known: Option<(Pid, OwnedFd)>,
}

impl Watch {
    /// Starts one and waits until it watches.
    pub fn start(rig: &Rig, args: &[&str], output: Stdio) -> Result<Watch> {
        let mut watch = Watch::spawn(rig, args, output, None)?;
        watch.begins()?;
        Ok(watch)
    }

    /// Waits until it watches.
    pub fn begins(&mut self) -> Result<()> {
        let line = self.stderr.line().context("the monitor says nothing")?;
        ensure!(line.contains("watching"), "the monitor says {line}");
        self.known = self.look();
        Ok(())
    }

    /// Starts one and does not wait.
    pub fn spawn(
        rig: &Rig,
        args: &[&str],
        output: Stdio,
        program: Option<PathBuf>,
    ) -> Result<Watch> {
        let mut command = Watch::command(args, &rig.watched());
        if let Some(program) = program {
            command.arg("--").arg(program);
        }
        Watch::of(command, output)
    }

    /// How one is started.
    pub fn command(args: &[&str], place: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_exetrail"));
        command.arg("monitor").args(args).arg(place);
        command
    }

    /// Starts one as that command says, and does not wait.
    pub fn of(mut command: Command, output: Stdio) -> Result<Watch> {
        command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("failed to start the monitor")?;
        let stderr = child.stderr.take().context("no standard error")?;
        Ok(Watch {
            child,
            stderr: Heard::new(stderr, HANGS),
            known: None,
        })
    }

    /// The guard, which is what was started.
    pub fn guard(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The monitor, which the guard forked; call it while it watches.
    pub fn monitor(&self) -> Result<Pid> {
        let path = format!("/proc/{0}/task/{0}/children", self.guard());
        let children = fs::read_to_string(path).context("no list of children")?;
        let first = children.split_whitespace().next();
        let pid = first.context("the guard has no child")?.parse();
        Ok(Pid::from_raw(pid.context("no number")?))
    }

    /// The monitor by what stays its own; none where it has ended.
    fn look(&self) -> Option<(Pid, OwnedFd)> {
        let pid = self.monitor().ok()?;
        Some((pid, pidfd_open(pid.as_raw()).ok()?))
    }

    /// Sends the guard a signal.
    pub fn kill(&self, signal: Signal) {
        // It is not reaped yet, so the id is its own.
        let _ = kill(self.guard(), signal);
    }

    /// Sends the monitor a signal.
    pub fn kill_monitor(&self, signal: Signal) -> Result<()> {
        kill(self.monitor()?, signal).context("failed to signal the monitor")
    }

    /// What guard and monitor say until both have ended.
    pub fn said(&mut self) -> Result<String> {
        let said = self.stderr.rest();
        said.context("somebody whom the monitor leaves has not ended")
    }

    /// Waits for its end, which must be that nothing is watched any more; what it said.
    pub fn ends_unwatched(&mut self) -> Result<String> {
        let status = self.wait_status()?;
        let said = self.said()?;
        ensure!(status.code() == Some(3), "it ended with {status}: {said}");
        ensure!(said.contains("unwatched: "), "it says {said}");
        Ok(said.trim().to_owned())
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<()> {
        self.wait_status().map(drop)
    }

    /// Waits for its end and tells how it ended.
    pub fn wait_status(&mut self) -> Result<ExitStatus> {
        reap(&mut self.child).context("the monitor does not end")
    }

    /// Ends it in order; what it said.
    pub fn end(mut self, signal: Signal) -> Result<String> {
        self.kill(signal);
        self.wait()?;
        Ok(self.said()?.trim().to_owned())
    }
}

/// Waits for the end of a child, who is killed where he does not come to it.
pub fn reap(child: &mut Child) -> Result<ExitStatus> {
    // Our child, not reaped yet: the id is its own.
    let process = pidfd_open(child.id().cast_signed()).context("no such process")?;
    if let Err(error) = ends(&process, HANGS) {
        let _ = child.kill();
        return Err(error);
    }
    child.wait().context("failed to reap a process")
}

/// Waits for the end of a process.
pub fn ends(process: &OwnedFd, time: Duration) -> Result<()> {
    let deadline = Instant::now() + time;
    loop {
        let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, until(deadline)) {
            Ok(0) => bail!("it goes on after {time:?}"),
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait for a process"),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Of a guard who is reaped the id may be somebody else's.
        let alive = matches!(self.child.try_wait(), Ok(None));
        let monitor = self.known.take();
        let monitor = monitor.or_else(|| self.look().filter(|_| alive));
        let _ = self.child.kill();
        let _ = self.child.wait();
        // One that goes on would hold whoever comes later.
        if let Some((pid, process)) = monitor
            && ends(&process, Duration::ZERO).is_err()
        {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}
