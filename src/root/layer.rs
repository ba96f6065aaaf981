//! A tar archive over a tree: a whole root, or a layer of an image with its whiteouts (layer.md).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::layout::Blob;
use super::{LIMIT, capabilities, devices_left_out};
use crate::below::Below;
use crate::bound::{self, Bounded};
use crate::trail::printable;
use crate::vm::tree::{Entry, Owner, Tree};

/// The longest path of a file, without its NUL: `PATH_MAX`.
const LONGEST_PATH: usize = 4095;
/// The attributes of a member begin so in its pax header, as GNU tar, Docker and others write them.
const ATTRIBUTE: &str = "SCHILY.xattr.";

/// What an archive is of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole.
    Whole,
    /// A layer of an image, which is held against its digest.
    Layer(Blob),
}

/// Puts a tar archive, plain or compressed, over a tree; what an image's layer takes away goes away.
///
/// `left` is how many bytes of files the tree may still grow by. Returns what is to be said of what was left out.
///
/// # Errors
///
/// It is no tar archive, has a name that leads out, a device, or more than a guest takes, or is not the layer that it should be.
pub fn unpack(path: &Path, part: &Part, tree: &mut Tree, left: &mut u64) -> Result<Vec<String>> {
    let file = bound::open(path, LIMIT)?;
    let context = || format!("failed to read {} as a tar archive", path.display());
    if let Part::Layer(blob) = part {
        blob.check()?;
    }
    let data = bound::plain(file).with_context(context)?;
    let data = Bounded::new(data, 2 * LIMIT);
    let layer = read(data, part, tree, left).with_context(context)?;
    layer.put_over(tree).with_context(context)
}

/// What an archive holds; whiteouts are of what was there before it, wherever they stand in it.
#[derive(Debug, Default)]
struct Layer {
    gone: Vec<Gone>,
    put: Vec<(String, Entry, Owner)>,
    /// How many devices, pipes and sockets below /dev were left out.
    devices: usize,
    notes: Vec<String>,
}

/// What a whiteout takes away.
#[derive(Debug)]
enum Gone {
    /// This one.
    One(String),
    /// All that is in this directory.
    Below(String),
}

impl Layer {
    /// Returns what is to be said of what was left out.
    fn put_over(self, tree: &mut Tree) -> Result<Vec<String>> {
        // Where a directory is a symlink, what is in it is where that leads.
        let gone = self.gone.into_iter().filter_map(|gone| {
            Some(match gone {
                Gone::One(place) => Gone::One(led_to(tree, &place)?),
                Gone::Below(directory) => Gone::Below(tree.resolve(&directory)?),
            })
        });
        for gone in gone.collect::<Vec<_>>() {
            match gone {
                Gone::One(place) => remove(tree, &place),
                Gone::Below(directory) => tree.remove_below(&directory),
            }
        }
        replace_links(&self.put, tree);
        for (place, entry, owner) in self.put {
            // A layer may replace a directory with all that is in it, as one does that merges /bin into /usr.
            if !matches!(entry, Entry::Directory(_))
                && let Some(before) = led_to(tree, &place)
                && matches!(tree.get(&before), Some(Entry::Directory(_)))
            {
                remove(tree, &before);
            }
            tree.put(&place, entry, owner)?;
        }
        let mut notes = self.notes;
        notes.extend(devices_left_out(self.devices));
        Ok(notes)
    }
}

/// A directory of a layer takes the place of a symlink that an earlier one has there, as containerd and Docker have it;
/// one of the same archive stays, as for tar(1).
fn replace_links(put: &[(String, Entry, Owner)], tree: &mut Tree) {
    for (place, entry, _) in put {
        if matches!(entry, Entry::Directory(_))
            && let Some(before) = led_to(tree, place)
            && matches!(tree.get(&before), Some(Entry::Link(_)))
        {
            tree.remove(&before);
        }
    }
}

/// Where a path leads when the symlinks above it are followed, and it itself is not.
fn led_to(tree: &Tree, place: &str) -> Option<String> {
    let (directory, name) = place.rsplit_once('/').unwrap_or(("", place));
    let directory = tree.resolve(directory)?;
    Some(
        format!("{directory}/{name}")
            .trim_start_matches('/')
            .to_owned(),
    )
}

fn remove(tree: &mut Tree, place: &str) {
    tree.remove_below(place);
    tree.remove(place);
}

/// Reads an archive that is to be put over a tree.
fn read(mut data: impl Read, part: &Part, tree: &Tree, left: &mut u64) -> Result<Layer> {
    let mut reading = Reading {
        tree,
        left,
        seen: BTreeMap::new(),
        layer: Layer::default(),
    };
    let mut first = true;
    for entry in tar::Archive::new(&mut data).entries()? {
        // What is no archive at all fails at its first block, with a quotation of it.
        let mut entry = match entry {
            Err(_) if first => bail!(
                "it is none: a root is a directory, a tar archive (plain, gzip, xz or zstd) or an OCI \
                 image layout"
            ),
            entry => entry?,
        };
        first = false;
        let name = name(&entry)?;
        if matches!(name.as_str(), "" | ".") {
            continue;
        }
        let place = Below::parse(&name)?.as_str();
        if *part == Part::Whole {
            is_no_image(place)?;
        }
        // In a root that is whole there is nothing to take away: a file may have any name.
        let taken = matches!(part, Part::Layer(_)) && reading.whiteout(place)?;
        if !taken {
            let member = reading.member(place, &mut entry);
            member.with_context(|| format!("{place} is refused"))?;
        }
    }
    let layer = reading.layer;
    // What is damaged behind the last file is damaged.
    std::io::copy(&mut data, &mut std::io::sink())?;
    Ok(layer)
}

type Member<'a, R> = tar::Entry<'a, R>;

