//! From what was seen to snapshot files, through insta.
//!
//! [`plan`] decides which files what was seen asks for; insta writes them as pending
//! (`.snap.new`), for `cargo insta review`. A kernel that behaves as before adds none, and one that
//! would inherit another's change without sharing it is pinned in the same review.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context as _, Result};
use exetrail::baseline::{Store, plan};
use exetrail::files;
use exetrail::project::{Project, cache_folder};
use exetrail::trail::{KernelId, Lab, Outcome};
use exetrail::view::{Name, Record, Row, VIEWS, observed};

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
fn assert(root: &Path, (scenario, view): (&str, Name), id: &KernelId, text: &str) -> bool {
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
            Lab::Vm => "`cargo insta review` accepts or refuses it",
            Lab::Native =>
                "the running kernel does not speak for its series: no snapshot is pending",
        }
    )
}

/// Has insta write the files that the records ask for.
pub fn write(records: &[Record], root: &Path) -> Result<()> {
    let project = Project::open_at(Some(root.to_owned()), cache_folder()?)?;
    let lineage = project.table.lineage();
    let mut texts = Vec::new();
    for view in VIEWS.iter().map(|view| view.name()) {
        let observed = observed(records, view)?;
        texts.extend(
            observed
                .into_iter()
                .map(|(scenario, seen)| (scenario, view, seen)),
        );
    }
    // insta fails by panicking, which is expected here and says nothing new.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = texts.iter().try_for_each(|(scenario, view, observed)| {
        let files = Store::Folder(root.join("snapshots")).load(scenario, *view);
        // A damaged snapshot has failed its trials already.
        let Ok(files) = files else { return Ok(()) };
        let wanted = plan(&lineage, &files, observed).write;
        forget_pending(root, (scenario, *view), &wanted.keys().collect())?;
        for (id, text) in &wanted {
            assert(root, (scenario, *view), id, text);
        }
        Ok(())
    });
    std::panic::set_hook(hook);
    result
}

/// Removes pending files that an earlier, smaller run wrote and that are no longer asked for.
fn forget_pending(
    root: &Path,
    (scenario, view): (&str, Name),
    wanted: &BTreeSet<&KernelId>,
) -> Result<()> {
    let folder = root.join("snapshots").join(scenario).join(view);
    for path in files::list(&folder)? {
        let name = files::name(&path);
        let Some(id) = name.strip_suffix(".snap.new") else {
            continue;
        };
        let id = id.parse::<KernelId>();
        if !id.is_ok_and(|id| wanted.contains(&id)) {
            fs::remove_file(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?;
        }
    }
    Ok(())
}
