//! `exetrail bisect-step`: one step of `git bisect run` in a kernel tree.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};

use super::output::written;
use super::{live, targets};
use crate::arch::QEMU;
use crate::diff::{Comparison, Form, Side};
use crate::project::Project;
use crate::scenario::{Registered, select};
use crate::suite::{ReadyKernel, Wanted};
use crate::trail::{self, KernelId, Outcome, Trail};
use crate::view::{Record, TRAIL};

/// The status with which git-bisect(1) aborts: a wrong call, or a failure of ours.
pub const ABORT: u8 = 128;
/// The status with which git-bisect(1) skips a revision.
const SKIP: u8 = 125;

/// Arguments of `exetrail bisect-step`.
///
/// Exit status: 0 as the baseline, 1 different, 125 this kernel cannot tell (it does not boot, or
/// lacks what a scenario needs), 128 a wrong call or a failure of ours.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status, for git bisect run: 0 as the baseline; 1 different; 125 this \
    kernel cannot tell, because it does not boot or lacks what a scenario needs; 128 a wrong call \
    or a failure of ours, which aborts the bisection."
)]
pub struct Args {
    /// The kernel of the table whose snapshots are held against it, whatever it is
    #[arg(long, value_name = "KERNEL")]
    baseline: KernelId,
    /// The build: a bzImage, a vmlinux, a build tree or a Debian package
    #[arg(short, long = "kernel", value_name = "IMAGE")]
    kernel: PathBuf,
    /// Where its modules are
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Scenarios by name, family or glob
    #[arg(value_name = "SCENARIO", required = true)]
    scenarios: Vec<String>,
}

/// Runs, compares, and answers git.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    if project.table.find(&args.baseline).is_none() {
        bail!(
            "there is no kernel \"{}\" to compare with: the table has {}",
            args.baseline,
            project.table.ids()
        );
    }
    let scenarios = select(&args.scenarios)?;
    let expected = scenarios
        .iter()
        .map(|scenario| expected(&project, &args.baseline, scenario))
        .collect::<Result<Vec<_>>>()?;
    let target = find(&project, args)?;
    qemu_is_there()?;
    let mut found = live::observe(&project, std::slice::from_ref(&target), &scenarios, TRAIL)?;
    let records = found.pop().unwrap_or_default();
    let mut verdict = Verdict::Same;
    let mut out = std::io::stdout().lock();
    for (scenario, (owner, expected)) in scenarios.iter().zip(&expected) {
        let record = records
            .iter()
            .find(|record| record.scenario == scenario.name)
            .context("a scenario ended without a result")?;
        let found = one(&args.baseline, record, (owner, expected), &mut out)?;
        verdict = verdict.max(found);
    }
    Ok(ExitCode::from(verdict.status()))
}

/// What one scenario says; a difference outweighs what could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Same,
    CannotTell,
    Changed,
}

impl Verdict {
    /// The status by which git-bisect(1) hears of it.
    fn status(self) -> u8 {
        match self {
            Verdict::Same => 0,
            Verdict::CannotTell => SKIP,
            Verdict::Changed => 1,
        }
    }
}

fn find(project: &Project, args: &Args) -> Result<ReadyKernel> {
    let word = args.kernel.to_string_lossy();
    Wanted::check_modules(project, [&*word], args.modules.as_deref())?;
    targets::ready(project, &word, args.modules.as_deref())
}

fn expected(project: &Project, id: &KernelId, scenario: &Registered) -> Result<(KernelId, Trail)> {
    let files = project.store().load(scenario.name, TRAIL)?;
    let lineage = project.table.lineage();
    let (owner, text) = lineage.at(id, &files).with_context(|| {
        format!(
            "there is no snapshot of {} that applies to {id}",
            scenario.name
        )
    })?;
    Ok((owner.clone(), trail::parse(text)?))
}

/// Holds one record against the snapshot that applies to the baseline, and says what comes of it.
fn one(
    baseline: &KernelId,
    record: &Record,
    (owner, expected): (&KernelId, &Trail),
    out: &mut dyn Write,
) -> Result<Verdict> {
    let (name, release) = (&record.scenario, &record.kernel.release);
    if let Some(trail) = record.trail() {
        let old = Side {
            kernel: baseline.to_string(),
            source: format!("snapshot of {owner}"),
        };
        let new = Side {
            kernel: release.to_owned(),
            source: "this build".to_owned(),
        };
        let comparison = Comparison::new(name, (old, expected), (new, trail));
        if comparison.is_different() {
            written(write!(out, "{}", comparison.show(Form::Text)))?;
            return Ok(Verdict::Changed);
        }
        written(writeln!(out, "{name}: same"))?;
        return Ok(Verdict::Same);
    }
    let seen = record.of(TRAIL).context("a record without a trail")?;
    let reason = seen.reason.as_deref().unwrap_or("no reason was given");
    if seen.outcome == Outcome::Unsupported || seen.went_with_its_guest() {
        written(writeln!(out, "{name}: {release} cannot tell: {reason}"))?;
        return Ok(Verdict::CannotTell);
    }
    bail!("{name} failed on {release}: {reason}")
}

/// Without QEMU every revision would look as if it did not boot.
fn qemu_is_there() -> Result<()> {
    let mut command = Command::new(QEMU);
    let status = command.arg("--version").stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("failed to run {QEMU}: is it installed?"))?;
    if !status.success() {
        bail!("{QEMU} --version ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::record;

    /// What is made of a record, by the status or by why there is none.
    fn judged(record: &Record, expected: &str) -> (Result<u8, String>, String) {
        let id: KernelId = "6.1".parse().unwrap();
        let expected = trail::parse(expected).unwrap();
        let mut out = Vec::new();
        let verdict = one(&id, record, (&id, &expected), &mut out);
        let verdict = verdict.map(Verdict::status);
        (
            verdict.map_err(|error| error.to_string()),
            String::from_utf8(out).unwrap(),
        )
    }

    #[test]
    fn a_build_is_good_bad_or_cannot_tell() {
        let same = record("start/a", "6.12", Outcome::Same);
        let text = same.seen[0].text().unwrap();
        let (status, told) = judged(&same, &text);
        assert_eq!((status, told.as_str()), (Ok(0), "start/a: same\n"));
        let (status, told) = judged(&same, "start p1 by launcher: execve /another\n");
        assert_eq!(status, Ok(1));
        assert!(told.contains("snapshot of 6.1"), "{told}");
        let lacks = record("start/a", "6.12", Outcome::Unsupported);
        let (status, told) = judged(&lacks, &text);
        assert_eq!(status, Ok(SKIP));
        assert!(told.contains("cannot tell: because"), "{told}");
        let failed = record("start/a", "6.12", Outcome::Broken);
        let (status, _) = judged(&failed, &text);
        assert!(status.unwrap_err().starts_with("start/a failed on 6.12"));
    }

    #[test]
    fn a_difference_outweighs_what_could_not_be_told() {
        assert_eq!(Verdict::CannotTell.max(Verdict::Changed), Verdict::Changed);
    }
}
