//! An OCI image layout: which archives are an image's layers (image-layout.md, image-index.md, manifest.md).
//!
//! Whatever is named by a digest is held against it before it is believed.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Sha256, Sha512};

use super::closure::Foreign;
use super::{LIMIT, hex};
use crate::bound;

/// How long an index, a manifest or a configuration may be.
const LONGEST: u64 = 16 << 20;
/// The name that an image has in a layout.
const NAME: &str = "org.opencontainers.image.ref.name";

/// A file of a layout with the digest that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Where it is.
    pub path: PathBuf,
    digest: Digest,
}

/// The digest of a content, `sha256:HEX`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Digest {
    kind: Kind,
    sum: String,
}

/// Algorithms of digests that are registered (descriptor.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sha256,
    Sha512,
}

/// The layers of an image, the lowest first.
#[derive(Debug)]
pub struct Layers {
    /// Their archives.
    pub blobs: Vec<Blob>,
    /// What is to be said of the choice of this image.
    pub note: Option<String>,
}

/// An index or a manifest.
#[derive(Deserialize)]
struct Node {
    manifests: Option<Vec<Descriptor>>,
    layers: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// A platform, as a descriptor or an image's configuration says it.
#[derive(Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

/// The layers of a layout's image for these kernels; where foreign programs are taken, of its first image else.
///
/// # Errors
///
/// A file is missing or damaged, or there is no such image.
pub fn layers(layout: &Path, foreign: Foreign) -> Result<Layers> {
    let index = layout.join("index.json");
    let mut node: Node = json(&bound::file(&index, LONGEST)?, &index)?;
    let mut note = None;
    // An index may name an index, once.
    for _ in 0..2 {
        let Some(manifests) = &node.manifests else {
            break;
        };
        let chosen = choose(manifests, foreign)?;
        note = note.or_else(|| several(manifests, chosen));
        let blob = Blob::of(layout, &chosen.digest)?;
        node = json(&blob.read()?, &blob.path)?;
    }
    if node.manifests.is_some() {
        bail!("its index names an index that names an index");
    }
    let layers = node.layers.context("its manifest has no layers")?;
    if let Some(config) = &node.config {
        let blob = Blob::of(layout, &config.digest)?;
        let platform: Platform = json(&blob.read()?, &blob.path)?;
        if foreign == Foreign::Refused && !platform.fits() {
            bail!(another([&platform]));
        }
    }
    let blobs = layers.iter().map(|layer| Blob::of(layout, &layer.digest));
    Ok(Layers {
        blobs: blobs.collect::<Result<_>>()?,
        note,
    })
}

/// The image of an index that runs on these kernels.
fn choose(manifests: &[Descriptor], foreign: Foreign) -> Result<&Descriptor> {
    let fits = |one: &&Descriptor| one.platform.as_ref().is_none_or(Platform::fits);
    let other = |one: &&Descriptor| {
        let platform = one.platform.as_ref();
        foreign == Foreign::Taken && platform.is_some_and(|platform| platform.os == "linux")
    };
    let chosen = manifests.iter().find(fits);
    let chosen = chosen.or_else(|| manifests.iter().find(other));
    chosen.with_context(|| another(manifests.iter().filter_map(|one| one.platform.as_ref())))
}

impl Platform {
    /// Whether these kernels run its programs; what says nothing is no contradiction.
    fn fits(&self) -> bool {
        matches!(self.os.as_str(), "" | "linux")
            && matches!(self.architecture.as_str(), "" | "amd64")
    }
}

/// Why there is no image for these kernels.
fn another<'a>(platforms: impl IntoIterator<Item = &'a Platform>) -> String {
    let names = platforms.into_iter();
    let names: Vec<_> = names
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    match names.is_empty() {
        true => "its index names no image".to_owned(),
        false => format!(
            "it is an image for {}, and these kernels are for linux/amd64: take that platform of it, or give its programs an \
             interpreter with --binfmt",
            names.join(", ")
        ),
    }
}

