//! Who makes life hard for a monitor at `/`: users with leases, a FUSE that never answers, thousands of
//! threads, names of every byte, mounts that come and go, a clock that jumps.
//!
//! The same program is the test and, in a guest, the neighbours: `neighbour WHAT ...` plays one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use exetrail::vm::programs::loadable;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Uid, setgid, setuid};

use crate::rig::{Rig, number};
use crate::vm::{KERNELS, boot};

/// The word that makes a neighbour of this program.
const WORD: &str = "neighbour";
/// A user who owns nothing but what he makes.
const USER: u32 = 1000;
/// The longest that anybody may be held, as docs/monitor.md says it, and what a busy machine adds.
const BOUND: Duration = Duration::from_millis(5500);

/// Plays a neighbour where the arguments ask for one.
pub fn play() -> Option<Result<()>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [WORD, "leases", directory] => Some(leases(Path::new(directory))),
        [WORD, "threads", count, directory] => Some(threads(count, Path::new(directory))),
        [WORD, "locked", opened] => Some(crate::locked::play(Path::new(opened))),
        [WORD, "names", directory] => Some(names(Path::new(directory))),
        [WORD, "pace", until] => Some(pace(Path::new(until))),
        _ => None,
    }
}

/// A user who has leases on files of his own, and opens them by a second process.
fn leases(directory: &Path) -> Result<()> {
    const ROUNDS: usize = 20;
    // Whoever does not give a lease back is told by this signal, whose default ends him.
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGIO);
    mask.thread_block().context("failed to block SIGIO")?;
    setgid(Gid::from_raw(USER)).context("failed to be a user")?;
    setuid(Uid::from_raw(USER)).context("failed to be a user")?;
    let mut denied = 0;
    for round in 0..ROUNDS {
        let path = directory.join(round.to_string());
        let file = File::create(&path).context("failed to make a file")?;
        // The monitor has the file open until it has answered and closed its descriptor.
        let begun = Instant::now();
        while let Err(error) = exetrail::sys::lease(&file) {
            ensure!(begun.elapsed() < BOUND, "failed to take a lease: {error}");
        }
        let mut cat = Command::new("/usr/bin/cat");
        let cat = cat.arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        denied += usize::from(!cat.status().context("failed to run cat")?.success());
    }
    println!("leases: {denied} of {ROUNDS} denied");
    Ok(())
}

/// A program under every name of one byte. Here, because a program for each link would be most of what the guest does.
fn names(directory: &Path) -> Result<()> {
    for name in (1..=u8::MAX).filter(|byte| !b"/.".contains(byte)) {
        let link = directory.join(OsStr::from_bytes(&[name]));
        std::os::unix::fs::symlink("/usr/bin/true", link).context("failed to make a link")?;
    }
    Ok(())
}

/// A process of very many threads, each of which opens a file and stays.
fn threads(count: &str, directory: &Path) -> Result<()> {
    let count: usize = count.parse().context("not a number")?;
    let (sender, opened) = std::sync::mpsc::channel();
    for number in 0..count {
        let (path, sender) = (directory.join((number % 100).to_string()), sender.clone());
        let work = move || {
            let _ = sender.send(File::create(path).is_ok());
            std::thread::park();
        };
        let thread = std::thread::Builder::new().stack_size(32 << 10);
        thread
            .spawn(work)
            .with_context(|| format!("no more than {number} threads"))?;
    }
    let opened = opened.iter().take(count).filter(|opened| *opened).count();
    println!("threads: {opened} of {count} opened");
    Ok(())
}

/// Somebody who has nothing to do with any of it: how long a program takes him, until a file is there.
fn pace(until: &Path) -> Result<()> {
    let (mut rounds, mut longest) = (0, Duration::ZERO);
    while !until.exists() {
        let begun = Instant::now();
        let status = Command::new("/usr/bin/true").status();
        ensure!(status.context("failed to start a program")?.success());
        longest = longest.max(begun.elapsed());
        rounds += 1;
    }
    println!(
        "pace: {rounds} programs, the longest {} ms",
        longest.as_millis()
    );
    Ok(())
}

/// All of them at once, on three kernels: nobody is held for longer than the bound, and the watch goes on.
pub fn hostile(rig: &Rig) -> Result<()> {
    let program = rig.place("neighbour");
    let own = fs::read("/proc/self/exe").context("failed to read this program")?;
    fs::write(&program, loadable(&own)?).context("failed to write a program")?;
    crate::place::make_executable(&program)?;
    // Events are answered in their order: a thousand openers at once are a queue of 6 s on this emulated CPU.
    let threads = number("EXETRAIL_STORM_THREADS", 200);
    let kernels = match number("EXETRAIL_STORM_ROUNDS", 1) {
        1 => &KERNELS[KERNELS.len() - 1..],
        _ => &KERNELS,
    };
    for &kernel in kernels {
        let text = boot(kernel, &options(&program), &script(threads))?;
        eprintln!("{kernel}:\n{text}");
        holds(&text, threads).with_context(|| format!("{kernel}: {text}"))?;
        // Before 6.12 Debian's kernels for clouds have FUSE as a module alone.
        let fuse = if kernel == "5.10" {
            "no such thing"
        } else {
            "silent"
        };
        ensure!(text.contains(&format!("fuse: {fuse}")), "{kernel}: {text}");
    }
    Ok(())
}

