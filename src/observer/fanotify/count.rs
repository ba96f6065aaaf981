//! How many steps there have been, in memory that the monitor shares with those whom it watches.
//!
//! A child reads it when it makes its call, which tells what it opened before from what the call opened: the
//! monitor counts a step before it answers, so that whoever goes on has been counted. The words are mapped
//! once, before anybody is forked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

use crate::sys;

/// Both are numbers of steps; one more than that is in `call`, so that 0 says that there was none.
struct Words {
    steps: &'static AtomicU32,
    call: &'static AtomicU32,
}

static WORDS: OnceLock<Words> = OnceLock::new();

/// Maps the memory that everybody has who is forked from now on.
pub(super) fn share() -> Result<()> {
    let word = || sys::shared_word().context("failed to map memory for the number of steps");
    if WORDS.get().is_none() {
        let words = Words {
            steps: word()?,
            call: word()?,
        };
        // Nobody else can have set it: this process has one thread.
        let _ = WORDS.set(words);
    }
    Ok(())
}

/// Notes, in the monitor, that there have been so many steps.
pub(super) fn count(steps: usize) {
    if let Some(words) = WORDS.get() {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX - 1);
        words.steps.store(steps, Ordering::SeqCst);
    }
}

/// Forgets, in the launcher, when the last call was made.
pub fn forget_call() {
    if let Some(words) = WORDS.get() {
        words.call.store(0, Ordering::SeqCst);
    }
}

/// Notes, in the child, that it makes its call now; of several calls the first one counts.
pub fn note_call() {
    if let Some(words) = WORDS.get() {
        let now = words.steps.load(Ordering::SeqCst) + 1;
        let first = words.call;
        // When there was one, it stays.
        let _ = first.compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// How many steps there were before the call; 0 where none was noted.
pub fn steps_before_call() -> usize {
    let call = WORDS.get().map(|words| words.call.load(Ordering::SeqCst));
    call.map_or(0, |call| call.saturating_sub(1) as usize)
}
