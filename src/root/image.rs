//! An image of the user's as the root: a directory, a tar archive, or an OCI image layout.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::host::Keep;
use super::{LIMIT, Root, Source};
use crate::below::Below;
use crate::bound::{self, Bounded};
use crate::vm::tree::{Entry, Owner, Tree};

impl Root {
    /// A root that is an image: a directory as it is, a tar archive, or the layers of an OCI image.
    ///
    /// # Errors
    ///
    /// It is none of these, or cannot be read.
    pub fn of_image(path: &Path) -> Result<Root> {
        let mut root = Root::default();
        let refused = || format!("{} is no root for a guest", path.display());
        if path.is_dir() && !path.join("oci-layout").is_file() {
            let keep = match nix::unistd::geteuid().is_root() {
                true => Keep::Owners,
                false => Keep::Nobody,
            };
            root.walk(path, "", keep).with_context(refused)?;
            return Ok(root);
        }
        let layers = match path.is_dir() {
            true => layers(path).with_context(refused)?,
            false => vec![path.to_owned()],
        };
        for layer in layers {
            let size = root.stamp(&layer, "layer")?;
            root.grow(size)?;
            root.over
                .push((String::new(), Source::Layer(layer), Owner::default()));
        }
        Ok(root)
    }
}

/// The parts of an OCI image layout that say where its layers are (image-layout.md, manifest.md).
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
    #[serde(default)]
    media_type: String,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

fn layers(layout: &Path) -> Result<Vec<std::path::PathBuf>> {
    let index: Index = json(&layout.join("index.json"))?;
    let mut index = index;
    // An index may name an index, once.
    for _ in 0..2 {
        let fits = |one: &&Descriptor| {
            let platform = one.platform.as_ref();
            platform.is_none_or(|found| found.os == "linux" && found.architecture == "amd64")
        };
        let chosen = index.manifests.iter().find(fits);
        let chosen = chosen.context("it has no manifest for linux/amd64")?;
        let place = blob(layout, &chosen.digest)?;
        if chosen.media_type.contains("index") || chosen.media_type.contains("manifest.list") {
            index = json(&place)?;
            continue;
        }
        let manifest: Manifest = json(&place)?;
        let layers = manifest.layers.iter();
        return layers.map(|layer| blob(layout, &layer.digest)).collect();
    }
    bail!("its index names an index that names an index")
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = bound::file(path, 16 << 20)?;
    serde_json::from_slice(&text).with_context(|| format!("failed to read {}", path.display()))
}

/// The file of a digest, `sha256:HEX`, which is foreign input and becomes part of a path.
fn blob(layout: &Path, digest: &str) -> Result<std::path::PathBuf> {
    let hex = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric());
    match digest.split_once(':') {
        Some((kind, sum)) if hex(kind) && hex(sum) => Ok(layout.join("blobs").join(kind).join(sum)),
        _ => bail!("{digest:?} is no digest"),
    }
}

/// Puts a tar archive, plain or compressed, over a tree; what an image's layer takes away goes away.
///
/// # Errors
///
/// It is no tar archive, has a name that leads out, a device, or more than a guest takes.
pub fn unpack(path: &Path, tree: &mut Tree) -> Result<()> {
    let mut file = bound::open(path, LIMIT)?;
    let mut head = [0; 4];
    let known = file.read(&mut head).and_then(|_| file.rewind());
    known.with_context(|| format!("failed to read {}", path.display()))?;
    let file = BufReader::new(file);
    let data: Box<dyn Read> = match head {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::GzDecoder::new(file)),
        [0xfd, b'7', b'z', b'X'] => Box::new(bound::xz(file)?),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(
            ruzstd::decoding::StreamingDecoder::new(file)
                .map_err(|error| anyhow::anyhow!("{error}"))?,
        ),
        _ => Box::new(file),
    };
    read(Bounded::new(data, 2 * LIMIT), tree)
        .with_context(|| format!("failed to read {} as a tar archive", path.display()))
}

