//! What is to be done for one ask.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::unfinished::GivenUp;
use crate::cases;
use crate::need::{NAMED, Need};
use crate::scenario::{Hang, Registered, Scenario, System};
use crate::wire::{Ask, Written};

/// What makes files and executes programs.
pub type Doing<'a> = dyn Fn(&mut System) -> Result<()> + 'a;

/// What the runner does for one ask: code that it knows by its name, or data that it was sent.
pub struct Task<'a> {
    /// What it takes.
    pub needs: Vec<Need>,
    /// How long it may take.
    pub deadline: Duration,
    /// What a listener that hangs is.
    pub hang: Hang,
    /// What is wanted where it does not end.
    pub given_up: GivenUp,
    /// What makes files and starts programs.
    pub run: Box<Doing<'a>>,
}

impl Task<'_> {
    /// Finds it.
    pub fn of(ask: &Ask) -> Result<Task<'_>> {
        if let Some(case) = &ask.case {
            let needs = case.needs.iter().map(|name| {
                let found = NAMED.iter().find(|(known, _)| known == name);
                let found = found.map(|(_, need)| *need);
                found.with_context(|| format!("the guest knows no need {name}"))
            });
            return Ok(Task {
                needs: needs.collect::<Result<_>>()?,
                deadline: case
                    .deadline
                    .map_or(Scenario::DEFAULT.deadline, Duration::from_secs),
                hang: Hang::Fault,
                given_up: match ask.output {
                    Written::Sent => GivenUp::Seen,
                    Written::Dropped => GivenUp::Nothing,
                },
                run: Box::new(|system| cases::play(case, system)),
            });
        }
        let name = &ask.scenario;
        let registered = Registered::find(name);
        let found = registered.with_context(|| format!("the guest knows no scenario {name}"))?;
        Ok(Task {
            needs: found.scenario.needs.to_vec(),
            deadline: found.scenario.deadline,
            hang: found.scenario.hang,
            given_up: GivenUp::Nothing,
            run: Box::new(found.scenario.run),
        })
    }
}
