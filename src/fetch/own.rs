//! Whose the cache is: what is another user's, or everybody may write to, is not used.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;

/// The sticky bit: in such a directory nobody replaces what is another's.
const STICKY: u32 = 0o1000;
const WRITABLE_BY_ALL: u32 = 0o002;
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;

/// What is at a path, symlinks followed, when it belongs to us or to root; none when nothing is there.
///
/// # Errors
///
/// It belongs to somebody else, or everybody may write to it.
pub fn metadata(path: &Path) -> Result<Option<Metadata>> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to read {}", path.display()));
        }
    };
    check(path, found.uid(), found.mode(), geteuid().as_raw())?;
    Ok(Some(found))
}

/// `mode` is `st_mode` of inode(7), `owner` and `user` are user ids.
fn check(path: &Path, owner: u32, mode: u32, user: u32) -> Result<()> {
    let path = path.display();
    if owner != user && owner != 0 {
        bail!("{path} belongs to user {owner}, neither to us (user {user}) nor to root");
    }
    let shielded = mode & TYPE == DIRECTORY && mode & STICKY != 0;
    if mode & WRITABLE_BY_ALL != 0 && !shielded {
        bail!("everybody may write to {path}: take that away with chmod o-w");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_ours_is_taken_and_what_is_not_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(metadata(dir.path()).unwrap().is_some());
        assert!(metadata(&dir.path().join("x")).unwrap().is_none());
    }

    #[test]
    fn what_is_another_users_is_an_error_that_names_both() {
        let owned_by = |owner| check(Path::new("/cache"), owner, 0o040_755, 1001);
        owned_by(1001).unwrap();
        owned_by(0).unwrap();
        assert_eq!(
            owned_by(1000).unwrap_err().to_string(),
            "/cache belongs to user 1000, neither to us (user 1001) nor to root"
        );
    }

    #[test]
    fn what_everybody_may_write_to_is_an_error_unless_it_is_sticky() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode));
        mode(0o777).unwrap();
        let error = metadata(dir.path()).unwrap_err().to_string();
        assert!(error.contains("chmod o-w"), "{error}");
        mode(0o1777).unwrap();
        metadata(dir.path()).unwrap();
    }
}