fn name(entry: &Member<'_, impl Read>) -> Result<String> {
    let bytes = entry.path_bytes();
    ensure!(
        bytes.len() <= LONGEST_PATH,
        "it holds a name of {} bytes, which is longer than any path",
        bytes.len()
    );
    let name = std::str::from_utf8(&bytes);
    let name = name.with_context(|| {
        let name = printable(&bytes);
        format!("it holds the name {name}, which is not UTF-8")
    })?;
    let name = name.trim_start_matches("./").trim_end_matches('/');
    Ok(name.to_owned())
}

/// Refuses an archive of what a root is made from.
fn is_no_image(place: &str) -> Result<()> {
    let is_sum = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if place == "oci-layout" || place.strip_prefix("blobs/sha256/").is_some_and(is_sum) {
        bail!(
            "it is an OCI image layout in an archive: unpack it (mkdir image && tar -C image -xf ARCHIVE), and name that \
             directory"
        );
    }
    if place.strip_suffix("/layer.tar").is_some_and(is_sum) {
        bail!(
            "it is an image as `docker save` wrote them: take the root of a container, as `docker export` writes it, or an OCI \
             image layout (skopeo copy docker-archive:ARCHIVE oci:DIRECTORY)"
        );
    }
    Ok(())
}

/// An archive while it is read.
struct Reading<'a> {
    tree: &'a Tree,
    left: &'a mut u64,
    /// Hard links name members of the same archive.
    seen: BTreeMap<String, Entry>,
    layer: Layer,
}

impl Reading<'_> {
    /// Takes a whiteout; says whether it is one.
    fn whiteout(&mut self, place: &str) -> Result<bool> {
        let (directory, last) = place.rsplit_once('/').unwrap_or(("", place));
        if last == ".wh..wh..opq" {
            self.layer.gone.push(Gone::Below(directory.to_owned()));
            return Ok(true);
        }
        let Some(gone) = last.strip_prefix(".wh.") else {
            return Ok(false);
        };
        ensure!(!gone.is_empty(), "{place} is a whiteout of nothing");
        let gone = format!("{directory}/{gone}");
        let gone = gone.trim_start_matches('/').to_owned();
        self.layer.gone.push(Gone::One(gone));
        Ok(true)
    }

    fn member(&mut self, place: &str, entry: &mut Member<'_, impl Read>) -> Result<()> {
        self.extensions(place, entry)?;
        let header = entry.header();
        let mode = header.mode()? & 0o7777;
        let id =
            |id: std::io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
        let owner = Owner(id(header.uid()), id(header.gid()));
        let made = match header.entry_type() {
            tar::EntryType::Directory => Entry::Directory(mode),
            tar::EntryType::Symlink => Entry::Link(link(entry)?),
            tar::EntryType::Link => self.same(&link(entry)?)?,
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                bound::check(entry.size(), *self.left)?;
                let bytes = bound::read(entry, *self.left)?;
                *self.left -= bytes.len() as u64;
                Entry::File {
                    mode,
                    bytes: bytes.into(),
                }
            }
            tar::EntryType::XGlobalHeader => return Ok(()),
            tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo
                if place.starts_with("dev/") =>
            {
                self.layer.devices += 1;
                return Ok(());
            }
            tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => bail!(
                "it is a device or a pipe, which no guest's root takes outside of /dev: make the archive without it \
                 (tar --exclude)"
            ),
            other => bail!(
                "it is of a kind that is not known, {:?}: make the archive without it (tar --exclude)",
                char::from(other.as_byte())
            ),
        };
        if !matches!(made, Entry::Directory(_)) {
            self.seen.insert(place.to_owned(), made.clone());
        }
        self.layer.put.push((place.to_owned(), made, owner));
        Ok(())
    }

    /// Looks at what pax headers say beside the usual.
    fn extensions(&mut self, place: &str, entry: &mut Member<'_, impl Read>) -> Result<()> {
        let Some(extensions) = entry.pax_extensions()? else {
            return Ok(());
        };
        // The library parts them by newlines, which an attribute may have in it: what it cannot read is one of those.
        for extension in extensions.flatten() {
            let key = extension.key_bytes();
            // GNU tar has holes in two forms: a kind of their own, which the library fills, and this one.
            ensure!(
                !key.starts_with(b"GNU.sparse."),
                "it is a sparse file of a form that is not known: make the archive without --sparse"
            );
            let attribute = key.strip_prefix(ATTRIBUTE.as_bytes());
            if attribute == Some(capabilities::ATTRIBUTE.as_bytes()) {
                let value = extension.value_bytes();
                self.layer.notes.push(capabilities::lost(place, value));
            }
        }
        Ok(())
    }

    /// The other name of a hard link.
    fn same(&mut self, target: &str) -> Result<Entry> {
        let target = target.trim_start_matches("./").trim_start_matches('/');
        let known = self.seen.get(target).or_else(|| {
            let place = led_to(self.tree, target)?;
            self.tree.get(&place)
        });
        let known = known.filter(|known| !matches!(known, Entry::Directory(_)));
        let made = known.cloned();
        let made =
            made.with_context(|| format!("it is a hard link to {target}, which is not there"))?;
        // In the guest it is a file of its own.
        if let Entry::File { bytes, .. } = &made {
            bound::check(bytes.len() as u64, *self.left)?;
            *self.left -= bytes.len() as u64;
        }
        Ok(made)
    }
}

fn link(entry: &Member<'_, impl Read>) -> Result<String> {
    let target = entry
        .link_name_bytes()
        .context("it is a link without a target")?;
    let text = std::str::from_utf8(&target);
    let text = text.with_context(|| {
        let target = printable(&target);
        format!("it is a link to {target}, which is not UTF-8")
    })?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
