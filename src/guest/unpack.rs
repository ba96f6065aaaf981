//! Unpacks a cpio archive below a folder.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Makes the folders, files and links of an archive (newc) below `root`.
///
/// # Errors
///
/// A damaged archive, an entry of another kind, or what cannot be written, with its path.
pub fn unpack(archive: &Path, root: &Path) -> Result<()> {
    let open = || format!("failed to open {}", archive.display());
    let mut input = fs::File::open(archive).with_context(open)?;
    loop {
        let mut reader = cpio::newc::Reader::new(&mut input)
            .with_context(|| format!("failed to read {}", archive.display()))?;
        if reader.entry().is_trailer() {
            return Ok(());
        }
        let place = root.join(reader.entry().name());
        let context = || format!("failed to unpack {}", place.display());
        let mode = reader.entry().mode();
        let permissions = fs::Permissions::from_mode(mode & 0o7777);
        let mut content = Vec::with_capacity(reader.entry().file_size() as usize);
        reader.read_to_end(&mut content).with_context(context)?;
        reader.finish().with_context(context)?;
        match mode & 0o170_000 {
            0o040_000 => {
                fs::create_dir(&place).with_context(context)?;
                fs::set_permissions(&place, permissions).with_context(context)?;
            }
            0o100_000 => {
                let mut file = fs::File::create_new(&place).with_context(context)?;
                file.write_all(&content).with_context(context)?;
                file.set_permissions(permissions).with_context(context)?;
            }
            0o120_000 => {
                let target = String::from_utf8(content).with_context(context)?;
                symlink(target, &place).with_context(context)?;
            }
            other => bail!("{}: unknown kind of file {other:o}", place.display()),
        }
    }
}