/// A note where an index names other images under names of their own.
fn several(manifests: &[Descriptor], chosen: &Descriptor) -> Option<String> {
    let name = |one: &Descriptor| one.annotations.get(NAME).cloned();
    let others = manifests
        .iter()
        .filter(|one| one.digest != chosen.digest)
        .filter_map(name);
    let others: Vec<_> = others.collect();
    let own = name(chosen).unwrap_or_else(|| chosen.digest.clone());
    (!others.is_empty()).then(|| {
        format!(
            "note: the root is the first image of the layout, {own:?}, and not {:?}",
            others.join(", ")
        )
    })
}

fn json<T: serde::de::DeserializeOwned>(text: &[u8], path: &Path) -> Result<T> {
    serde_json::from_slice(text).with_context(|| format!("failed to read {}", path.display()))
}

impl Blob {
    fn of(layout: &Path, digest: &str) -> Result<Blob> {
        let digest = Digest::parse(digest)?;
        let directory = layout.join("blobs").join(digest.kind.name());
        Ok(Blob {
            path: directory.join(&digest.sum),
            digest,
        })
    }

    /// A short one, when it is what its digest says.
    fn read(&self) -> Result<Vec<u8>> {
        let bytes = bound::file(&self.path, LONGEST)?;
        self.holds(bytes.as_slice())?;
        Ok(bytes)
    }

    /// Reads it to its end, and holds it against its digest.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is another content.
    pub fn check(&self) -> Result<()> {
        self.holds(bound::open(&self.path, LIMIT)?)
    }

    fn holds(&self, from: impl Read) -> Result<()> {
        let context = || format!("failed to read {}", self.path.display());
        let sum = self.digest.kind.sum(from).with_context(context)?;
        ensure!(
            sum == self.digest.sum,
            "the blob {} is damaged, or another one: the digest of its content is {sum}",
            self.digest
        );
        Ok(())
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Sha256 => "sha256",
            Kind::Sha512 => "sha512",
        }
    }

    fn sum(self, from: impl Read) -> io::Result<String> {
        let sum = match self {
            Kind::Sha256 => hashed::<Sha256>(from)?,
            Kind::Sha512 => hashed::<Sha512>(from)?,
        };
        Ok(hex(&sum))
    }
}

fn hashed<H: sha2::Digest>(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut hasher = H::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(hasher.finalize().to_vec()),
            count => hasher.update(&piece[..count]),
        }
    }
}

