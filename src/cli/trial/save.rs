//! Keeps a question as a case of a suite, with its root as an archive: both or neither.

use std::fs::{self, Permissions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::case::{self, Case};
use crate::files;
use crate::own;
use crate::root::{LIMIT, pack};
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
    let root = Path::new("roots").join(format!("{name}.tar"));
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
    archive(tree, above, &place).with_context(|| format!("failed to write {}", place.display()))?;
    if let Err(error) = files::replace(&file, text.as_bytes()) {
        // What cannot be removed is named by the next call.
        let _ = fs::remove_file(&place);
        return Err(error);
    }
    tell!(
        "kept: {}, with its root in {}",
        file.display(),
        place.display()
    );
    Ok(())
}

/// Writes a root to its place in a directory. It is an archive, as that keeps owners, who are others than the user.
fn archive(tree: &Tree, directory: &Path, place: &Path) -> Result<()> {
    let mut work = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)?;
    let mut out = BufWriter::new(work.as_file_mut());
    pack(tree, &mut out)?;
    out.flush()?;
    drop(out);
    // A root that is read may be no longer than that.
    ensure!(
        work.as_file().metadata()?.len() <= LIMIT,
        "it is more than {} MiB",
        LIMIT >> 20
    );
    work.persist_noclobber(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::{Foreign, Root};
    use crate::vm::tree::{Entry, Owner};

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let mode = 0o755;
        let bytes = b"x".to_vec().into();
        tree.put("agent", Entry::File { mode, bytes }, Owner(1000, 50))
            .unwrap();
        tree
    }

    #[test]
    fn a_case_is_there_with_its_root() {
        let suite = tempfile::tempdir().unwrap();
        save("a/usual", &Case::default(), &tree(), suite.path()).unwrap();
        let text = fs::read_to_string(suite.path().join("cases/a/usual.toml")).unwrap();
        assert!(text.contains("root = \"roots/a/usual.tar\""), "{text}");
        let place = suite.path().join("roots/a/usual.tar");
        let root = Root::of_image(&place, Foreign::Refused).unwrap();
        let root = root.build(&suite.path().join("cache")).unwrap().tree;
        assert_eq!(root.get("agent"), tree().get("agent"));
        assert_eq!(root.owner("agent"), Owner(1000, 50));
        let mode = fs::metadata(&place).unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600);
        assert_eq!(files::list(&suite.path().join("roots/a")).unwrap(), [place]);
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
        // The name of its file is longer than any (NAME_MAX).
        let name = format!("a/{}", "x".repeat(252));
        save(&name, &Case::default(), &tree(), suite.path()).unwrap_err();
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