fn read(data: impl Read, tree: &mut Tree) -> Result<()> {
    let mut left = LIMIT;
    // Hard links name files of the same archive.
    let mut seen: BTreeMap<String, Entry> = BTreeMap::new();
    let mut first = true;
    for entry in tar::Archive::new(data).entries()? {
        // What is no archive at all fails at its first block, with a quotation of it.
        let mut entry = match entry {
            Err(_) if first => bail!(
                "it is none: a root is a directory, a tar archive (plain, gzip, xz or zstd) or an OCI \
                 image layout"
            ),
            entry => entry?,
        };
        first = false;
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .context("it holds a name that is not UTF-8")?;
        let name = name
            .trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned();
        if matches!(name.as_str(), "" | ".") {
            continue;
        }
        let place = Below::parse(&name)?.as_str();
        let (directory, last) = place.rsplit_once('/').unwrap_or(("", place));
        if last == ".wh..wh..opq" {
            tree.remove_below(directory);
            continue;
        }
        if let Some(gone) = last.strip_prefix(".wh.") {
            let gone = format!("{directory}/{gone}");
            let gone = gone.trim_start_matches('/');
            tree.remove_below(gone);
            tree.remove(gone);
            continue;
        }
        let header = entry.header();
        let mode = header.mode()? & 0o7777;
        let id =
            |id: std::io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
        let owner = Owner(id(header.uid()), id(header.gid()));
        let link = || -> Result<String> {
            let target = entry.link_name()?.context("a link without a target")?;
            Ok(target
                .to_str()
                .context("a link to what is no UTF-8")?
                .to_owned())
        };
        let made = match header.entry_type() {
            tar::EntryType::Directory => Entry::Directory(mode),
            tar::EntryType::Symlink => Entry::Link(link()?),
            tar::EntryType::Link => {
                let target = link()?;
                let target = target.trim_start_matches("./").trim_start_matches('/');
                let known = seen.get(target).or(tree.get(target)).cloned();
                known.with_context(|| {
                    format!("{place} is a hard link to {target}, which is not there")
                })?
            }
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                bound::check(entry.size(), left).with_context(|| format!("{place} is refused"))?;
                let bytes =
                    bound::read(&mut entry, left).with_context(|| format!("{place} is refused"))?;
                left -= bytes.len() as u64;
                Entry::File {
                    mode,
                    bytes: bytes.into(),
                }
            }
            tar::EntryType::XGlobalHeader => continue,
            tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => bail!(
                "{place} is a device or a pipe, which no guest's root takes: make the archive without it"
            ),
            _ => continue,
        };
        if let Entry::File { .. } = made {
            seen.insert(place.to_owned(), made.clone());
        }
        tree.put(place, made, owner)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An archive of one member whose name is written as it is, without the checks of the library.
    fn archive(name: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, content).unwrap();
        builder.into_inner().unwrap()
    }

    fn refused(name: &str, kind: tar::EntryType) -> String {
        let bytes = archive(name, kind, b"");
        format!(
            "{:#}",
            read(bytes.as_slice(), &mut Tree::default()).unwrap_err()
        )
    }

    #[test]
    fn a_name_that_leads_out_and_a_device_are_errors_that_name_them() {
        let regular = tar::EntryType::Regular;
        assert!(refused("../x", regular).contains("\"../x\" has the part"));
        assert!(refused("/etc/x", regular).contains("is absolute"));
        assert!(refused("a\nb", regular).contains("control character"));
        assert!(refused("dev/sda", tar::EntryType::Block).contains("dev/sda is a device"));
    }

    #[test]
    fn what_is_no_archive_is_told_what_a_root_can_be() {
        let error = read([b'x'; 1024].as_slice(), &mut Tree::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("it is none: a root is a directory")
        );
    }

    #[test]
    fn what_is_no_file_is_refused_before_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for place in [Path::new("/dev/zero"), &pipe] {
            let error = unpack(place, &mut Tree::default()).unwrap_err();
            assert!(format!("{error:#}").contains("regular file"), "{error:#}");
        }
    }

    #[test]
    fn a_file_keeps_its_owner_and_a_whiteout_takes_one_away() {
        let mut tree = Tree::default();
        read(
            archive("a/b", tar::EntryType::Regular, b"x").as_slice(),
            &mut tree,
        )
        .unwrap();
        assert!(matches!(tree.get("a/b"), Some(Entry::File { .. })));
        assert_eq!(tree.owner("a/b"), Owner(1000, 1000));
        read(
            archive("a/.wh.b", tar::EntryType::Regular, b"").as_slice(),
            &mut tree,
        )
        .unwrap();
        assert_eq!(tree.get("a/b"), None);
    }

    #[test]
    fn a_layout_has_its_layers_in_order_and_a_digest_is_no_path() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(
            dir.path().join("index.json"),
            r#"{"manifests":[{"digest":"sha256:aa"}]}"#,
        )
        .unwrap();
        fs::write(
            blobs.join("aa"),
            r#"{"layers":[{"digest":"sha256:b"},{"digest":"sha256:c"}]}"#,
        )
        .unwrap();
        let found = layers(dir.path()).unwrap();
        assert_eq!(found, [blobs.join("b"), blobs.join("c")]);
        assert!(blob(dir.path(), "sha256:../../x").is_err());
    }
}
