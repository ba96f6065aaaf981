//! Kernels times scenarios: runs what was asked for, in machines or natively, and judges what was
//! seen.
//!
//! The command line and the test harness both stand on this. [`Suite::run`] gives every kernel a
//! boot (several side by side), hands out one [`Record`](crate::view::Record) after the other and
//! puts what a dead guest did not come to into a fresh boot.

mod cases;
mod guest;
mod judge;
mod kernel;
mod machine;
mod modules;
mod named;
mod observe;
mod pass;
mod run;
mod seen;
mod stop;
mod talk;
mod verdict;

pub use cases::{Cases, Tally};
pub use judge::judge_again;
pub use kernel::{NATIVE, ReadyKernel, Wanted};
pub use machine::Begin;
pub use observe::{ALL, Asked, USUAL, VARIABLE, asked_by_environment, observed};
pub use run::{Bench, Brought, Options, RunEvent, Suite, Work};
pub use stop::Stop;
pub use talk::Talk;
