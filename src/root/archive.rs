//! A root as a tar archive, which has the owners of its files whoever writes it and reads it.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use tar::{EntryType, Header};

use crate::vm::tree::{Entry, Tree};

/// How long the target of a symlink is that the header of a member holds.
const LINK: usize = 100;

/// Writes a tree as a tar archive: the same tree, the same bytes; times are 0.
///
/// # Errors
///
/// What the writer reports, or a name that no archive takes.
pub fn pack(tree: &Tree, out: impl Write) -> Result<()> {
    let mut builder = tar::Builder::new(out);
    for (path, entry) in tree.iter() {
        let mut header = Header::new_gnu();
        let owner = tree.owner(path);
        header.set_uid(owner.0.into());
        header.set_gid(owner.1.into());
        header.set_mtime(0);
        header.set_size(0);
        let added = match entry {
            Entry::Directory(mode) => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(*mode);
                builder.append_data(&mut header, path, io::empty())
            }
            Entry::File { mode, bytes } => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, path, &bytes[..])
            }
            Entry::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                put_target(&mut builder, &mut header, target)
                    .and_then(|()| builder.append_data(&mut header, path, io::empty()))
            }
        };
        added.with_context(|| format!("/{path} does not go into an archive"))?;
    }
    builder.into_inner()?.flush()?;
    Ok(())
}

/// Puts the target of a symlink into its header as it is: the library would write `a//b` as `a/b`. What is longer than
/// its place there has a member of its own before it, as for GNU tar.
fn put_target<W: Write>(
    builder: &mut tar::Builder<W>,
    header: &mut Header,
    target: &str,
) -> io::Result<()> {
    if target.len() < LINK {
        return header.set_link_name_literal(target);
    }
    let text = format!("{target}\0");
    let mut long = Header::new_gnu();
    long.set_path("@LongLink")?;
    long.set_entry_type(EntryType::GNULongLink);
    long.set_mode(0o644);
    long.set_uid(0);
    long.set_gid(0);
    long.set_mtime(0);
    long.set_size(text.len() as u64);
    long.set_cksum();
    builder.append(&long, text.as_bytes())?;
    header.set_link_name_literal(&target.as_bytes()[..LINK])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::{Foreign, Root};
    use crate::vm::tree::Owner;

    #[test]
    fn a_root_is_read_back_with_its_owners_modes_and_links() {
        let mut tree = Tree::default();
        let long = "x/".repeat(100);
        let slashes = format!("a{}b", "/".repeat(120));
        let file = |mode| Entry::File {
            mode,
            bytes: b"x".as_slice().into(),
        };
        for (path, entry, owner) in [
            ("etc", Entry::Directory(0o700), Owner(3, 4)),
            ("etc/x", file(0o4751), Owner(1000, u32::MAX - 1)),
            ("etc/.wh.x", file(0o600), Owner::default()),
            ("a", Entry::Link("etc//./x".to_owned()), Owner(1, 0)),
            ("b", Entry::Link(long), Owner::default()),
            ("c", Entry::Link(slashes), Owner::default()),
        ] {
            tree.put(path, entry, owner).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("root.tar");
        pack(&tree, std::fs::File::create(&place).unwrap()).unwrap();
        let root = Root::of_image(&place, Foreign::Refused).unwrap();
        let (read, _) = root.tree().unwrap();
        for (path, entry) in tree.iter() {
            assert_eq!(
                (read.get(path), read.owner(path)),
                (Some(entry), tree.owner(path)),
                "{path}"
            );
        }
    }
}