impl Digest {
    /// Reads one, which is foreign input and becomes part of a path.
    fn parse(text: &str) -> Result<Digest> {
        let (kind, sum) = text.split_once(':').unwrap_or_default();
        let (kind, length) = match kind {
            "sha256" => (Kind::Sha256, 64),
            "sha512" => (Kind::Sha512, 128),
            _ => bail!("{text:?} is no digest by sha256 or sha512"),
        };
        let is_hex = |letter: u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
        ensure!(
            sum.len() == length && sum.bytes().all(is_hex),
            "{text:?} is no digest"
        );
        Ok(Digest {
            kind,
            sum: sum.to_owned(),
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.sum)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sha2::Digest as _;

    use super::*;

    /// A layout in the making.
    struct Made(tempfile::TempDir);

    impl Made {
        fn new() -> Made {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
            Made(dir)
        }

        /// Adds a blob; returns its digest.
        fn blob(&self, content: &str) -> String {
            let sum = hex(&Sha256::digest(content));
            let place = self.0.path().join("blobs/sha256").join(&sum);
            fs::write(place, content).unwrap();
            format!("sha256:{sum}")
        }

        /// Adds a manifest of one layer, whose configuration is for this architecture.
        fn manifest(&self, layer: &str, architecture: &str) -> String {
            let config = format!(r#"{{"architecture":"{architecture}","os":"linux"}}"#);
            let (config, layer) = (self.blob(&config), self.blob(layer));
            let layers = format!(r#"[{{"digest":"{layer}"}}]"#);
            self.blob(&format!(
                r#"{{"config":{{"digest":"{config}"}},"layers":{layers}}}"#
            ))
        }

        fn layers(&self, index: &str, foreign: Foreign) -> Result<Layers> {
            fs::write(self.0.path().join("index.json"), index).unwrap();
            layers(self.0.path(), foreign)
        }

        /// The content of the only layer of an image that an index names.
        fn layer(&self, index: &str) -> String {
            let layers = self.layers(index, Foreign::Refused).unwrap();
            let [layer] = layers.blobs.as_slice() else {
                panic!("{layers:?}");
            };
            layer.check().unwrap();
            fs::read_to_string(&layer.path).unwrap()
        }

        fn refused(&self, index: &str) -> String {
            format!("{:#}", self.layers(index, Foreign::Refused).unwrap_err())
        }
    }

    fn index(manifests: &[String]) -> String {
        format!(r#"{{"manifests":[{}]}}"#, manifests.join(","))
    }

    fn named(digest: &str) -> String {
        format!(r#"{{"digest":"{digest}"}}"#)
    }

    fn of_platform(digest: &str, architecture: &str) -> String {
        format!(
            r#"{{"digest":"{digest}","platform":{{"os":"linux","architecture":"{architecture}"}}}}"#
        )
    }

    #[test]
    fn the_image_for_these_kernels_is_chosen_also_of_an_index_of_an_index() {
        let made = Made::new();
        let (wrong, right) = (made.manifest("a", "arm64"), made.manifest("b", "amd64"));
        let manifests = [of_platform(&wrong, "arm64"), of_platform(&right, "amd64")];
        assert_eq!(made.layer(&index(&manifests)), "b");
        let inner = made.blob(&index(&manifests));
        assert_eq!(made.layer(&index(&[named(&inner)])), "b");
        let deeper = made.blob(&index(&[named(&inner)]));
        let error = made.refused(&index(&[named(&deeper)]));
        assert!(error.contains("names an index that names"), "{error}");
    }

    #[test]
    fn an_image_for_another_machine_is_refused_unless_something_runs_it() {
        let made = Made::new();
        let manifest = made.manifest("a", "arm64");
        for index in [
            index(&[named(&manifest)]),
            index(&[of_platform(&manifest, "arm64")]),
        ] {
            let error = made.refused(&index);
            assert!(error.contains("an image for linux/arm64"), "{error}");
            made.layers(&index, Foreign::Taken).unwrap();
        }
    }

    #[test]
    fn a_blob_that_is_not_what_its_digest_says_is_named() {
        let made = Made::new();
        let manifest = made.manifest("a", "amd64");
        let layers = made.layers(&index(&[named(&manifest)]), Foreign::Refused);
        let layers = layers.unwrap();
        fs::write(&layers.blobs[0].path, "b").unwrap();
        let error = layers.blobs[0].check().unwrap_err().to_string();
        let layer = made.blob("a");
        assert!(
            error.starts_with(&format!("the blob {layer} is damaged")),
            "{error}"
        );
        let (_, sum) = manifest.split_once(':').unwrap();
        fs::write(made.0.path().join("blobs/sha256").join(sum), "{}").unwrap();
        let error = made.refused(&index(&[named(&manifest)]));
        assert!(
            error.contains(&format!("the blob {manifest} is damaged")),
            "{error}"
        );
    }

    #[test]
    fn the_first_of_several_images_is_named() {
        let made = Made::new();
        let manifests = ["a", "b"].map(|name| {
            let digest = made.manifest(name, "amd64");
            format!(r#"{{"digest":"{digest}","annotations":{{"{NAME}":"{name}"}}}}"#)
        });
        let note = made
            .layers(&index(&manifests), Foreign::Refused)
            .unwrap()
            .note;
        assert!(note.unwrap().contains("\"a\", and not \"b\""));
        let note = made.layers(&index(&manifests[..1]), Foreign::Refused);
        assert_eq!(note.unwrap().note, None);
    }

    #[test]
    fn a_digest_is_no_path() {
        let sum = "../".repeat(21) + "x";
        for text in [format!("sha256:{sum}"), "sha256:aa".into(), "md5:a".into()] {
            let error = Digest::parse(&text).unwrap_err().to_string();
            assert!(error.contains("is no digest"), "{error}");
        }
    }
}
