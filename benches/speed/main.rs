//! What runs cost, in CPU seconds and as multiples of a boot: `cargo bench --profile dev --bench speed`.
//!
//! In each round every row is measured once, one after the other, after a boot of the same kernel to an
//! init that leaves; the figures are medians of five rounds. Quote the ratio: seconds depend on the
//! machine, and those of the clock on whoever else works there. The CPU is that of QEMU and of this
//! process.
//!
//! - `-- observers`: what each further observer adds to `start/`, medians of three;
//! - `-- record COMMIT` adds the ratios to `benches/results/cpu.tsv`, a line for each row;
//! - `-- check` measures the rows that take little time, and fails when a ratio is more than 1.3 times the last
//!   recorded one, and is so when all of it is measured once more: whoever else works on the machine makes a boot or
//!   what is restored dearer for a minute, and what we made slower stays so;
//! - `EXETRAIL_BENCH_KERNEL=7.3`: another kernel than 6.12.

mod bare;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use exetrail::project::{Project, cache_directory};
use exetrail::scenario::{Registered, select};
use exetrail::suite::{Begin, Options, ReadyKernel, RunEvent, Stop, Suite, USUAL, Wanted, Work};
use exetrail::trail::Outcome;
use exetrail::view::{AGENT, Record, TRAIL, VIEWS, ViewName};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// How often each row is measured.
const ROUNDS: usize = 5;
/// The same for the observers, whose rows are long.
const LONG_ROUNDS: usize = 3;
/// What a ratio may grow by.
const SLACK: f64 = 1.3;
const SIX: [&str; 6] = [
    "start/core_pattern_kworker",
    "start/direct_ldso",
    "start/fexecve",
    "start/ld_preload",
    "start/normal",
    "start/shebang",
];

/// One row.
struct Row {
    name: String,
    scenarios: Vec<&'static Registered>,
    begin: Begin,
    observe: Vec<ViewName>,
    /// Whether CI measures it: what a boot costs is in one of these, what a start costs in another.
    quick: bool,
}

impl Row {
    fn new(name: &str, scenarios: &[&str], begin: Begin) -> Result<Row> {
        let words: Vec<_> = scenarios.iter().map(ToString::to_string).collect();
        Ok(Row {
            name: name.to_owned(),
            scenarios: select(&words)?,
            begin,
            observe: USUAL.to_vec(),
            quick: false,
        })
    }

    fn quick(self) -> Row {
        Row {
            quick: true,
            ..self
        }
    }

    fn observing(self, observe: &[ViewName]) -> Row {
        Row {
            observe: observe.to_vec(),
            ..self
        }
    }
}

/// What a run costs under trail and stages.
fn rows() -> Result<Vec<Row>> {
    Ok(vec![
        Row::new("one scenario, cold", &["start/normal"], Begin::Cold)?.quick(),
        Row::new("one scenario, warm", &["start/normal"], Begin::Warm)?.quick(),
        Row::new("the first six, cold", &SIX, Begin::Cold)?,
        Row::new("the first six, warm", &SIX, Begin::Warm)?.quick(),
        Row::new("start, warm", &["start"], Begin::Warm)?,
        Row::new("contract, warm", &["contract"], Begin::Warm)?,
    ])
}

/// What each further observer costs beside trail and stages, and the stages beside the trail.
fn of_observers() -> Result<Vec<Row>> {
    let row = |name: &str, observe: &[ViewName]| -> Result<Row> {
        Ok(Row::new(name, &["start"], Begin::Warm)?.observing(observe))
    };
    let mut rows = vec![
        row("start, trail alone", &[TRAIL])?,
        row("start, and stages", &USUAL)?,
    ];
    let further = VIEWS.iter().map(|view| view.name());
    // An agent is a user's.
    for name in further.filter(|name| !USUAL.contains(name) && *name != AGENT) {
        rows.push(row(
            &format!("and {name}"),
            &[&USUAL[..], &[name]].concat(),
        )?);
    }
    Ok(rows)
}

/// What is wanted of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish<'a> {
    Show,
    Observers,
    Check,
    /// For a commit.
    Record(&'a str),
}

