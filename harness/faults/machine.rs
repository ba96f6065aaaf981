//! QEMU killed, stopped and suspended, what it may do, and kernels that do not come up.

use std::fs;
use std::time::Duration;

use exetrail::suite::{Begin, Options, RunEvent};
use exetrail::trail::Outcome;
use exetrail::vm::accel::Accel;
use exetrail::vm::machine::Kernel;
use exetrail::wire::Fault;
use libtest_mimic::Failed;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::kernel::halting;
use super::lab::{
    Check, FAULTY, Lab, SCENARIOS, faulty, no_qemu_is_left, options, own_qemu, trail_of,
};

pub const TRIALS: [(&str, Check); 6] = [
    ("qemu_is_killed", qemu_is_killed),
    ("qemu_is_confined", qemu_is_confined),
    ("qemu_is_stopped", qemu_is_stopped),
    ("host_is_suspended", host_is_suspended),
    ("kernel_is_truncated", kernel_is_truncated),
    ("kernel_never_reaches_pid_1", kernel_never_reaches_pid_1),
];

/// A kernel that does not come up is given up soon.
fn soon() -> Options {
    Options {
        boot: Duration::from_secs(2),
        ..options()
    }
}

fn qemu_is_killed(lab: &Lab) -> Result<(), Failed> {
    // PID 1 waits in that scenario, so that it is surely this one that is killed.
    let seen = lab.boot(lab.target(), faulty(Fault::Hang), &mut |event| {
        if matches!(event, RunEvent::Running { scenario, .. } if scenario == FAULTY) {
            for pid in own_qemu() {
                kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is our child");
            }
        }
    })?;
    seen.check(2, &["QEMU ended in the guest, killed by signal 9"])
}

/// Sends a signal to QEMU when the first scenario begins.
fn signal_first(event: &RunEvent, signal: Signal) -> bool {
    let first = matches!(event, RunEvent::Running { scenario, .. } if scenario == SCENARIOS[0]);
    for pid in own_qemu().into_iter().filter(|_| first) {
        kill(Pid::from_raw(pid), signal).expect("it is our child");
    }
    first
}

/// A machine that stands still for ever costs one scenario, whichever it had come to.
fn qemu_is_stopped(lab: &Lab) -> Result<(), Failed> {
    let own = |name: &&str| ((*name).to_owned(), Duration::from_secs(10));
    let options = Options {
        deadlines: SCENARIOS.iter().map(own).collect(),
        grace: Duration::from_secs(3),
        ..options()
    };
    let mut stopped = false;
    let seen = lab.boot(lab.target(), options, &mut |event| {
        if !stopped {
            stopped = signal_first(event, Signal::SIGSTOP);
        }
    })?;
    let all = seen.records.values().map(trail_of);
    let (broken, others): (Vec<_>, Vec<_>) =
        all.partition(|(outcome, _)| *outcome == Outcome::Broken);
    let same = others.iter().all(|(outcome, _)| *outcome == Outcome::Same);
    match broken.as_slice() {
        [(_, reason)] if same && seen.boots == 2 && reason.contains("nothing came for 13 s") => {
            no_qemu_is_left()
        }
        _ => Err(format!("{} boots, {broken:?}, {others:?}", seen.boots).into()),
    }
}

/// A machine that stands still for a while, as with a host that sleeps, changes nothing.
fn host_is_suspended(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.boot(lab.target(), options(), &mut |event| {
        if signal_first(event, Signal::SIGSTOP) {
            std::thread::sleep(Duration::from_secs(3));
            signal_first(event, Signal::SIGCONT);
        }
    })?;
    let all: Vec<_> = seen.records.values().map(trail_of).collect();
    match all.iter().all(|(outcome, _)| *outcome == Outcome::Same) && seen.boots == 1 {
        true => no_qemu_is_left(),
        false => Err(format!("{} boots, {all:?}", seen.boots).into()),
    }
}

/// QEMU has a seccomp filter and is nobody where we are root, whether it boots or restores.
fn qemu_is_confined(lab: &Lab) -> Result<(), Failed> {
    let accel = lab.suite(&lab.project)?.accel().map(|choice| choice.accel);
    let nobody = nix::unistd::geteuid().is_root() && accel == Some(Accel::Tcg);
    for begin in [Begin::Cold, Begin::Warm] {
        let mut seen = Vec::new();
        let options = Options {
            begin,
            ..faulty(Fault::Hang)
        };
        lab.boot(lab.target(), options, &mut |event| {
            if matches!(event, RunEvent::Running { scenario, .. } if scenario == FAULTY) {
                let status = |pid| fs::read_to_string(format!("/proc/{pid}/status"));
                seen.extend(own_qemu().into_iter().map(status));
            }
        })?;
        for status in &seen {
            let status = status.as_ref().map_err(|error| error.to_string())?;
            let filtered = status.contains("\nSeccomp:\t2\n");
            let dropped = status.contains("\nUid:\t64534\t64534\t64534\t64534\n")
                && status.contains("\nGid:\t64534\t64534\t64534\t64534\n")
                && status.contains("\nGroups:\t \n")
                && status.contains("\nCapEff:\t0000000000000000\n");
            if !filtered || (nobody && !dropped) {
                return Err(format!("{begin:?}: {status}").into());
            }
        }
        if seen.len() != 1 {
            return Err(format!("{begin:?}: {} QEMUs were seen", seen.len()).into());
        }
    }
    no_qemu_is_left()
}

fn kernel_is_truncated(lab: &Lab) -> Result<(), Failed> {
    let Some(Kernel::File(path)) = lab.target().kernel else {
        return Err("the table's kernels are files".into());
    };
    let whole = fs::read(&path).map_err(|error| error.to_string())?;
    let seen = lab.boot_kernel(&whole[..whole.len() / 2], &SCENARIOS, soon())?;
    seen.check_all_broken(&["before PID 1 came up", "QEMU says"])
}

fn kernel_never_reaches_pid_1(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.boot_kernel(&halting(), &SCENARIOS, soon())?;
    seen.check_all_broken(&[
        "nothing came for 2 s, before PID 1 came up",
        "the console is empty",
    ])
}
