//! Somebody whose directory in `/proc` is locked for ever: whoever looks into it does not come back.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use exetrail::sys::FaultPages;

use crate::heard::Heard;
use crate::rig::{HANGS, Rig, Storm, Watch, reap};

/// How long the monitor waits for a look, and what a busy machine adds.
const LET_GO: (Duration, Duration) = (Duration::from_millis(1500), Duration::from_millis(4500));
/// When the second thread has not come to its wait by then, it never will.
const WAITS: Duration = Duration::from_secs(20);

/// Plays such a one: locks his directory, opens a file, says how long that took, and lasts until his input ends.
pub fn play(opened: &Path) -> Result<()> {
    let own = format!("/proc/{}", std::process::id());
    let directory = File::open(&own).context("failed to open our own directory")?;
    let pages = FaultPages::new(b"").context("failed to make a page that is missing")?;
    std::thread::scope(|scope| {
        // It has the lock, for reading, in a fault that nobody serves.
        scope.spawn(|| pages.list(directory.as_fd()));
        pages.wait().context("nobody is held")?;
        // It wants it for writing, and whoever comes later waits for it. What tells that it waits is open before.
        let (sender, state) = std::sync::mpsc::channel();
        let directory = format!("{own}/x");
        scope.spawn(move || {
            let _ = sender.send(File::open("/proc/thread-self/stat"));
            fs::create_dir(directory)
        });
        let state = state.recv().context("the second thread has ended")?;
        until_it_waits(&state.context("no state of the second thread")?)?;
        let begun = Instant::now();
        let file = File::open(opened);
        println!("{}", begun.elapsed().as_millis());
        drop(file);
        // Nobody says anything: it is the end that counts.
        let _ = std::io::stdin().lines().next();
        pages.release().context("failed to end it")
    })
}

/// Until a thread waits uninterruptibly (`D` of proc_pid_stat(5)).
fn until_it_waits(state: &File) -> Result<()> {
    let deadline = Instant::now() + WAITS;
    loop {
        let mut text = [0; 512];
        let length = state
            .read_at(&mut text, 0)
            .context("failed to read a state")?;
        let text = String::from_utf8_lossy(&text[..length]);
        if text
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('D'))
        {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "it does not wait: {text}");
        std::thread::yield_now();
    }
}

/// Everybody is let go, and what it says is that nothing is watched any more.
pub fn locked_neighbour(rig: &Rig) -> Result<()> {
    let opened = rig.watched().join("opened");
    fs::write(&opened, "x").context("failed to make a file")?;
    let storm = Storm::start(rig);
    let mut watch = Watch::start(rig, &[], Stdio::null())?;
    let mut neighbour = Command::new(std::env::current_exe().context("no name of our own")?)
        .args(["neighbour", "locked"])
        .arg(&opened)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start the neighbour")?;
    let stdout = neighbour.stdout.take().context("no output")?;
    let line = Heard::new(stdout, HANGS).line();
    let line = line.context("nobody lets the neighbour go")?;
    let held = line.trim().parse().map(Duration::from_millis);
    let held = held.with_context(|| format!("the neighbour says {line:?}"))?;
    storm.goes_on()?;
    // The monitor itself is still in the kernel.
    let status = watch.wait_status()?;
    drop(neighbour.stdin.take());
    let ended = reap(&mut neighbour).context("the neighbour does not end")?;
    let said = watch.said()?;
    eprintln!("held for {held:?}: {}", said.trim());
    ensure!(ended.success(), "the neighbour ended with {ended}");
    ensure!(
        (LET_GO.0..LET_GO.1).contains(&held),
        "he was held for {held:?}: {said}"
    );
    ensure!(status.code() == Some(3), "it ended with {status}: {said}");
    for part in [
        "unwatched: /proc did not answer",
        "cannot end; nobody waits for it",
    ] {
        ensure!(said.contains(part), "it says {said}");
    }
    fs::remove_file(&opened).context("failed to remove the file")?;
    storm.end().map(drop)
}
