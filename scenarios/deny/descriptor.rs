//! A listener denies (`FAN_DENY`) each event of a program that is executed by descriptor, in turn, one case per event. The
//! first case denies nothing.
//!
//! The first event is the caller's own open. Of these events it is the only one at which a refusal keeps the caller from
//! holding the file. The exec opens the file once more, and the listener can still deny that.
//!
//! Finding: kernels differ in comm after the point of no return, as in `start/fexecve`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of an exec by descriptor",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::descriptor("/usr/bin/true")?)?;
    Ok(())
}