impl<'a> Wish<'a> {
    /// Before anything is booted: all of it takes minutes.
    fn of(words: &[&'a str]) -> Result<Wish<'a>> {
        match words {
            [] => Ok(Wish::Show),
            ["observers"] => Ok(Wish::Observers),
            ["check"] => Ok(Wish::Check),
            ["record", commit] => Ok(Wish::Record(commit)),
            other => bail!("{other:?} is nothing to do: observers, check, or record COMMIT"),
        }
    }

    /// The rows that are measured, and how often.
    fn rows(self) -> Result<(Vec<Row>, usize)> {
        let (mut rows, rounds) = match self {
            Wish::Observers => (of_observers()?, LONG_ROUNDS),
            Wish::Show | Wish::Check | Wish::Record(_) => (rows()?, ROUNDS),
        };
        rows.retain(|row| self != Wish::Check || row.quick);
        Ok((rows, rounds))
    }
}

/// What one run took.
#[derive(Clone, Copy)]
struct Cost {
    clock: f64,
    cpu: f64,
    starts: usize,
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let wish = Wish::of(&arguments)?;
    let (rows, rounds) = wish.rows()?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("benches/results/cpu.tsv");
    let stop = Stop::listen()?;
    let project = Project::open_at(Some(root), cache_directory()?)?;
    let id = std::env::var("EXETRAIL_BENCH_KERNEL").unwrap_or_else(|_| "6.12".to_owned());
    if wish == Wish::Check {
        // What is not recorded is said before anything is booted.
        let none: Vec<_> = rows.iter().map(|row| (row.name.as_str(), 0.0)).collect();
        above(&file, &id, &none)?;
    }
    let Wanted::Ready(target) =
        Wanted::of_table(&project, &id.parse().map_err(anyhow::Error::msg)?)?
    else {
        bail!("kernel {id} is not fetched: vm/setup {id} fetches it");
    };
    let program = Path::new(env!("CARGO_BIN_EXE_exetrail"));
    let suite = Suite::prepare(&project, program, &target, &stop)?;
    let accel = suite.accel().context("nothing that is booted")?.accel;

    // States are made before anything is measured.
    for row in rows.iter().filter(|row| row.begin == Begin::Warm) {
        run(&suite, &target, row, &stop)?;
    }
    let series = || -> Result<Series> {
        let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); rows.len()];
        let mut boots = Vec::new();
        for _ in 0..rounds {
            boots.push(measure(|| bare::boot(&target, accel, &stop).map(|()| 0))?);
            for (row, costs) in rows.iter().zip(&mut costs) {
                costs.push(measure(|| run(&suite, &target, row, &stop))?);
            }
        }
        Ok(Series { boots, costs })
    };
    let first = series()?;
    println!("{id}, medians of {rounds} rounds\n");
    first.show(&rows);
    let ratios = first.ratios(&rows);
    match wish {
        Wish::Show | Wish::Observers => Ok(ExitCode::SUCCESS),
        Wish::Check => {
            let mut above = above(&file, &id, &ratios)?;
            if !above.is_empty() {
                println!("all of it once more");
                let still = self::above(&file, &id, &series()?.ratios(&rows))?;
                above.retain(|name| still.contains(name));
            }
            Ok(match above.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
        Wish::Record(commit) => record(&file, &id, commit, &ratios).map(|()| ExitCode::SUCCESS),
    }
}

/// What was measured in all rounds.
struct Series {
    boots: Vec<Cost>,
    /// By row.
    costs: Vec<Vec<Cost>>,
}

impl Series {
    /// CPU seconds of each row, as multiples of a boot.
    fn ratios<'a>(&self, rows: &'a [Row]) -> Vec<(&'a str, f64)> {
        let boot = median(&self.boots, |cost| cost.cpu);
        let all = rows.iter().zip(&self.costs);
        all.map(|(row, costs)| (row.name.as_str(), median(costs, |cost| cost.cpu) / boot))
            .collect()
    }

    fn show(&self, rows: &[Row]) {
        println!(
            "{:<22} {:>8} {:>8} {:>8} {:>12}",
            "", "clock s", "CPU s", "boots", "CPU/start ms"
        );
        let two = |costs: &[Cost]| {
            (
                median(costs, |cost| cost.clock),
                median(costs, |cost| cost.cpu),
            )
        };
        let (clock, cpu) = two(&self.boots);
        println!("{:<22} {clock:>8.2} {cpu:>8.2} {:>8.2}", "a boot", 1.0);
        for ((name, ratio), costs) in self.ratios(rows).iter().zip(&self.costs) {
            let (clock, cpu) = two(costs);
            let each = 1000.0 * cpu / costs[0].starts.max(1) as f64;
            println!("{name:<22} {clock:>8.2} {cpu:>8.2} {ratio:>8.2} {each:>12.1}");
        }
    }
}

/// Runs scenarios; how many programs were started.
fn run(suite: &Suite, target: &ReadyKernel, row: &Row, stop: &Stop) -> Result<usize> {
    let work = Work {
        target: target.clone(),
        scenarios: row.scenarios.clone(),
    };
    let options = Options {
        begin: row.begin,
        observe: row.observe.clone(),
        jobs: 1,
        ..Options::default()
    };
    let (mut starts, mut records, mut broken) = (0, 0, None);
    suite.run(&[work], &options, stop, &mut |event| {
        if let RunEvent::Recorded { record, .. } = event {
            records += 1;
            starts += record.trail().map_or(0, |trail| trail.cases.len().max(1));
            broken = broken.take().or_else(|| why_broken(&record));
        }
    });
    // A guest that dies early is cheap.
    if let Some(reason) = broken {
        bail!("{}: {reason}", row.name);
    }
    let wanted = row.scenarios.len();
    ensure!(
        records == wanted,
        "{}: {records} of {wanted} scenarios came to an end",
        row.name
    );
    ensure!(starts > 0, "{}: nothing was started", row.name);
    Ok(starts)
}

/// Why a scenario is broken, with its name; none where it is not.
fn why_broken(record: &Record) -> Option<String> {
    let mut seen = record.seen.iter();
    let broken = seen.find(|seen| seen.outcome == Outcome::Broken)?;
    let reason = broken.reason.as_deref().unwrap_or("nobody says why");
    let (scenario, view) = (&record.scenario, broken.view);
    Some(format!("{scenario} is broken in the view {view}: {reason}"))
}

fn measure(act: impl FnOnce() -> Result<usize>) -> Result<Cost> {
    let (clock, cpu) = (Instant::now(), cpu_time()?);
    let starts = act()?;
    Ok(Cost {
        clock: clock.elapsed().as_secs_f64(),
        cpu: (cpu_time()? - cpu).as_secs_f64(),
        starts,
    })
}

/// CPU of this process and of all that it has reaped.
fn cpu_time() -> Result<Duration> {
    let mut all = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who).context("failed to ask for CPU times")?;
        for time in [usage.user_time(), usage.system_time()] {
            all += duration(time);
        }
    }
    Ok(all)
}

