//! Timers that belong to a process: interval timers and POSIX timers.

use nix::errno::Errno;
use nix::libc;

/// The three interval timers (setitimer(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// `ITIMER_REAL`, SIGALRM.
    Real,
    /// `ITIMER_VIRTUAL`, SIGVTALRM.
    Virtual,
    /// `ITIMER_PROF`, SIGPROF.
    Profiling,
}

/// Arms an interval timer once.
///
/// # Errors
///
/// What setitimer says.
pub fn arm_interval(which: Interval, microseconds: i64) -> nix::Result<()> {
    let which = match which {
        Interval::Real => libc::ITIMER_REAL,
        Interval::Virtual => libc::ITIMER_VIRTUAL,
        Interval::Profiling => libc::ITIMER_PROF,
    };
    let value = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: microseconds / 1_000_000,
            tv_usec: microseconds % 1_000_000,
        },
    };
    // SAFETY: the value is valid; null asks for no old one.
    Errno::result(unsafe { libc::setitimer(which, &raw const value, std::ptr::null_mut()) })
        .map(drop)
}

/// Makes a POSIX timer that sends this signal, and arms it once (timer_create(2)).
///
/// # Errors
///
/// What timer_create or timer_settime says.
pub fn arm_timer(signal: i32, nanoseconds: i64) -> nix::Result<()> {
    // SAFETY: all zeros is a valid sigevent and a valid itimerspec; the calls fill or read them.
    let result = unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        let mut timer: i32 = 0;
        let call = libc::SYS_timer_create;
        let made = libc::syscall(call, libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
        Errno::result(made)?;
        let mut time: libc::itimerspec = std::mem::zeroed();
        time.it_value.tv_sec = nanoseconds / 1_000_000_000;
        time.it_value.tv_nsec = nanoseconds % 1_000_000_000;
        let none = std::ptr::null_mut::<libc::itimerspec>();
        libc::syscall(libc::SYS_timer_settime, timer, 0, &raw const time, none)
    };
    Errno::result(result).map(drop)
}

/// A timer that kills this process unless it is put off in time (timer_create(2) with SIGKILL).
///
/// The kernel delivers it to a process that is stopped, traced or frozen (cgroup v2) as well.
/// It is gone with the process, or when dropped.
#[derive(Debug)]
pub struct DeadMan {
    timer: i32,
}

impl DeadMan {
    /// Makes one that is not armed.
    ///
    /// # Errors
    ///
    /// What timer_create says.
    pub fn new() -> nix::Result<DeadMan> {
        let mut timer: i32 = 0;
        // SAFETY: all zeros is a valid sigevent; the call reads it and fills the timer's id.
        let made = unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_SIGNAL;
            event.sigev_signo = libc::SIGKILL;
            let call = libc::SYS_timer_create;
            libc::syscall(call, libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer)
        };
        Errno::result(made).map(|_| DeadMan { timer })
    }

    /// Has it kill this process so many milliseconds from now, and not before.
    ///
    /// # Errors
    ///
    /// What timer_settime says.
    pub fn put_off(&self, milliseconds: i64) -> nix::Result<()> {
        // SAFETY: all zeros is a valid itimerspec, which the call reads; null asks for no old one.
        let set = unsafe {
            let mut time: libc::itimerspec = std::mem::zeroed();
            time.it_value.tv_sec = milliseconds / 1000;
            time.it_value.tv_nsec = milliseconds % 1000 * 1_000_000;
            let none = std::ptr::null_mut::<libc::itimerspec>();
            let call = libc::SYS_timer_settime;
            libc::syscall(call, self.timer, 0, &raw const time, none)
        };
        Errno::result(set).map(drop)
    }
}

impl Drop for DeadMan {
    fn drop(&mut self) {
        // SAFETY: the call takes an integer, the id of a timer of this process.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.timer) };
    }
}
