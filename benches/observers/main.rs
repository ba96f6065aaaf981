//! What it costs an exec to be watched, and which execs are caught while the machine is busy:
//! `cargo bench --profile dev --bench observers [-- WAY..]`.
//!
//! For each way of watching a guest of two CPUs is booted, which executes this program ([`inside`]): there
//! a small program is started again and again, first unwatched, then watched by an observer of
//! the suite, which no monitor holds anything for; then a hundred times beside two processes that compute.
//! Ways that look things up when they were told, or again and again, are raced for real ([`racers`]). What
//! is quoted is the ratio of a hundred execs in one guest, in CPU of the whole machine, read from outside while it does nothing;
//! under emulation the kernel's share of an exec is another than on hardware, and a ratio is no promise for it.
//!
//! - `-- record COMMIT` adds the results to `benches/results/observers.tsv`, from which `exetrail observers` shows
//!   them;
//! - `EXETRAIL_BENCH_KERNEL=7.3`: one kernel instead of 5.10, 6.12 and 7.3.

mod inside;
mod racers;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use exetrail::observer::OBSERVERS;

const KERNELS: &str = "5.10 6.12 7.3";
/// The observers that are not measured: an agent is a user's, and who polls is raced.
const LEFT_OUT: [&str; 2] = ["agent", "proc-poll"];

/// What is measured of one guest.
#[derive(Clone, Debug, PartialEq)]
struct Measured {
    /// What execs take that are watched, as a multiple of what they take otherwise.
    ratio: f64,
    /// What was caught of how many execs, by the name of what tells of them.
    caught: Vec<(String, usize, usize)>,
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let words: Vec<_> = words
        .into_iter()
        .filter(|word| *word != "--bench")
        .collect();
    if let ["inside", way] = words.as_slice() {
        inside::measure(way)?;
        return Ok(ExitCode::SUCCESS);
    }
    let observers = OBSERVERS.iter().map(|kind| kind.name);
    let observers = observers.filter(|name| !LEFT_OUT.contains(name));
    let all: Vec<&str> = observers.chain(racers::NAMES).collect();
    let (commit, ways) = match words.as_slice() {
        ["record", commit, ways @ ..] => (Some(*commit), ways),
        ways => (None, ways),
    };
    if let Some(unknown) = ways.iter().find(|way| !all.contains(way)) {
        bail!("{unknown:?} is no way of watching: {}", all.join(", "));
    }
    let kernels = std::env::var("EXETRAIL_BENCH_KERNEL");
    let kernels = kernels.unwrap_or_else(|_| KERNELS.to_owned());
    let mut code = ExitCode::SUCCESS;
    for kernel in kernels.split_ascii_whitespace() {
        println!("{kernel}\n");
        println!("{:<50} {:>6} {:>10}", "", "ratio", "caught");
        for way in all
            .iter()
            .filter(|way| ways.is_empty() || ways.contains(way))
        {
            if let Err(error) = one(kernel, way, commit) {
                println!("{way:<50} {error:#}");
                code = ExitCode::FAILURE;
            }
        }
        println!();
    }
    Ok(code)
}

/// Measures a way on a kernel, says it, and records it where there is a commit to record it for.
fn one(kernel: &str, way: &str, commit: Option<&str>) -> Result<()> {
    let measured = match boot(kernel, way)? {
        Ok(measured) => measured,
        Err(reason) => {
            println!("{way:<50} {reason}");
            return Ok(());
        }
    };
    let whose = racers::sign(way).unwrap_or(way);
    let ratio = measured.ratio;
    println!("{whose:<50} {ratio:>6.2}");
    let named = commit.unwrap_or_default();
    let mut lines = format!("{kernel}\t{named}\t{whose}\tratio\t{ratio:.2}\n");
    for (sign, caught, execs) in &measured.caught {
        println!("  {sign:<48} {:>6} {caught:>6} of {execs}", "");
        lines += &format!("{kernel}\t{named}\t{sign}\tcaught\t{caught}/{execs}\n");
    }
    if commit.is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results/observers.tsv");
        let context = || format!("failed to write {}", file.display());
        let out = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&file);
        let mut out = out.with_context(context)?;
        out.write_all(lines.as_bytes()).with_context(context)?;
    }
    Ok(())
}

/// Boots a guest that measures; why it cannot, where the kernel does not have what the way needs.
fn boot(kernel: &str, way: &str) -> Result<Result<Measured, String>> {
    let program = std::env::current_exe().context("failed to find this program")?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_exetrail"))
        .args(["boot", kernel, "--cpus", "2", "--timeout", "120", "--add"])
        .arg(format!("{}:/bench", program.display()))
        .args(["--", "/bench", "inside", way])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to run exetrail boot")?;
    let said = child.stdout.take().context("it has no output")?;
    let (mut marks, mut last) = (Vec::new(), String::new());
    for line in BufReader::new(said).lines() {
        last = line.context("failed to read what the guest says")?;
        if last == inside::MARK {
            marks.push(machine_cpu(child.id())?);
        }
    }
    let status = child.wait().context("failed to wait for exetrail boot")?;
    if let Some(reason) = last.strip_prefix("unsupported\t") {
        return Ok(Err(reason.to_owned()));
    }
    let [before, alone, between, beside] = marks[..] else {
        bail!("the guest says {} of four marks: {status}", marks.len());
    };
    let ratio = (beside - between).as_secs_f64() / (alone - before).as_secs_f64();
    let caught = caught(&last).filter(|_| status.success());
    let caught = caught.with_context(|| format!("the guest ends with {last:?}: {status}"))?;
    Ok(Ok(Measured { ratio, caught }))
}

/// The CPU that the machine has used which this process started.
fn machine_cpu(parent: u32) -> Result<Duration> {
    let mut all = Duration::ZERO;
    let children = format!("/proc/{parent}/task");
    for thread in fs::read_dir(&children).context("exetrail boot has ended")? {
        let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        for child in children.split_ascii_whitespace() {
            for thread in fs::read_dir(format!("/proc/{child}/task"))? {
                // Nanoseconds on a CPU come first (proc_pid_schedstat in fs/proc/base.c).
                let ran = fs::read_to_string(thread?.path().join("schedstat"))?;
                let ran = ran.split(' ').next().and_then(|ran| ran.parse().ok());
                all += Duration::from_nanos(ran.context("no time on a CPU")?);
            }
        }
    }
    Ok(all)
}

/// `caught`, and then `SIGN`, `CAUGHT` and `EXECS` for each.
fn caught(line: &str) -> Option<Vec<(String, usize, usize)>> {
    let mut words = line.split('\t');
    words.next().filter(|word| *word == "caught")?;
    let words: Vec<&str> = words.collect();
    let caught = words.chunks(3).map(|one| match one {
        [sign, caught, execs] => Some((
            (*sign).to_owned(),
            caught.parse().ok()?,
            execs.parse().ok()?,
        )),
        _ => None,
    });
    caught.collect()
}