fn duration(time: TimeVal) -> Duration {
    let seconds = time.tv_sec().unsigned_abs();
    Duration::from_secs(seconds) + Duration::from_micros(time.tv_usec().unsigned_abs())
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<_> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The last line of a kernel and a row: `KERNEL, COMMIT, ROW, RATIO`, parted by tabs.
fn last(text: &str, id: &str, row: &str) -> Option<f64> {
    let mut lines = text
        .lines()
        .rev()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    lines.find_map(|fields| match fields.as_slice() {
        [kernel, _, name, ratio] if *kernel == id && *name == row => ratio.parse().ok(),
        _ => None,
    })
}

/// The rows whose ratio is too far above the last that was recorded; each is told.
fn above<'a>(file: &Path, id: &str, ratios: &[(&'a str, f64)]) -> Result<Vec<&'a str>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("failed to read {}", file.display()))?;
    let mut above = Vec::new();
    for (name, ratio) in ratios {
        let Some(recorded) = last(&text, id, name) else {
            bail!("{name} has no recorded ratio on {id}: record one with -- record COMMIT");
        };
        if *ratio > SLACK * recorded {
            println!("{name}: {ratio:.2} boots, recorded are {recorded:.2}: too slow");
            above.push(*name);
        }
    }
    Ok(above)
}

fn record(file: &Path, id: &str, commit: &str, ratios: &[(&str, f64)]) -> Result<()> {
    let context = || format!("failed to write {}", file.display());
    let mut out = std::fs::File::options()
        .create(true)
        .append(true)
        .open(file)
        .with_context(context)?;
    for (name, ratio) in ratios {
        writeln!(out, "{id}\t{commit}\t{name}\t{ratio:.2}").with_context(context)?;
    }
    Ok(())
}
