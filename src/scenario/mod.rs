//! What a scenario file is written with.
//!
//! A scenario declares its summary and needs as data and does its work through a [`System`]. The
//! registry finds every file below `scenarios/`; adding one touches no other code.

mod args;
mod capability;
mod claim;
mod container;
mod disk;
mod edge;
mod ends;
mod errno;
mod exec;
mod execs;
mod held;
mod kmsg;
mod launch;
mod listener;
mod look;
pub mod needs;
mod obstacle;
mod pair;
mod pending;
mod premise;
mod registry;
mod seen;
mod shortage;
mod siblings;
mod submit;
mod system;
mod traced;

use std::time::Duration;

pub use crate::elf::{Elf, Flaw};
pub use crate::model::Closed;
pub use crate::need::{Host, KernelFacts, Need, own_capabilities};
pub use crate::subject::{DISGUISE_FD, OPENED, Role};
pub use args::Args;
pub use capability::{NET_RAW, give_net_raw};
pub use claim::Evidence;
pub use container::Container;
pub use disk::{DISK, Disk};
pub use edge::Search;
pub use errno::ErrnoClaim;
pub use exec::{Exec, USER};
pub use execs::{Execs, keep_counting};
pub use held::{held, held_by};
pub use kmsg::KernelLog;
pub use listener::{
    Listener, Refuses, answer, fork_start, hear, hear_of, hear_program, prepared, reap,
};
pub use look::{FileView, Inspected, running_kernel};
pub use obstacle::{Obstacle, come_first, company};
pub use pair::Pair;
pub use pending::until_pending;
pub use premise::Premise;
pub use registry::{LIES, Registered, close, select, use_instead};
pub use seen::Seen;
pub use shortage::{enter_memory_group, make_memory_group, remove_memory_group, without_memory};
pub use siblings::{beside, in_thread, its_turn, open, share_descriptors, while_copied};
pub use submit::submit;
pub use system::{LaunchEnding, Reply, Request, System};
pub use traced::{Hold, traced};

/// The events of `/usr/bin/true` in their order, for scenarios that do something at each in turn.
pub const EVENTS_OF_TRUE: [&str; 6] = [
    "execute of the program",
    "open of the program",
    "execute of the loader",
    "open of the loader",
    "open of the cache",
    "open of libc",
];

/// One way to start a program.
#[derive(Debug)]
pub struct Scenario {
    /// One line for lists.
    pub summary: &'static str,
    /// What the kernel and the lab must have; checked before it runs, on both sides.
    pub needs: &'static [Need],
    /// Parts of the fixture that it starts or loads something of, beside the base
    /// (`vm/fixture.toml`).
    pub parts: &'static [&'static str],
    /// How long it may take from one watched start to the next; it is broken then.
    pub deadline: Duration,
    /// What it is when the listener itself hangs.
    pub hang: Hang,
    /// What the model does not predict of it.
    pub unpredicted: Option<&'static str>,
    /// The root that its programs have moved to, as it is called from the initial one; none where the same path leads
    /// to another file there.
    pub root: Option<&'static str>,
    /// Its work.
    pub run: fn(&mut System) -> anyhow::Result<()>,
}

/// What a listener is that hangs inside the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// A fault: the scenario is broken.
    Fault,
    /// Part of what is observed: some kernel is known to let the listener wait for itself.
    Observed,
}

impl Scenario {
    /// Needs nothing, ends in 20 s (under emulation), does nothing.
    pub const DEFAULT: Scenario = Scenario {
        summary: "",
        needs: &[],
        parts: &[],
        deadline: Duration::from_secs(20),
        hang: Hang::Fault,
        unpredicted: None,
        root: None,
        run: |_| Ok(()),
    };
}
