//! A disk that is full at any write of what somebody wants to keep: it is said, and nothing is lost or half written.
//!
//! Each trial gives the command a tmpfs with what was there before, in a mount namespace of its own, and a little more
//! room each time, until it has enough.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context as _, Result, bail, ensure};
use exetrail::files;
use libtest_mimic::Failed;

use super::lab::{Check, Lab, SCENARIOS};
use super::state::isolated;

pub const TRIALS: [(&str, Check); 4] = [
    ("records_have_no_room", records_have_no_room),
    (
        "pending_snapshots_have_no_room",
        pending_snapshots_have_no_room,
    ),
    ("statistics_have_no_room", statistics_have_no_room),
    ("saved_case_has_no_room", saved_case_has_no_room),
];

const KIB: usize = 1 << 10;

/// What is to be written, and where.
struct Rig<'a> {
    /// The command's cache, in which are the states that it restores.
    cache: &'a Path,
    /// Where the tmpfs is.
    place: PathBuf,
    /// What lies there.
    before: Files,
    /// The arguments of the command.
    arguments: Vec<String>,
    /// Its status when it had room.
    done: i32,
    /// How much more room there is each time, in bytes.
    step: usize,
}

/// Every file below a directory, by its path there.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn read(directory: &Path) -> Result<Files> {
    let mut found = Files::new();
    for path in files::list(directory)? {
        match path.is_dir() {
            true => {
                let name = PathBuf::from(files::name(&path));
                let below = read(&path)?.into_iter();
                found.extend(below.map(|(file, bytes)| (name.join(file), bytes)));
            }
            false => {
                found.insert(files::name(&path).into(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

impl Rig<'_> {
    /// Runs the command until it has room; `check` sees what is left each time that it had none. Returns what it wrote.
    fn squeeze(&self, check: &dyn Fn(&Files) -> Result<()>) -> Result<Files> {
        let old = tempfile::tempdir()?;
        for (file, bytes) in &self.before {
            fs::write(old.path().join(file), bytes)?;
        }
        let pages = |bytes: &Vec<u8>| bytes.len().div_ceil(4 * KIB);
        let taken: usize = self.before.values().map(pages).sum();
        // A tmpfs of 0 bytes has no limit.
        for times in 0..200 {
            let room = 4 * KIB * taken.max(1) + times * self.step;
            let (output, left) = self.run_with(room, old.path())?;
            let said = String::from_utf8_lossy(&output.stderr);
            if output.status.code() == Some(self.done) {
                ensure!(times > 0, "there was room at once");
                return Ok(left);
            }
            let is_said = said.contains("No space left on device");
            ensure!(
                output.status.code() == Some(2) && is_said,
                "{room} bytes: {}: {said}",
                output.status
            );
            check(&left).with_context(|| format!("{room} bytes: {said}"))?;
        }
        bail!("there is never room enough")
    }

    fn run_with(&self, room: usize, old: &Path) -> Result<(Output, Files)> {
        let kept = tempfile::tempdir()?;
        let script = format!(
            "mount -t tmpfs -o size={room} none {place}; cp -r {old}/. {place}; \"$@\" || status=$?; \
             cp -r {place}/. {kept}; exit ${{status:-0}}",
            place = self.place.display(),
            old = old.display(),
            kept = kept.path().display(),
        );
        let output = isolated(self.cache, &[], &script)
            .args(&self.arguments)
            .output()?;
        Ok((output, read(kept.path())?))
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// The arguments of a run whose records are kept.
fn kept_run(label: &str, directory: &str) -> Vec<String> {
    let scenario = SCENARIOS[0];
    let observed = ["run", scenario, "--observe", "trail", "-k", label];
    words(&[&observed[..], &["--records", directory]].concat())
}

/// A cache of its own, in which is room.
fn cache(lab: &Lab) -> Result<tempfile::TempDir> {
    let cache = tempfile::tempdir()?;
    lab.with_cache(cache.path())?;
    Ok(cache)
}

fn records_have_no_room(lab: &Lab) -> Result<(), Failed> {
    let (cache, room) = (cache(lab)?, tempfile::tempdir()?);
    let place = room.path().to_owned();
    let (label, directory) = (lab.target().label(), place.display().to_string());
    let rig = Rig {
        cache: cache.path(),
        place,
        before: Files::new(),
        arguments: kept_run(&label, &directory),
        done: 0,
        step: 4 * KIB,
    };
    let written = rig.squeeze(&whole)?;
    Ok(whole(&written)?)
}

fn whole(files: &Files) -> Result<()> {
    for (file, bytes) in files {
        let json = serde_json::from_slice::<serde_json::Value>(bytes);
        json.with_context(|| format!("{} is cut", file.display()))?;
    }
    Ok(())
}

/// Those of an earlier run are there until the new ones are.
fn pending_snapshots_have_no_room(lab: &Lab) -> Result<(), Failed> {
    let (cache, records) = (cache(lab)?, tempfile::tempdir()?);
    let (label, directory) = (lab.target().label(), records.path().display().to_string());
    let run = kept_run(&label, &directory);
    let output = isolated(cache.path(), &[], "exec \"$@\"")
        .args(run)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    // In our mount namespace this scenario has no snapshots but what is pending.
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let own = PathBuf::from(format!("{label}.snap.new"));
    let other = PathBuf::from("0.9.snap.new");
    let before = [(&own, "older\n"), (&other, "of another run\n")];
    let before = before.map(|(file, text)| (file.clone(), text.as_bytes().to_vec()));
    let rig = Rig {
        cache: cache.path(),
        place: snapshots.join(SCENARIOS[0]).join("trail"),
        before: Files::from(before),
        arguments: words(&["check", &directory, "--pending"]),
        // What is seen is new.
        done: 1,
        step: 4 * KIB,
    };
    let written = rig.squeeze(&|left| as_before(&rig, left))?;
    match written.get(&own) {
        Some(text) if text.starts_with(b"---\n") && written.len() == 1 => Ok(()),
        _ => Err(format!("{:?} are pending", written.keys()).into()),
    }
}

fn as_before(rig: &Rig<'_>, left: &Files) -> Result<()> {
    ensure!(*left == rig.before, "{:?} are left", left.keys());
    Ok(())
}

/// The statistics of rounds before are there, whole, and so is their page.
fn statistics_have_no_room(lab: &Lab) -> Result<(), Failed> {
    let (cache, room) = (cache(lab)?, tempfile::tempdir()?);
    let label = lab.target().label();
    let arguments = |directory: &Path| {
        let file = directory.join("soak.toml").display().to_string();
        words(&[
            "run",
            SCENARIOS[0],
            "--observe",
            "trail",
            "-k",
            &label,
            "--soak",
            &file,
        ])
    };
    let first = isolated(cache.path(), &[], "exec \"$@\"")
        .args(arguments(room.path()))
        .output()?;
    let before = read(room.path())?;
    if !first.status.success() || before.len() != 2 {
        return Err(String::from_utf8_lossy(&first.stderr).into());
    }
    let rig = Rig {
        cache: cache.path(),
        place: room.path().to_owned(),
        before,
        arguments: arguments(room.path()),
        done: 0,
        step: 4 * KIB,
    };
    let written = rig.squeeze(&|left| as_before(&rig, left))?;
    let text = written.get(Path::new("soak.toml"));
    let text = text.map(|text| String::from_utf8_lossy(text));
    match text {
        Some(text) if text.contains("\npartial = 2\n") && written.len() == 2 => Ok(()),
        other => Err(format!("no round is added: {other:?}").into()),
    }
}

/// A case and its root: both or neither.
fn saved_case_has_no_room(lab: &Lab) -> Result<(), Failed> {
    let (cache, room) = (cache(lab)?, tempfile::tempdir()?);
    let (label, suite) = (lab.target().label(), room.path().display().to_string());
    let mark = PathBuf::from("exetrail.toml");
    let rig = Rig {
        cache: cache.path(),
        place: room.path().to_owned(),
        before: Files::from([(mark, Vec::new())]),
        arguments: words(&[
            "try",
            "-k",
            &label,
            "--suite",
            &suite,
            "--save",
            "a/b",
            "--",
            "/bin/true",
        ]),
        done: 0,
        step: 256 * KIB,
    };
    let written = rig.squeeze(&|left| as_before(&rig, left))?;
    let case = written.contains_key(Path::new("cases/a/b.toml"));
    let root = written.contains_key(Path::new("roots/a/b.tar"));
    match case && root {
        true => Ok(()),
        false => Err(format!("{:?} are there", written.keys()).into()),
    }
}
