//! From what was seen to snapshot files.
//!
//! insta asserts that a text is the snapshot's, so that `cargo insta` knows which files are used.
//! What differs is written as pending (`.snap.new`) by the same code as `exetrail run --pending`,
//! for `cargo insta review`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::Result;
use exetrail::cli::write_pending;
use exetrail::project::{Project, cache_directory};
use exetrail::trail::{KernelId, LabKind, Outcome};
use exetrail::view::{Record, Row, ViewName};

/// Asserts what a view saw against the snapshot that applies to it.
pub fn assert_same(row: &Row<'_>, root: &Path) -> Result<(), String> {
    let judged = row.seen.judged.as_ref();
    let owner = judged.and_then(|judged| judged.owner.as_ref());
    let owner = owner.ok_or("what was seen is the same as no snapshot")?;
    let text = row.seen.text().ok_or("nothing was seen")?;
    match assert(root, (&row.record.scenario, row.seen.view), owner, &text) {
        true => Ok(()),
        false => Err(format!(
            "insta finds a difference to the snapshot of {owner}"
        )),
    }
}

/// insta's assertion; false when it failed. What differs becomes pending, as `INSTA_UPDATE` says.
fn assert(root: &Path, (scenario, view): (&str, ViewName), id: &KernelId, text: &str) -> bool {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(root.join("snapshots").join(scenario).join(view));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let name = id.to_string();
    let check = || settings.bind(|| insta::assert_snapshot!(name, text));
    catch_unwind(AssertUnwindSafe(check)).is_ok()
}

/// The message of a failed trial: what is different, readable without opening a file.
pub fn difference(row: &Row<'_>) -> String {
    let (record, seen) = (row.record, row.seen);
    let judged = seen.judged.as_ref();
    let owner = judged.and_then(|judged| judged.owner.as_ref());
    let against = owner.map_or_else(String::new, |owner| {
        format!(" from the snapshot of {owner}")
    });
    let head = match seen.outcome {
        Outcome::New => "new: there is no snapshot that applies".to_owned(),
        _ => format!("changed: the view {} differs{against}", seen.view),
    };
    let diff = judged
        .and_then(|judged| judged.diff.as_deref())
        .unwrap_or_default();
    format!(
        "{head}\nkernel {} ({}), {}\n\n{diff}\n{}",
        record.kernel.label(),
        record.kernel.release,
        record.scenario,
        match record.kernel.lab {
            LabKind::Vm => "`cargo insta review` accepts or refuses it",
            LabKind::Native =>
                "the running kernel does not speak for its series: no snapshot is pending",
        }
    )
}

/// Writes what the records ask for as pending snapshots, unless insta is told to write none.
pub fn write(records: &[Record], root: &Path) -> Result<()> {
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "no") {
        return Ok(());
    }
    let project = Project::open_at(Some(root.to_owned()), cache_directory()?)?;
    write_pending(&project, records)
}
