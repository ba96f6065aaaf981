//! An image of the user's as the root: a directory, a tar archive, or an OCI image layout.

use std::collections::BTreeMap;
use std::io::Read;
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
/// `left` is how many bytes of files the tree may still grow by.
///
/// # Errors
///
/// It is no tar archive, has a name that leads out, a device, or more than a guest takes.
pub fn unpack(path: &Path, tree: &mut Tree, left: &mut u64) -> Result<()> {
    let file = bound::open(path, LIMIT)?;
    let context = || format!("failed to read {} as a tar archive", path.display());
    let data = bound::plain(file).with_context(context)?;
    let layer = read(Bounded::new(data, 2 * LIMIT), tree, left).with_context(context)?;
    layer.put_over(tree).with_context(context)
}

/// What an archive holds; whiteouts are of what was there before it, wherever they stand in it (layer.md).
#[derive(Debug, Default)]
struct Layer {
    gone: Vec<Gone>,
    put: Vec<(String, Entry, Owner)>,
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
    fn put_over(self, tree: &mut Tree) -> Result<()> {
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
        Ok(())
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

fn read(mut data: impl Read, tree: &Tree, left: &mut u64) -> Result<Layer> {
    let mut layer = Layer::default();
    // Hard links name files of the same archive.
    let mut seen: BTreeMap<String, Entry> = BTreeMap::new();
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
            layer.gone.push(Gone::Below(directory.to_owned()));
            continue;
        }
        if let Some(gone) = last.strip_prefix(".wh.") {
            if gone.is_empty() {
                bail!("{place} is a whiteout of nothing");
            }
            let gone = format!("{directory}/{gone}");
            let gone = gone.trim_start_matches('/').to_owned();
            layer.gone.push(Gone::One(gone));
            continue;
        }
        // GNU tar has holes in two forms: a kind of their own, which the library fills, and this one.
        if let Some(extensions) = entry.pax_extensions()? {
            for extension in extensions {
                if extension?.key_bytes().starts_with(b"GNU.sparse.") {
                    bail!(
                        "{place} is a sparse file of a form that is not known: make the archive without --sparse"
                    );
                }
            }
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
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                bound::check(entry.size(), *left).with_context(|| format!("{place} is refused"))?;
                let bytes = bound::read(&mut entry, *left)
                    .with_context(|| format!("{place} is refused"))?;
                *left -= bytes.len() as u64;
                Entry::File {
                    mode,
                    bytes: bytes.into(),
                }
            }
            tar::EntryType::XGlobalHeader => continue,
            tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => bail!(
                "{place} is a device or a pipe, which no guest's root takes: make the archive without it"
            ),
            other => bail!(
                "{place} is of a kind that is not known, {:?}: make the archive without it",
                char::from(other.as_byte())
            ),
        };
        if let Entry::File { .. } = made {
            seen.insert(place.to_owned(), made.clone());
        }
        layer.put.push((place.to_owned(), made, owner));
    }
    // What is damaged behind the last file is damaged.
    std::io::copy(&mut data, &mut std::io::sink())?;
    Ok(layer)
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

    /// Puts an archive over a tree.
    fn over(tree: &mut Tree, bytes: &[u8]) -> Result<()> {
        read(bytes, tree, &mut LIMIT.clone())?.put_over(tree)
    }

    fn refused(name: &str, kind: tar::EntryType) -> String {
        let bytes = archive(name, kind, b"");
        format!("{:#}", over(&mut Tree::default(), &bytes).unwrap_err())
    }

    /// An archive of these: a directory without a content, a symlink with its target behind `->`, or a file.
    fn layer(members: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            match (content.strip_prefix("->"), *content) {
                (Some(target), _) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    builder.append_link(&mut header, name, target).unwrap();
                }
                (None, "") if !name.contains(".wh.") => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_size(0);
                    builder
                        .append_data(&mut header, name, [].as_slice())
                        .unwrap();
                }
                (None, content) => {
                    header.set_size(content.len() as u64);
                    builder
                        .append_data(&mut header, name, content.as_bytes())
                        .unwrap();
                }
            }
        }
        builder.into_inner().unwrap()
    }

    /// The names of what layers make, one over the other.
    fn layers_make(layers: &[&[(&str, &str)]]) -> Vec<String> {
        let mut tree = Tree::default();
        for members in layers {
            over(&mut tree, &layer(members)).unwrap();
        }
        tree.iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn an_opaque_directory_hides_what_is_below_it_and_not_its_own() {
        let made = layers_make(&[&[("a/old", "x")], &[("a/new", "x"), ("a/.wh..wh..opq", "")]]);
        assert_eq!(made, ["a", "a/new"]);
    }

    #[test]
    fn a_whiteout_goes_where_its_directory_leads() {
        let made = layers_make(&[
            &[("usr/bin/gone", "x"), ("bin", "->usr/bin")],
            &[("bin/.wh.gone", "")],
        ]);
        assert_eq!(made, ["bin", "usr", "usr/bin"]);
    }

    #[test]
    fn a_layer_makes_a_directory_a_symlink() {
        let made = layers_make(&[
            &[("bin/sh", "x")],
            &[("usr/bin/sh", "x"), ("bin", "->usr/bin")],
        ]);
        assert_eq!(made, ["bin", "usr", "usr/bin", "usr/bin/sh"]);
    }

    #[test]
    fn a_root_of_several_members_is_read_to_its_end() {
        let whole = layer(&[("a", "x"), ("b", "x")]);
        let mut packed = Vec::new();
        for half in [&whole[..1024], &whole[1024..]] {
            flate2::read::GzEncoder::new(half, flate2::Compression::fast())
                .read_to_end(&mut packed)
                .unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), packed).unwrap();
        let mut tree = Tree::default();
        unpack(file.path(), &mut tree, &mut LIMIT.clone()).unwrap();
        assert!(tree.get("a").is_some() && tree.get("b").is_some());
    }

    #[test]
    fn all_layers_have_one_limit() {
        let bytes = layer(&[("a", "xyz")]);
        let mut left = 5;
        read(bytes.as_slice(), &Tree::default(), &mut left).unwrap();
        let error = read(bytes.as_slice(), &Tree::default(), &mut left).unwrap_err();
        assert!(format!("{error:#}").contains("a is refused"), "{error:#}");
    }

    #[test]
    fn a_sparse_file_has_its_holes_and_what_is_not_known_is_refused() {
        // Four bytes at the end of one block (tar(5), GNU tar archives).
        let mut header = tar::Header::new_gnu();
        header.set_path("a").unwrap();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_mode(0o755);
        header.set_size(4);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.realsize.copy_from_slice(b"00000001000\0");
        gnu.sparse[0].offset.copy_from_slice(b"00000000774\0");
        gnu.sparse[0].numbytes.copy_from_slice(b"00000000004\0");
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, b"tail".as_slice()).unwrap();
        let mut tree = Tree::default();
        over(&mut tree, &builder.into_inner().unwrap()).unwrap();
        let Some(Entry::File { bytes, .. }) = tree.get("a") else {
            panic!("{tree:?}");
        };
        assert_eq!((bytes.len(), &bytes[508..]), (512, b"tail".as_slice()));
        assert!(refused("a", tar::EntryType::new(b'D')).contains("a is of a kind"));

        let mut builder = tar::Builder::new(Vec::new());
        let one = [("GNU.sparse.major", b"1".as_slice())];
        builder.append_pax_extensions(one).unwrap();
        let plain = archive("b", tar::EntryType::Regular, b"x");
        let bytes = [builder.into_inner().unwrap()[..1024].to_vec(), plain].concat();
        let error = over(&mut Tree::default(), &bytes).unwrap_err().to_string();
        assert!(error.contains("b is a sparse file"), "{error}");
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
        let error = over(&mut Tree::default(), &[b'x'; 1024]).unwrap_err();
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
            let error = unpack(place, &mut Tree::default(), &mut LIMIT.clone()).unwrap_err();
            assert!(format!("{error:#}").contains("regular file"), "{error:#}");
        }
    }

    #[test]
    fn a_file_keeps_its_owner_and_a_whiteout_takes_one_away() {
        let mut tree = Tree::default();
        over(&mut tree, &archive("a/b", tar::EntryType::Regular, b"x")).unwrap();
        assert!(matches!(tree.get("a/b"), Some(Entry::File { .. })));
        assert_eq!(tree.owner("a/b"), Owner(1000, 1000));
        over(&mut tree, &archive("a/.wh.b", tar::EntryType::Regular, b"")).unwrap();
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
