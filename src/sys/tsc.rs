//! The time stamp counter.

/// What the CPU's time stamp counter says (RDTSC).
#[must_use]
pub fn time_stamp() -> u64 {
    // SAFETY: every x86-64 has the instruction, and Linux forbids it to nobody who has not asked for that (PR_SET_TSC).
    unsafe { core::arch::x86_64::_rdtsc() }
}
