//! What takes settings of a whole machine: on a kernel in a virtual machine.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::rig::{Rig, ends};

/// The oldest, a middle and the newest.
pub const KERNELS: [&str; 3] = ["5.10", "6.12", "7.3"];
/// A boot and what is done there, many times over.
const BOUND: Duration = Duration::from_secs(60);
/// Emulated code is translated again wherever it runs: with fixed addresses a program costs a quarter (docs/speed.md), and what a
/// neighbour does, and not what his loader costs, is under test.
const FIXED: &str = "echo 0 > /proc/sys/kernel/randomize_va_space\n";

/// Cores go to a helper on the watched mount: while a monitor dumped core, that helper's exec would
/// wait for the monitor, and the kernel for the helper, whatever signal comes.
pub fn core_to_a_helper(_rig: &Rig) -> Result<()> {
    let script = r#"
        echo '|/usr/bin/cat' > /proc/sys/kernel/core_pattern
        ulimit -c unlimited
        for signal in ABRT SEGV TRAP; do
            exec 3< <(exec /exetrail/exetrail monitor / 2>&1 >/dev/null)
            guard=$!
            read -r line <&3
            read -r monitor _ < /proc/$guard/task/$guard/children
            # The first SEGV is taken by the standard library, which waits for a second one.
            while kill -$signal $monitor; do :; done 2>/dev/null
            while read -r line <&3; do echo "$line"; done
            wait $guard
            echo "$signal: status $?"
            /usr/bin/true && echo "$signal: goes on"
        done
    "#;
    on_each(&|kernel| {
        let text = boot(kernel, &[], script)?;
        for signal in ["ABRT", "SEGV", "TRAP"] {
            for line in [
                format!("{signal}: status 3"),
                format!("{signal}: goes on"),
                format!("unwatched: the monitor was ended by SIG{signal}"),
            ] {
                ensure!(text.contains(&line), "{kernel}: no \"{line}\" in {text}");
            }
        }
        ensure!(!text.contains("dumped core"), "{kernel}: {text}");
        Ok(())
    })
}

/// What the tests on the running kernel show of stops, freezes and unmounts, on the others.
pub fn stands_still(_rig: &Rig) -> Result<()> {
    let script = r#"
        watch() {
            exec 3< <(echo 0 > ${2:-/dev/null}; exec /exetrail/exetrail monitor $1 2>&1 >/dev/null)
            guard=$!
            read -r line <&3
            while [[ $line != *watching* ]]; do read -r line <&3; done
            read -r monitor _ < /proc/$guard/task/$guard/children
        }
        over() {
            begun=$EPOCHREALTIME
            /usr/bin/true
            took=$(( (${EPOCHREALTIME/./} - ${begun/./}) / 1000 ))
            (( took < 5500 )) && echo "$1: goes on in time" || echo "$1: held for $took ms"
            kill -CONT $guard 2>/dev/null
            while read -r line <&3; do echo "$line"; done
            wait $guard
            echo "$1: status $?"
        }
        watch /; kill -STOP $monitor; over monitor
        watch /; kill -STOP $guard; busybox sleep 4; over guard
        watch /; kill -STOP $monitor $guard; over both
        busybox mkdir /m /c
        busybox mount -t tmpfs m /m; watch /m; busybox umount /m; over unmount
        busybox mount -t cgroup2 c /c; busybox mkdir /c/g
        watch / /c/g/cgroup.procs; echo 1 > /c/g/cgroup.freeze; over frozen
    "#;
    on_each(&|kernel| {
        let text = boot(kernel, &[], script)?;
        for fault in ["monitor", "guard", "both", "unmount", "frozen"] {
            for line in ["goes on in time", "status 3"] {
                let line = format!("{fault}: {line}");
                ensure!(text.contains(&line), "{kernel}: no \"{line}\" in {text}");
            }
        }
        Ok(())
    })
}

/// The kernels side by side: most of the time somebody waits there.
fn on_each(test: &(dyn Fn(&str) -> Result<()> + Sync)) -> Result<()> {
    thread::scope(|scope| {
        let threads = KERNELS.map(|kernel| scope.spawn(move || test(kernel)));
        let join = |thread: thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().map_err(|_| anyhow!("a test panicked"))?
        };
        threads.into_iter().try_for_each(join)
    })
}

/// What a script prints on a kernel, which must not take longer than the bound.
pub fn boot(kernel: &str, options: &[String], script: &str) -> Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exetrail"));
    command.args(["boot", kernel]).args(options);
    command.args(["--", "/usr/bin/bash", "-c", &format!("{FIXED}{script}")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("failed to boot")?;
    let pid = child.id().cast_signed();
    let ended: OwnedFd = exetrail::sys::pidfd_open(pid).context("no such process")?;
    // What the script prints fits into the pipe.
    let in_time = ends(&ended, BOUND).with_context(|| format!("{kernel} is frozen"));
    if in_time.is_err() {
        let _ = child.kill();
    }
    child.wait().context("failed to reap the boot")?;
    in_time?;
    let mut text = String::new();
    let mut stdout = child.stdout.take().context("no standard output")?;
    let read = stdout.read_to_string(&mut text);
    read.context("failed to read what the script printed")?;
    Ok(text)
}
