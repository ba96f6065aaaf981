//! An image of the user's as the root: a directory, a tar archive, or an OCI image layout.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::host::Keep;
use super::layer::Part;
use super::layout::layers;
use super::{Foreign, Root, Source};
use crate::vm::tree::Owner;

impl Root {
    /// A root that is an image: a directory as it is, a tar archive, or the layers of an OCI image; one for another
    /// machine only where foreign programs are taken.
    ///
    /// # Errors
    ///
    /// It is none of these, or cannot be read.
    pub fn of_image(path: &Path, foreign: Foreign) -> Result<Root> {
        let mut root = Root::default();
        let refused = || format!("{} is no root for a guest", path.display());
        if path.join("oci-layout").is_file() {
            let layers = layers(path, foreign).with_context(refused)?;
            root.notes.extend(layers.note);
            for blob in layers.blobs {
                let path = blob.path.clone();
                root.archive(&path, Part::Layer(blob))?;
            }
            return Ok(root);
        }
        if path.is_dir() {
            let keep = match nix::unistd::geteuid().is_root() {
                true => Keep::Owners,
                false => Keep::Nobody,
            };
            // Not the symlink that leads to it.
            let directory = path.canonicalize().with_context(refused)?;
            root.walk(&directory, "", keep).with_context(refused)?;
            return Ok(root);
        }
        root.archive(path, Part::Whole)?;
        Ok(root)
    }

    fn archive(&mut self, path: &Path, part: Part) -> Result<()> {
        let size = self.stamp(path, "layer")?;
        self.grow(size)?;
        let source = Source::Archive(path.to_owned(), part);
        self.over.push((String::new(), source, Owner::default()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_root_may_be_named_by_a_symlink_and_has_no_devices() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("dev")).unwrap();
        fs::write(root.join("x"), "").unwrap();
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&root.join("dev/pipe"), mode).unwrap();
        let link = dir.path().join("link");
        symlink(&root, &link).unwrap();
        let made = Root::of_image(&link, Foreign::Refused).unwrap();
        assert_eq!(made.devices, 1);
        let (tree, _) = made.tree().unwrap();
        assert!(tree.get("x").is_some() && tree.get("dev/pipe").is_none());
        nix::unistd::mkfifo(&root.join("pipe"), mode).unwrap();
        let error = Root::of_image(&link, Foreign::Refused).unwrap_err();
        assert!(
            format!("{error:#}").contains("root/pipe is a device"),
            "{error:#}"
        );
    }
}
