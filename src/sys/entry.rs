//! What a program finds before the standard library has run: it ignores SIGPIPE, handles SIGSEGV
//! and SIGBUS and sets an alternate stack before `main`, and would hide what exec left.

use std::ffi::CStr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;

/// The variable that asks a program of ours for its state; without it nothing is looked at.
pub const STATE: &CStr = c"EXETRAIL_STATE";

/// What could be changed before `main`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `/proc/self/status` (proc_pid_status(5)).
    pub status: String,
    /// Whether there is an alternate stack for signals (sigaltstack(2)).
    pub alternate_stack: bool,
}

static AT_ENTRY: OnceLock<Entry> = OnceLock::new();

impl Entry {
    /// How it is now.
    #[must_use]
    pub fn now() -> Entry {
        Entry {
            status: std::fs::read_to_string("/proc/self/status").unwrap_or_default(),
            alternate_stack: alternate_stack().unwrap_or(false),
        }
    }

    /// How it was when this program began; none when nobody asked for it.
    #[must_use]
    pub fn at_start() -> Option<&'static Entry> {
        AT_ENTRY.get()
    }
}

/// Run by the C library in front of everything that Rust does.
#[used]
// SAFETY: the section holds pointers to functions that the C library calls once, one by one.
#[unsafe(link_section = ".init_array")]
static EARLY: extern "C" fn() = early;

extern "C" fn early() {
    // SAFETY: the name ends with a NUL, and no other thread is there yet that could change it.
    let asked = unsafe { !libc::getenv(STATE.as_ptr()).is_null() };
    if asked {
        AT_ENTRY.get_or_init(Entry::now);
    }
}

fn alternate_stack() -> nix::Result<bool> {
    // SAFETY: all zeros is a valid stack_t, which the call fills; null sets nothing.
    let stack = unsafe {
        let mut stack: libc::stack_t = std::mem::zeroed();
        Errno::result(libc::sigaltstack(std::ptr::null(), &raw mut stack))?;
        stack
    };
    Ok(stack.ss_flags & libc::SS_DISABLE == 0)
}

/// Which of the three interval timers run: real, virtual and profiling (getitimer(2)).
///
/// # Errors
///
/// What getitimer says.
pub fn interval_timers() -> nix::Result<[bool; 3]> {
    let mut armed = [false; 3];
    let kinds = [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF];
    for (armed, kind) in armed.iter_mut().zip(kinds) {
        // SAFETY: all zeros is a valid itimerval, which the call fills.
        let value = unsafe {
            let mut value: libc::itimerval = std::mem::zeroed();
            Errno::result(libc::getitimer(kind, &raw mut value))?;
            value
        };
        *armed = value.it_value.tv_sec != 0 || value.it_value.tv_usec != 0;
    }
    Ok(armed)
}

/// prctl(2) with an option that takes a number or nothing.
///
/// # Errors
///
/// What prctl says.
pub fn prctl(option: i32, argument: u64) -> nix::Result<i32> {
    // SAFETY: only options without a pointer are asked for here; all arguments are integers.
    Errno::result(unsafe { libc::prctl(option, argument, 0, 0, 0) })
}

/// The signal that comes when the parent ends, 0 for none (prctl(2), `PR_GET_PDEATHSIG`).
///
/// # Errors
///
/// What prctl says.
pub fn death_signal() -> nix::Result<i32> {
    let mut signal = 0;
    // SAFETY: the option wants the address of an integer.
    Errno::result(unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) })?;
    Ok(signal)
}