fn options(program: &Path) -> Vec<String> {
    let add = format!("{}:/neighbour", program.display());
    ["--memory", "1024", "--add", &add]
        .map(ToOwned::to_owned)
        .into()
}

fn script(threads: u64) -> String {
    format!(
        r#"
        exec 3< <(exec /exetrail/exetrail monitor / 2>&1 >/dev/null)
        guard=$!
        while read -r line <&3 && [[ $line != *watching* ]]; do :; done
        busybox mkdir /leases /threads /names /mnt /fuse
        busybox chmod 1777 /leases
        echo 60000 > /proc/sys/kernel/threads-max
        /neighbour neighbour pace /over & pace=$!
        if [[ -c /dev/fuse ]] && exec 9<>/dev/fuse; then
            busybox mount -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 silent /fuse
            /usr/bin/cat /fuse/a & /usr/bin/ls /fuse & /fuse/a &
            echo 'fuse: silent'
        else
            echo 'fuse: no such thing'
        fi 2>/dev/null
        /neighbour neighbour leases /leases & leases=$!
        /neighbour neighbour threads {threads} /threads & many=$!
        (
            /neighbour neighbour names /names
            count=0
            for number in {{1..255}}; do
                printf -v name '\\x%x' $number; printf -v name "$name"
                [[ $name == / || $name == . ]] && continue
                "/names/$name" && (( ++count ))
            done
            echo "names: $count"
        ) & names=$!
        (
            for round in {{1..20}}; do
                busybox mount -t tmpfs none /mnt; echo x > /mnt/x; busybox cat /mnt/x; busybox umount -l /mnt
                busybox mount -o bind / /mnt; /mnt/usr/bin/true; busybox umount -l /mnt
            done >/dev/null && echo 'mounts: over'
        ) & mounts=$!
        for time in 86400 4000000000 1000000000; do
            busybox date -s @$time >/dev/null && /usr/bin/true && echo "clock: $time"
        done
        wait $leases $many $names $mounts
        : > /over
        wait $pace
        kill -TERM $guard
        while read -r line <&3; do echo "$line"; done
        wait $guard
        echo "monitor: status $?"
        "#
    )
}

/// Everybody did what he had to, and nobody waited.
fn holds(text: &str, threads: u64) -> Result<()> {
    let lines = [
        "leases: 20 of 20 denied".to_owned(),
        format!("threads: {threads} of {threads} opened"),
        "names: 253".to_owned(),
        "mounts: over".to_owned(),
        "clock: 86400".to_owned(),
        "clock: 4000000000".to_owned(),
        "clock: 1000000000".to_owned(),
        "monitor: status 0".to_owned(),
    ];
    for line in lines {
        ensure!(text.contains(&line), "there is no \"{line}\"");
    }
    ensure!(!text.contains("unwatched"), "the watch ended");
    let longest = text.lines().find_map(|line| {
        let line = line.strip_prefix("pace: ")?;
        let (_, longest) = line.split_once("the longest ")?;
        longest.strip_suffix(" ms")?.parse().ok()
    });
    match longest.map(Duration::from_millis) {
        Some(longest) if longest < BOUND => Ok(()),
        Some(longest) => bail!("somebody was held for {longest:?}"),
        None => bail!("nobody kept pace"),
    }
}

/// A file system whose process never answers lies below what is watched: who opens its files waits for
/// him, and nobody else does.
pub fn silent_mount(rig: &Rig) -> Result<()> {
    let place: PathBuf = rig.watched().join("silent");
    fs::create_dir(&place).context("failed to make a directory")?;
    let device = crate::place::mount_silent(&place)?;
    let storm = crate::rig::Storm::start(rig);
    let watch = crate::rig::Watch::start(rig, &[], Stdio::null())?;
    let mut stuck: Vec<_> = (0..4)
        .map(|number| {
            let mut cat = Command::new("cat");
            cat.arg(place.join(number.to_string()));
            cat.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        })
        .collect::<std::io::Result<_>>()
        .context("failed to run cat")?;
    let begun = Instant::now();
    for _ in 0..10 {
        storm.goes_on()?;
    }
    let took = begun.elapsed();
    let waits = stuck
        .iter_mut()
        .all(|cat| matches!(cat.try_wait(), Ok(None)));
    let said = watch.end(Signal::SIGTERM)?;
    // Whoever waits for the file system is freed with its connection.
    drop(device);
    for cat in &mut stuck {
        crate::rig::reap(cat).context("cat does not end")?;
    }
    nix::mount::umount2(&place, nix::mount::MntFlags::MNT_DETACH).context("failed to unmount")?;
    fs::remove_dir(&place).context("failed to remove the directory")?;
    ensure!(waits, "somebody opened a file that nobody serves");
    ensure!(took < BOUND, "ten rounds took {took:?}; {said}");
    storm.end().map(drop)
}
