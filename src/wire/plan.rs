//! What a guest is asked to do: it stands in its image as `/exetrail/plan.json`, or comes as an order.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::case::Case;

/// Everything that a guest needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestPlan {
    /// What to do.
    pub job: Job,
    /// Faults to commit, by scenario: how the tests of the host's side get a guest that fails.
    #[serde(default)]
    pub faults: BTreeMap<String, Fault>,
    /// Instead of a scenario's own deadline, in milliseconds, by its name.
    #[serde(default)]
    pub deadlines_ms: BTreeMap<String, u64>,
    /// An agent that a user brings: it is started before the first scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentCommand>,
}

/// A program of a user's that says what it sees (`docs/observer-protocol.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCommand {
    /// What bash is to run.
    pub command: String,
    /// Directories in which it is looked for first.
    pub path: Vec<String>,
    /// How many seconds it may take until it is ready.
    pub ready_s: u64,
}

impl AgentCommand {
    /// How many seconds that are where nothing else is asked for.
    pub const READY_S: u64 = 15;

    /// How long it may take until it is ready.
    #[must_use]
    pub fn ready(&self) -> Duration {
        Duration::from_secs(self.ready_s)
    }
}

/// What a guest is told over the record channel that has no plan in its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Set these observers up, and be ready again.
    Prepare(Vec<String>),
    /// Follow a plan.
    Run {
        /// The plan.
        plan: GuestPlan,
        /// The time of day, since 1970: a machine that was saved has slept.
        now: Duration,
        /// What nobody else knows: machines that were saved once have the same random state.
        #[serde(with = "super::bytes")]
        seed: Vec<u8>,
    },
}

/// One scenario that a guest is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Its name.
    pub scenario: String,
    /// The observers that are armed for it.
    pub observe: Vec<String>,
    /// What is played, where the guest does not know the scenario by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Box<Case>>,
    /// What becomes of what its programs write.
    #[serde(default, skip_serializing_if = "is_dropped")]
    pub output: Written,
}

/// What becomes of what programs write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Written {
    /// Nothing: they write to `/dev/null`.
    #[default]
    Dropped,
    /// The end of it is sent, and of a program that does not end what was seen until then.
    Sent,
}

fn is_dropped(output: &Written) -> bool {
    *output == Written::Dropped
}

impl Default for GuestPlan {
    /// Nothing but to come up.
    fn default() -> GuestPlan {
        GuestPlan {
            job: Job::Scenarios(Vec::new()),
            faults: BTreeMap::new(),
            deadlines_ms: BTreeMap::new(),
            agent: None,
        }
    }
}

/// What a guest does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Job {
    /// Run these scenarios, in this order.
    Scenarios(Vec<Ask>),
    /// Play the generated cases of these seeds.
    Cases {
        /// One seed a case.
        seeds: std::ops::Range<u64>,
        /// What the model was told is sent as well.
        #[serde(default)]
        keep: bool,
    },
    /// Run one command.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// Where its input comes from.
        input: Input,
        /// Paths that are sent back when it has ended.
        fetch: Vec<String>,
        /// What becomes PID 1 beside it, in the place of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        init: Option<String>,
    },
}

/// Where the input of a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Nowhere.
    None,
    /// The third serial port, where the host sends a [`super::Chunk`] for each
    /// [`super::Message::More`].
    Host,
    /// A person's terminal on the third serial port, which takes the output as well.
    Terminal {
        /// Its size in characters, which no serial port tells.
        rows: u16,
        /// As for `rows`.
        columns: u16,
    },
}

/// A fault that the guest commits when it comes to a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// Panic the kernel by sysrq.
    Panic,
    /// PID 1 stops for ever.
    Hang,
    /// The launcher stops for ever.
    Stuck,
    /// The monitor stops for ever while it holds an event.
    Wedge,
    /// The channel ends in the middle of a record.
    Cut,
    /// The kernel's trace loses lines.
    Lost,
    /// Somebody else begins to trace the kernel.
    Traced,
}
