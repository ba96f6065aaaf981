//! Keeps a question as a case of a suite, with a copy of its root: both or neither.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::case::{self, Case};
use crate::files;
use crate::own;
use crate::vm::tree::Tree;

/// Refuses the name of a case that is there, before anything boots.
///
/// # Errors
///
/// There is such a case already, or it is no name.
pub fn free(name: &str, suite: &Path) -> Result<()> {
    own::check_name(name).context("--save takes the name of a case, such as agent/usual")?;
    let file = suite.join("cases").join(format!("{name}.toml"));
    ensure!(
        !file.exists(),
        "{} is there already: remove it, or --save another name",
        file.display()
    );
    Ok(())
}

/// Writes a case and its root below the directory of a suite.
///
/// # Errors
///
/// There is such a case already, or it cannot be written; then nothing of it is there.
pub fn save(name: &str, case: &Case, tree: &Tree, suite: &Path) -> Result<()> {
    let file = suite.join("cases").join(format!("{name}.toml"));
    free(name, suite)?;
    // A case below another one has its root beside the other's.
    let root = Path::new("roots").join(format!("{name}.root"));
    let place = suite.join(&root);
    ensure!(!place.exists(), "{} is there already", place.display());
    let [above, cases] = [&place, &file].map(|path| path.parent().unwrap_or(suite));
    for directory in [above, cases] {
        fs::create_dir_all(directory)
            .with_context(|| format!("failed to make {}", directory.display()))?;
    }
    let root = root.to_str().context("its name is no text")?.to_owned();
    let case = Case {
        root: Some(root),
        ..case.clone()
    };
    let text = case::print(&case)?;
    let context = || format!("failed to write {}", place.display());
    // Beside its place: a directory that nobody may write to can be renamed, and not moved.
    let work = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o777))
        .tempdir_in(above)
        .with_context(context)?;
    tree.write_to(work.path()).with_context(context)?;
    fs::rename(work.path(), &place).with_context(context)?;
    let _ = work.keep();
    if let Err(error) = files::replace(&file, text.as_bytes()) {
        // What cannot be removed is named by the next call.
        let _ = fs::remove_dir_all(&place);
        return Err(error);
    }
    tell!(
        "kept: {}, with its root in {}",
        file.display(),
        place.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::tree::Entry;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let mode = 0o755;
        let bytes = b"x".to_vec().into();
        tree.add("agent", Entry::File { mode, bytes }).unwrap();
        tree
    }

    #[test]
    fn a_case_is_there_with_its_root() {
        let suite = tempfile::tempdir().unwrap();
        save("a/usual", &Case::default(), &tree(), suite.path()).unwrap();
        let text = fs::read_to_string(suite.path().join("cases/a/usual.toml")).unwrap();
        assert!(text.contains("root = \"roots/a/usual.root\""), "{text}");
        let root = suite.path().join("roots/a");
        assert_eq!(fs::read(root.join("usual.root/agent")).unwrap(), b"x");
        let mode = fs::metadata(root.join("usual.root")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o700, 0o700);
        assert_eq!(files::list(&root).unwrap(), [root.join("usual.root")]);
    }

    #[test]
    fn a_case_that_cannot_be_written_leaves_no_root() {
        let suite = tempfile::tempdir().unwrap();
        // In the place where the file is made.
        let blocked = suite.path().join("cases/a/.usual.toml.partial");
        fs::create_dir_all(&blocked).unwrap();
        let error = save("a/usual", &Case::default(), &tree(), suite.path()).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("failed to write") && error.contains("usual.toml"),
            "{error}"
        );
        assert_eq!(
            files::list(&suite.path().join("roots/a")).unwrap(),
            [] as [std::path::PathBuf; 0]
        );
    }

    #[test]
    fn a_root_that_cannot_be_written_leaves_nothing() {
        let suite = tempfile::tempdir().unwrap();
        let mut tree = tree();
        let long = "x".repeat(300);
        let bytes = b"x".to_vec().into();
        let entry = Entry::File { mode: 0o644, bytes };
        tree.add(&long, entry).unwrap();
        save("a/usual", &Case::default(), &tree, suite.path()).unwrap_err();
        for place in ["roots/a", "cases/a"] {
            let left = files::list(&suite.path().join(place)).unwrap();
            assert!(left.is_empty(), "{left:?}");
        }
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let suite = tempfile::tempdir().unwrap();
        save("a/usual", &Case::default(), &tree(), suite.path()).unwrap();
        let again = save("a/usual", &Case::default(), &tree(), suite.path()).unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
    }
}
